"""Sayings on their way to prompts: names as they are, values as recorded words where the site has them all, the rest as
texts that are spoken by the media plane."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from config.sayings import Saying, Slot, Spoken, parts, slot_of
from ivr.words import language_of
from ivr.words.language import Language
from ivr.words.values import Attribute, as_written, recording_of, words_of
from media.plane import PLAYLIST_LONGEST

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToSpeak:
    """A text, and the prompt that is played if it can't be spoken in time."""

    text: str
    voice: str
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Of one call: its attributes, the local time, and the site's voice and currency."""

    attributes: Mapping[str, Attribute]
    now: dt.datetime
    voice: str
    currency: str
    has_prompt: Callable[[str], bool]


Step = Names | ToSpeak


def plain(sayings: Iterable[Saying]) -> bool:
    """Nothing but names of prompts."""
    return all(isinstance(one, str) and "{" not in one for one in sayings)


def steps_of(sayings: Iterable[Saying], context: Context) -> tuple[list[Step], int]:
    """What to play and speak, in order; and how many sayings had to be left out for want of a value."""
    steps: list[Step] = []
    left_out = 0
    for saying in sayings:
        step = _spoken(saying, context) if isinstance(saying, Spoken) else _named(saying, context)
        if step is None:
            left_out += 1
        else:
            steps.append(step)
    return _short_enough(steps), left_out


class Utterance:
    """Waits until all steps are prompts. `on_ready` is called once with the prompts to play, unless `cancel` comes
    before; perhaps before the constructor returns."""

    __slots__ = ("_left", "_names", "_on_ready", "unsaid")

    def __init__(
        self,
        steps: list[Step],
        speak: Callable[[str, str | None, Callable[[str | None], None]], None],
        on_ready: Callable[[Names, int], None],
    ) -> None:
        self._names: list[Names] = [step if isinstance(step, tuple) else () for step in steps]
        self._on_ready: Callable[[Names, int], None] | None = on_ready
        self.unsaid = 0  # texts that could not be spoken and have nothing in their place
        texts = [(n, step) for n, step in enumerate(steps) if isinstance(step, ToSpeak)]
        self._left = len(texts)
        if not texts:
            self._finish()
        for n, step in texts:
            speak(step.text, step.voice, lambda name, n=n, step=step: self._spoken(n, step, name))  # type: ignore[misc]

    @property
    def waits(self) -> bool:
        return self._on_ready is not None

    def cancel(self) -> None:
        self._on_ready = None

    def _spoken(self, n: int, step: ToSpeak, name: str | None) -> None:
        name = name or step.instead
        self._names[n] = () if name is None else (name,)
        self.unsaid += name is None
        self._left -= 1
        if not self._left:
            self._finish()

    def _finish(self) -> None:
        on_ready, self._on_ready = self._on_ready, None
        if on_ready is not None:
            on_ready(tuple(name for names in self._names for name in names), self.unsaid)


def _named(saying: str, context: Context) -> Step | None:
    slot = slot_of(saying)
    if slot is None:
        return (saying,)
    language = _language(context.voice)
    if language is None:
        text = as_written(slot, context.attributes, context.now, context.currency)
        return None if text is None else ToSpeak(text, context.voice)
    words = words_of(slot, context.attributes, context.now, language, context.currency)
    if words is None:
        return None
    recordings = tuple(recording_of(language, word) for word in words)
    if slot.kind != "text" and all(map(context.has_prompt, recordings)):
        return recordings
    return ToSpeak(" ".join(words), context.voice)


def _spoken(saying: Spoken, context: Context) -> Step | None:
    """The text with its values; `instead` at once if one of them is missing."""
    voice = saying.voice or context.voice
    filled = [part if isinstance(part, str) else _filled(part, voice, context) for part in parts(saying.text)]
    if None in filled:
        return None if saying.instead is None else (saying.instead,)
    return ToSpeak("".join(filter(None, filled)), voice, saying.instead)


def _filled(slot: Slot, voice: str, context: Context) -> str | None:
    language = _language(voice)
    if language is None:
        return as_written(slot, context.attributes, context.now, context.currency)
    words = words_of(slot, context.attributes, context.now, language, context.currency)
    return None if words is None else " ".join(words)


def _short_enough(steps: list[Step]) -> list[Step]:
    """A playlist has its bound: what is beyond is not heard."""
    room, kept = PLAYLIST_LONGEST, list[Step]()
    for step in steps:
        room -= len(step) if isinstance(step, tuple) else 1
        if room < 0:
            break
        kept.append(step)
    return kept


@lru_cache(maxsize=64)
def _language(voice: str) -> Language | None:
    return language_of(voice)
