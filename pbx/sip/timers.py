"""The timers of RFC 3261 17 and one queue for all of them.

SIP uses a handful of fixed delays, so each delay has its own first-in first-out line: setting and firing cost O(1), and
the next due time is the least of a dozen heads. A timer is never cancelled: its owner ignores one that no longer means
anything in its state (the state tables say so).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

T1 = 0.5  # s, round-trip estimate (RFC 3261 17.1.1.1)
T2 = 4.0  # s, ceiling of the retransmit interval
T4 = 5.0  # s, longest a message stays in the network
TIMEOUT = 64 * T1  # s, timers B, F, H, J, L, M
TIMER_D = 32.0  # s, RFC 3261 17.1.1.2: at least 32 s over UDP
TIMER_100 = 0.2  # s, RFC 3261 17.2.1: 100 if the user has said nothing by then

NEVER = float("inf")
ROUNDING_S = 1e-5  # seconds since 1970 as a float are good to a microsecond: what is due now must be found due


class TimerOwner(Protocol):
    def on_timer(self, kind: str, now: float) -> None:
        """Timer `kind` (A, B, ... of RFC 3261, or the owner's own) is due."""


class Timers:
    """All pending timers. `earliest` is when `fire` wants to be called next (s), NEVER when nothing is pending;
    `on_earlier` is told when that moves forward."""

    def __init__(self) -> None:
        self._lines: dict[float, deque[tuple[float, TimerOwner, str]]] = {}
        self.earliest = NEVER
        self.on_earlier: Callable[[float], None] | None = None

    def set(self, delay_s: float, owner: TimerOwner, kind: str, now: float) -> None:
        """Have `owner.on_timer(kind, now)` called `delay_s` seconds from now."""
        line = self._lines.get(delay_s)
        if line is None:
            line = self._lines[delay_s] = deque()
        due = now + delay_s
        line.append((due, owner, kind))
        if due < self.earliest:
            self.earliest = due
            if self.on_earlier is not None:
                self.on_earlier(due)

    def fire(self, now: float) -> None:
        """Call every owner whose time has come, in order of due time within each delay."""
        self.earliest = -NEVER  # timers set meanwhile need no notice
        until = now + ROUNDING_S
        try:
            for line in tuple(self._lines.values()):
                while line and line[0][0] <= until:
                    _, owner, kind = line.popleft()
                    owner.on_timer(kind, now)
        finally:  # an owner that fails must not stop all others for ever
            self.earliest = min((line[0][0] for line in self._lines.values() if line), default=NEVER)
            if self.earliest < NEVER and self.on_earlier is not None:
                self.on_earlier(self.earliest)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))
