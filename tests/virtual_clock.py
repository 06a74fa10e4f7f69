"""Time that stands still until a test lets it pass: implements pbx.call.clock.Clock."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class VirtualTimer:
    """A pending callback; nothing is held once it ran or was cancelled."""

    def __init__(self, callback: Callable[..., None], args: tuple[object, ...]) -> None:
        self.callback: Callable[..., None] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback, self.args = None, ()

    def fire(self) -> None:
        callback, args = self.callback, self.args
        self.cancel()
        if callback is not None:
            callback(*args)


class VirtualClock:
    """Seconds since 1970, from `time` on."""

    def __init__(self, time: float = 1_800_000_000.0) -> None:
        self.time = time
        self._heap: list[tuple[float, int, VirtualTimer]] = []
        self._number = itertools.count()

    def now(self) -> float:
        return self.time

    def after(self, delay_s: float, callback: Callable[..., None], *args: object) -> VirtualTimer:
        timer = VirtualTimer(callback, args)
        heapq.heappush(self._heap, (self.time + delay_s, next(self._number), timer))
        return timer

    def pending(self) -> int:
        """How many timers wait."""
        return sum(timer.callback is not None for _, _, timer in self._heap)

    @property
    def due(self) -> float:
        """When the next timer wants to be fired, cancelled ones included; infinity if there is none."""
        return self._heap[0][0] if self._heap else float("inf")

    def fire(self) -> None:
        """Call what is due by now."""
        while self.due <= self.time:
            heapq.heappop(self._heap)[2].fire()

    def run(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.time + seconds
        while self.due <= until:
            self.time = max(self.time, self.due)
            self.fire()
        self.time = until
