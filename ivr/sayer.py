"""What queues say, in the site's language and voice: the same words, recordings and speech as in flows."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from config.sayings import Saying, Spoken
from config.schema import Site
from config.speech import currency_of, voice_of
from ivr.utterance import Context, Names, Utterance, steps_of
from ivr.words.values import Attribute
from ivr.words.waiting import waiting_in
from media.plane import MediaPlane
from pbx.call.clock import Clock


class Sayer:
    """Obeys `acd.desk.voice.Voice`."""

    __slots__ = ("_clock", "_counters", "_currency", "_grown", "_plane", "_position", "_timezone", "_voice", "_wait")

    def __init__(self, site: Site, clock: Clock, plane: MediaPlane, counters: Counter[str]) -> None:
        self._clock = clock
        self._plane = plane
        self._counters = counters
        self.reconfigure(site)

    def reconfigure(self, site: Site) -> None:
        self._timezone = ZoneInfo(site.locale.timezone)
        self._voice = site.speech.voice or voice_of(site.locale.country)
        self._currency = currency_of(site.locale.country)
        texts, voice = waiting_in(self._voice)
        self._position, self._wait, self._grown = ((Spoken(text=text, voice=voice),) for text in texts)

    def position(self) -> tuple[Saying, ...]:
        return self._position

    def wait(self) -> tuple[Saying, ...]:
        return self._wait

    def wait_grown(self) -> tuple[Saying, ...]:
        return self._grown

    def prepare(
        self, sayings: tuple[Saying, ...], attributes: Mapping[str, Attribute], on_ready: Callable[[Names], None]
    ) -> Utterance:
        """See `Voice`. A value that is missing is left out and counted, as is a text that can't be spoken."""
        local = dt.datetime.fromtimestamp(self._clock.now(), self._timezone)
        context = Context(attributes, local, self._voice, self._currency, self._plane.has_prompt)
        steps, left_out = steps_of(sayings, context)
        self._counters["queue_values_missing"] += left_out

        def ready(names: Names, unsaid: int) -> None:
            self._counters["queue_texts_unsaid"] += unsaid
            on_ready(names)

        return Utterance(steps, self._plane.speak, ready)
