"""Calls that stand, kept: what the next server needs to go on with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from .errors import one_line
from .latest import Key, LatestWriter
from .rows import encode
from .tables import standing_calls

_log = structlog.get_logger("pbx.store")


class StandingCallStore:
    """A row for each call that stands. `of(call_id)` gives what is to be kept of it as it is then; None: nothing."""

    def __init__(self, url: str, of: Callable[[str], dict[str, Any] | None], counters: Counter[str]) -> None:
        """Raises BadUrl."""
        self._of = of
        self._counters = counters
        self._rows: set[str] = set()
        self._writer: LatestWriter[None] = LatestWriter(
            url, standing_calls, self._row, counters, name="standing_calls", what="standing calls"
        )
        self.close = self._writer.close

    @property
    def pending(self) -> int:
        """Calls whose row is to be written."""
        return self._writer.pending

    def changed(self, call_id: str) -> None:
        """Something of a call is another than before. Never blocks, never raises."""
        self._writer.put((call_id,), None)

    def ended(self, call_id: str) -> None:
        """The call is over. One that never had a row costs nothing."""
        if call_id in self._rows:
            self._writer.put((call_id,), None)
        else:
            self._writer.drop((call_id,))

    async def open(self) -> list[tuple[str, dict[str, Any]]]:
        """(call id, what was kept) of each; starts the writer. One that is garbled is counted, and forgotten. Raises
        DatabaseUnreachable, one line."""
        found: list[tuple[str, dict[str, Any]]] = []
        for call_id, kept in await self._writer.open():
            self._rows.add(call_id)
            try:
                found.append((call_id, dict(json.loads(kept))))
            except (TypeError, ValueError) as error:
                self._counters["calls_not_revived"] += 1
                _log.error("call of the last server can't be taken up", call=call_id, reason=one_line(error))
                self.ended(call_id)
        return found

    def _row(self, key: Key, _: None) -> tuple[str] | None:
        kept = self._of(key[0])
        if kept is None:
            self._rows.discard(key[0])
            return None
        self._rows.add(key[0])
        return (encode(kept),)
