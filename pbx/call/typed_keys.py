"""What a caller types after he was asked for it, ended by #: the PIN of a conference, an agent's code."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.clock import Timer

KEY_S: Final = 10.0  # how long the next key may take
LONGEST: Final = 64  # keys; what is typed beyond is lost
TRIES: Final = 3


def say(call: Call, prompts: tuple[str, ...]) -> None:
    """To one who is to type: nothing else is heard."""
    call.answer()
    if prompts:
        call.play(prompts)
    else:
        call.silence()


def same(keys: str, secret: str) -> bool:
    """However long it takes tells nothing."""
    return hmac.compare_digest(keys.encode(), secret.encode())


class TypedKeys:
    """It holds no call: whoever keeps it by call leaves no cycle behind."""

    __slots__ = ("_keys", "_timer", "_too_long", "tries")

    def __init__(self, call: Call, too_long: Callable[[Call], None]) -> None:
        self.tries = 1  # for whoever asks again
        self._keys = ""
        self._too_long = too_long
        self._timer: Timer = call.clock.after(KEY_S, too_long, call)

    def take(self, call: Call, digit: str) -> str | None:
        """All that was typed, when # ends it. The first key ends what is said."""
        self._timer.cancel()
        self._timer = call.clock.after(KEY_S, self._too_long, call)
        if digit == "#":
            keys, self._keys = self._keys, ""
            return keys
        if not self._keys:
            call.silence()
        self._keys = (self._keys + digit)[:LONGEST]
        return None

    def again(self) -> bool:
        """It was wrong; whether he may try once more."""
        self.tries += 1
        return self.tries <= TRIES

    def stop(self) -> None:
        self._timer.cancel()
