"""The last words to a caller who will be called back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from acd.desk.voice import Prompts, Speaking, Voice
from config.sayings import Saying
from pbx.call.controller import Passive

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.clock import Clock, Timer

SPOKEN_AT_MOST_S: Final = 60.0
CAUSE: Final = "will be called back"


class Goodbye(Passive):
    """In charge of the call until it is said; then it is hung up."""

    def __init__(self, call: Call, voice: Voice, sayings: tuple[Saying, ...], clock: Clock) -> None:
        self._call: Call | None = call
        self._play_id: int | None = None
        self._speaking: Speaking | None = None
        call.controller = self
        self._timer: Timer = clock.after(SPOKEN_AT_MOST_S, self._over)
        if sayings:
            speaking = voice.prepare(sayings, call.attributes, self._ready)
            if self._call is not None and self._play_id is None:
                self._speaking = speaking
        else:
            self._over()

    def _ready(self, prompts: Prompts) -> None:
        self._speaking = None
        if self._call is not None and prompts:
            self._play_id = self._call.play(prompts)
        else:
            self._over()

    def on_played(self, call: Call, play_id: int) -> None:
        if play_id == self._play_id:
            self._over()

    def on_taken(self, call: Call, to: str) -> None:
        self._end()

    def on_caller_gone(self, call: Call, cause: str) -> None:
        self._end()

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        """An agent's answer that crossed."""
        call.drop(attempt, CAUSE)

    def _over(self) -> None:
        call = self._call
        self._end()
        if call is not None:
            call.hang_up(CAUSE)

    def _end(self) -> None:
        self._call = None
        self._timer.cancel()
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None
