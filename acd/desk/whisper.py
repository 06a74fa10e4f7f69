"""What an agent hears, alone, between his answer and the caller, who hears music meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from acd.desk.voice import Attributes, Prompts, Speaking, Voice
from config.sayings import Saying

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.clock import Clock, Timer

AT_MOST_S: Final = 20.0  # then the two are joined, whatever is left to be told


class Whisper:
    """Prepared when the agent is asked, so that it is there when he answers."""

    __slots__ = ("_attempt", "_clock", "_prompts", "_speaking", "_then", "_timer")

    def __init__(self, clock: Clock, voice: Voice, sayings: tuple[Saying, ...], attributes: Attributes) -> None:
        self._clock = clock
        self._prompts: Prompts | None = None  # None: not ready yet
        self._attempt: Attempt | None = None  # who has answered
        self._then: Callable[[], None] | None = None
        self._timer: Timer | None = None
        self._speaking: Speaking | None = voice.prepare(sayings, attributes, self._ready)

    @property
    def begun(self) -> bool:
        """The agent has answered."""
        return self._attempt is not None

    def begin(self, attempt: Attempt, then: Callable[[], None]) -> None:
        """The agent has answered: `then` when he has heard it, or can't."""
        self._attempt, self._then = attempt, then
        self._timer = self._clock.after(AT_MOST_S, self._over)
        if self._prompts is not None:
            self._play(self._prompts)

    def cancel(self) -> None:
        """Nobody is to hear it, or to be told of its end."""
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            speaking.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._then = self._attempt = None

    def _ready(self, prompts: Prompts) -> None:
        self._prompts = prompts
        if self._attempt is not None:
            self._play(prompts)

    def _play(self, prompts: Prompts) -> None:
        attempt = self._attempt
        if attempt is None or not prompts or not attempt.play(prompts, self._over):
            self._over()

    def _over(self) -> None:
        then = self._then
        self.cancel()
        if then is not None:
            then()
