"""Expected waits of all queues, for screens and metrics: with many agents and queues one look at all of them would be
a tenth of a second in which no call is served. There a few are renewed at a time, for as long as somebody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from acd.engine import Engine
    from pbx.call.clock import Clock, Timer

AT_ONCE: Final = 20_000  # agents times queues that one look, or turn, may cost: a few ms
TURN_S: Final = 0.05
KEEP_S: Final = 3.0  # wall boards get figures as often
LOOKED_S: Final = 90.0  # who scrapes metrics comes again in a minute


class ExpectedWaits:
    __slots__ = ("_clock", "_engine", "_found", "_looked_at", "_timer")

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._found: dict[str, tuple[float, float | None]] = {}  # by queue: when, and how long
        self._looked_at = 0.0
        self._timer: Timer | None = None

    def known(self) -> dict[str, float | None]:
        """By queue. None: nobody is there to take a call, or it is not worked out yet."""
        queues, now = self._engine.floor.queues, self._clock.now()
        self._looked_at = now
        if self._at_once >= len(queues):
            return {name: self._ask(name, now) for name in queues}
        if self._timer is None:
            self._turn()
        return {name: self._found.get(name, (now, None))[1] for name in queues}

    @property
    def _at_once(self) -> int:
        return max(1, AT_ONCE // max(1, len(self._engine.floor.roster.agents)))

    def _ask(self, name: str, now: float) -> float | None:
        floor = self._engine.floor
        now = max(now, floor.now)
        return floor.estimates.wait_s(name, floor.queues[name].waiting_calls + 1, now)

    def _turn(self) -> None:
        """Renew those that were not for longest."""
        now, queues = self._clock.now(), self._engine.floor.queues
        if now > self._looked_at + LOOKED_S:
            self._timer, self._found = None, {}
            return
        self._found = {name: found for name, found in self._found.items() if name in queues}
        old = [name for name in queues if name not in self._found or now >= self._found[name][0] + KEEP_S]
        old.sort(key=lambda name: self._found.get(name, (0.0, None))[0])
        for name in old[: self._at_once]:
            self._found[name] = now, self._ask(name, now)
        self._timer = self._clock.after(TURN_S, self._turn)
