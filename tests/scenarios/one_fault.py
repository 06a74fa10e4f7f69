"""A good network with one fault: a message of a flow is lost, or comes twice."""

from __future__ import annotations

from collections.abc import Callable

from tests.virtual_clock import VirtualClock

TRAVELS_S = 0.02
SOON_S, LATE_S = 0.9, 8.0  # among retransmissions; when all is said, and before a transaction has forgotten it


class OneFault:
    """Of the messages carried, `number` (from 0) comes never (`again_s` None), or once more after so many seconds."""

    def __init__(self, number: int = -1, again_s: float | None = None) -> None:
        self._number = number
        self._again_s = again_s
        self.carried = 0

    def carry(self, clock: VirtualClock, deliver: Callable[[], None]) -> None:
        faulty = self.carried == self._number
        self.carried += 1
        if not faulty or self._again_s is not None:
            clock.after(TRAVELS_S, deliver)
        if faulty and self._again_s is not None:
            clock.after(self._again_s, deliver)
