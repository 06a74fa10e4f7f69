"""What the desk needs of whoever turns sayings into prompts (`ivr.sayer`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from config.sayings import Saying

Prompts = tuple[str, ...]
Attributes = Mapping[str, str | int | float]


class Speaking(Protocol):
    """Sayings on their way to prompts."""

    def cancel(self) -> None:
        """Nobody wants to hear it any more."""


class Voice(Protocol):
    """Says what a site's queues have to say, in its language."""

    def position(self) -> tuple[Saying, ...]:
        """The place in line, of the attribute `position`, where the site has no words of its own for it."""

    def wait(self) -> tuple[Saying, ...]:
        """The expected wait, of the attribute `wait`."""

    def wait_grown(self) -> tuple[Saying, ...]:
        """That it is longer than was said before."""

    def prepare(
        self, sayings: tuple[Saying, ...], attributes: Attributes, on_ready: Callable[[Prompts], None]
    ) -> Speaking:
        """`on_ready` is called once with what to play, perhaps before this returns; nothing: none of it can be said."""


class Mute:
    """Nothing but prompts by name: a desk without speech."""

    def position(self) -> tuple[Saying, ...]:
        return ()

    def wait(self) -> tuple[Saying, ...]:
        return ()

    def wait_grown(self) -> tuple[Saying, ...]:
        return ()

    def prepare(
        self, sayings: tuple[Saying, ...], attributes: Attributes, on_ready: Callable[[Prompts], None]
    ) -> Speaking:
        on_ready(tuple(one for one in sayings if isinstance(one, str) and "{" not in one))
        return self

    def cancel(self) -> None: ...
