"""A caller types the number at which he wants to be called. `#` ends it, `*` begins again, as in a flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pbx.call.clock import Clock, Timer

FIRST_S: Final = 20.0  # for what is said first, and the first key
NEXT_S: Final = 5.0  # after the last key
TRIES: Final = 3
DIGITS_MOST: Final = 20


class Asking:
    """`say` asks for the number; `typed` takes one and tells whether it will do; `given_up`: no number came of it."""

    __slots__ = ("_clock", "_digits", "_given_up", "_left", "_say", "_timer", "_typed")

    def __init__(
        self, clock: Clock, say: Callable[[], None], typed: Callable[[str], bool], given_up: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._say = say
        self._typed = typed
        self._given_up = given_up
        self._digits = ""
        self._left = TRIES
        self._timer: Timer | None = None
        self._ask()

    def cancel(self) -> None:
        self._left = 0
        self._stop()

    def digit(self, digit: str) -> None:
        if digit == "#":
            self._over()
            return
        if digit == "*":
            self._digits = ""
        elif digit.isdigit() and len(self._digits) < DIGITS_MOST:
            self._digits += digit
        self._wait(NEXT_S)

    def _ask(self) -> None:
        self._digits = ""
        self._left -= 1
        self._say()
        self._wait(FIRST_S)

    def _over(self) -> None:
        self._stop()
        if self._digits and self._typed(self._digits):
            return
        if self._left > 0:
            self._ask()
        else:
            self._given_up()

    def _wait(self, seconds: float) -> None:
        self._stop()
        self._timer = self._clock.after(seconds, self._over)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
