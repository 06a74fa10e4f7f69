"""Time as the joined parts see it: one clock, one kind of timer; real in the server, virtual in the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A pending callback."""

    def cancel(self) -> None:
        """Never call it; harmless if it was called already."""


class Clock(Protocol):
    """`now` never runs backwards, whatever the machine's wall clock does."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""

    def after(self, delay_s: float, callback: Callable[..., None], *args: object) -> Timer:
        """Call `callback(*args)` on the event loop, `delay_s` seconds from now."""
