"""The contacts of phones and trunks, kept so that a restart forgets none: `changed` on the registrar's path.

    Location.on_write -> changed(aor) -> LatestWriter -> contacts_of(aor), by the time of writing

The names that wait to be written are no more than the site has logins.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from .errors import one_line
from .latest import Key, LatestWriter
from .rows import encode
from .tables import bindings

Record = dict[str, Any]
"""One contact, as JSON holds it; `expires_at` is among its keys."""

_log = structlog.get_logger("pbx.store")


class BindingStore:
    """`contacts_of(aor)` gives what an AOR has now; nothing means that it is not registered."""

    def __init__(self, url: str, contacts_of: Callable[[str], list[Record]], counters: Counter[str]) -> None:
        """Raises BadUrl."""
        self._contacts_of = contacts_of
        self._counters = counters
        self._writer: LatestWriter[None] = LatestWriter(
            url, bindings, self._columns, counters, name="bindings", what="contacts"
        )
        self.close = self._writer.close

    @property
    def pending(self) -> int:
        """AORs whose contacts are not yet written."""
        return self._writer.pending

    @property
    def idle(self) -> bool:
        """Whether the database has what is."""
        return self._writer.idle

    def changed(self, aor: str) -> None:
        """The contacts of an AOR are others than before. Never blocks, never raises."""
        self._writer.put((aor,), None)

    async def open(self) -> list[tuple[str, list[Record]]]:
        """What was kept, a list for each AOR; starts the writer. Raises DatabaseUnreachable, one line."""
        return [(aor, self._decode(aor, text)) for aor, _, text in await self._writer.open()]

    def _columns(self, key: Key, _: None) -> tuple[float, str] | None:
        records = self._contacts_of(key[0])
        return (max([record["expires_at"] for record in records]), encode(records)) if records else None

    def _decode(self, aor: str, text: str) -> list[Record]:
        try:
            records = json.loads(text)
            return [record for record in records if isinstance(record, dict)]
        except (ValueError, TypeError, RecursionError) as error:
            self._counters["bindings_unreadable"] += 1
            _log.error("contacts cannot be read", aor=aor, error=one_line(error))
            return []
