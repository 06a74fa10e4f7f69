"""Joins the calls that stand with their store: what the last server left is taken up by this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import structlog

from pbx.call.call import Call
from pbx.call.standing import go_on, keep, revive
from pbx.call.switch import Switch
from pbx.store.standing_calls import StandingCallStore

log = structlog.get_logger("pbx")


class StandingCalls:
    """`read` what was left, before the journal ends the calls that died; `revive` it once there is sound."""

    def __init__(self, url: str, switch: Switch, counters: Counter[str]) -> None:
        """Raises BadUrl."""
        self._switch, self._counters = switch, counters
        self.store = StandingCallStore(url, self._keep, counters)
        self._left: list[tuple[str, dict[str, Any]]] = []
        switch.on_standing = self._changed

    def _keep(self, call_id: str) -> dict[str, Any] | None:
        call = self._switch.call(call_id)
        return None if call is None else keep(call)

    def _changed(self, call: Call) -> None:
        if call.ended:
            self.store.ended(call.id)
        else:
            self.store.changed(call.id)

    async def read(self) -> Collection[str]:
        """The ids of the calls that the last server left; not of those in which it only rang somebody. Raises
        DatabaseUnreachable."""
        self._left = await self.store.open()
        return {call_id for call_id, kept in self._left if kept.get("caller") is not None}

    def revive(self, now: float) -> None:
        """The calls are there again; what can't be is ended."""
        left, self._left = self._left, []
        revived = []
        for call_id, kept in left:
            call = None
            try:
                call = revive(self._switch, kept, now)
            except (KeyError, TypeError, ValueError) as error:
                self._counters["calls_not_revived"] += 1
                log.error("call of the last server can't be taken up", call=call_id, reason=repr(error))
                self._switch.lose(call_id, now)
            if call is None:
                self.store.ended(call_id)
            else:
                self._counters["calls_revived"] += 1
                revived.append((call, kept))
                if kept.get("left"):
                    self.store.changed(call_id)  # they are let go of once
        go_on(self._switch, revived)
        if revived:
            log.info("calls of the last server go on", calls=len(revived))
