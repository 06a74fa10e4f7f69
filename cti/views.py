"""The floor as it is now, as JSON-able values: for REST, for the snapshots of the event stream and for the metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from acd.errors import UnknownAgent
from config.suggestion import did_you_mean
from cti.errors import UnknownResource
from cti.ports import AgentDesk, Calls

SNAPSHOT_CALLS = 1_000


class LiveView:
    """Reads desk and switch; changes nothing."""

    def __init__(self, desk: AgentDesk, switch: Calls) -> None:
        self.desk = desk
        self._switch = switch

    def calls(self, limit: int = SNAPSHOT_CALLS) -> dict[str, Any]:
        """The first `limit` live calls and how many were left off."""
        live = iter(self._switch.calls())
        return {"calls": [call.view() for call in islice(live, limit)], "left_off": sum(1 for _ in live)}

    def call(self, call_id: str) -> dict[str, Any] | None:
        """A live call."""
        return next((call.view() for call in self._switch.calls() if call.id == call_id), None)

    def call_count(self) -> int:
        return sum(1 for _ in self._switch.calls())

    def queues(self) -> dict[str, Any]:
        return {"queues": list(self.desk.queues())}

    def agents(self) -> dict[str, Any]:
        return {"agents": list(self.desk.agents())}

    def agent(self, name: str) -> Mapping[str, Any]:
        """Raises UnknownResource."""
        try:
            return self.desk.agent(name)
        except UnknownAgent as error:
            raise UnknownResource(str(error)) from None

    def must_know(self, kind: str, name: str, known: Collection[str] | None = None) -> None:
        """`kind` is queue, skill, trunk, partner or agent, or one whose names are `known`. Raises UnknownResource, with
        the name that may be meant."""
        known = self.desk.names(kind) if known is None else known
        if name not in known:
            hint = did_you_mean(name, known)
            raise UnknownResource(f"no {kind} {name!r}" + (f", {hint}" if hint else ""))

    def everything(self) -> dict[str, Any]:
        """What a supervisor's client needs to start from."""
        return self.calls() | self.queues() | self.agents()
