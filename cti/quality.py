"""How legs sound: asked of a live call, and counted over all that ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

from cti.metrics import Histogram
from pbx.call.events import LegQuality

_ANSWER_S: Final = 1.0
_SCORES: Final = (1.5, 2.0, 2.6, 3.1, 3.6, 4.0, 4.2, 4.3, 4.4, 4.5)  # 2.6, 3.1, 3.6, 4.0, 4.3: steps of G.107 annex B
_TRIPS_S: Final = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)


class _Call(Protocol):
    def ask_quality(self, told: Callable[[list[LegQuality]], None]) -> None: ...


class Quality:
    """`call_of` finds a live call."""

    FOLLOWS = (LegQuality,)

    def __init__(self, call_of: Callable[[str], _Call | None]) -> None:
        self._call_of = call_of
        self._scores = Histogram("leg_mos", "mean opinion score of legs that ended (G.107)", _SCORES)
        self._trips = Histogram("leg_rtt_seconds", "round trip to the peers of legs that ended", _TRIPS_S)
        self.histograms: Sequence[Histogram] = (self._scores, self._trips)

    def event(self, event: object) -> None:
        """An event of a kind that it follows."""
        if type(event) is LegQuality:
            if event.mos is not None:
                self._scores.observe(event.mos)
            if event.rtt_ms is not None:
                self._trips.observe(event.rtt_ms / 1000)

    async def of(self, call_id: str) -> list[Mapping[str, Any]]:
        """Each leg of a live call so far, the caller's first; nothing if it is over or the worker does not say."""
        call = self._call_of(call_id)
        if call is None:
            return []
        answer: asyncio.Future[list[LegQuality]] = asyncio.get_running_loop().create_future()

        def told(found: list[LegQuality]) -> None:
            if not answer.done():
                answer.set_result(found)

        call.ask_quality(told)
        try:
            async with asyncio.timeout(_ANSWER_S):
                found = await answer
        except TimeoutError:
            return []
        return [{name: value for name, value in asdict(leg).items() if name not in ("at", "call_id")} for leg in found]
