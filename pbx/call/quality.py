"""How the legs of a call sound: told when each is over, and asked while it lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from media.plane import PortStats
from pbx.call import events

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.leg import Leg


def quality_of(at: float, call_id: str, leg: int, codec: str, stats: PortStats) -> events.LegQuality:
    """`codec` was agreed on first."""
    return events.LegQuality(
        at, call_id, leg, stats.codec or codec, stats.packets_received, stats.packets_sent, stats.packets_lost,
        stats.jitter_ms, stats.rtt_ms, stats.mos, stats.peer_lost, stats.peer_jitter_ms, stats.peer_mos,
    )  # fmt: skip


def told_at_end(leg: Leg) -> Callable[[PortStats], None] | None:
    """Emits LegQuality when the counters of a leg that is over have come; None if it has none. Holds nothing of it."""
    codec = leg.audio.codec
    if leg.call is None or leg.audio.port is None or codec is None:
        return None
    switch, call_id, number, known = leg.switch, leg.call.id, leg.number, codec

    def tell(stats: PortStats) -> None:
        switch.emit(quality_of(switch.clock.now(), call_id, number, known, stats))

    return tell


class Inquiry:
    """Asks the ports of a live call's legs; `told` gets what they count, the caller first, in some milliseconds."""

    __slots__ = ("_at", "_call_id", "_found", "_told", "_waiting")

    def __init__(self, call: Call, told: Callable[[list[events.LegQuality]], None]) -> None:
        self._told = told
        self._call_id = call.id
        self._at = call.clock.now()
        self._found: list[events.LegQuality] = []
        legs = [leg for leg in call.legs() if leg.audio.port is not None and leg.audio.codec is not None]
        self._waiting = len(legs)
        if not legs:
            told([])
        for leg in legs:
            leg.audio.ask(self._answer(leg.number, leg.audio.codec or ""))

    def _answer(self, number: int, codec: str) -> Callable[[PortStats], None]:
        def answer(stats: PortStats) -> None:
            self._found.append(quality_of(self._at, self._call_id, number, codec, stats))
            self._waiting -= 1
            if self._waiting == 0:
                self._told(sorted(self._found, key=lambda one: one.leg))

        return answer
