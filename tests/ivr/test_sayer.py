"""What queues say: default words in the site's language, values, texts that can't be spoken."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from config.sayings import Saying
from config.schema import Site
from ivr.sayer import Sayer
from media.fake import FakePlane
from tests.virtual_clock import VirtualClock


class Stage:
    def __init__(self, **site: Any) -> None:
        self.plane = FakePlane()
        self.counters: Counter[str] = Counter()
        self.site = Site.model_validate({"site": "x", "listen": {"sip": ["udp:127.0.0.1:5060"]}, **site})
        self.sayer = Sayer(self.site, VirtualClock(1_700_000_000.0), self.plane, self.counters)
        self.heard: list[tuple[str, ...]] = []

    def say(self, sayings: tuple[Saying, ...], **attributes: str | int | float) -> list[tuple[str, ...]]:
        self.sayer.prepare(sayings, attributes, self.heard.append)
        return self.heard

    def spoken(self) -> list[tuple[object, ...]]:
        return [command[1:] for command in self.plane.commands if command[0] == "speak"]


@pytest.mark.parametrize(
    ("country", "said"),
    [
        ("FR", [("Vous êtes en position vingt et un.", "fr"),
                ("Le temps d'attente est d'environ trois minutes.", "fr")]),
        ("GB", [("You are number twenty one in line.", "en-gb"), ("The wait is about three minutes.", "en-gb")]),
        ("DE", [("Sie haben Platz 21 in der Warteschlange.", "de"),
                ("Die Wartezeit in Minuten beträgt etwa 3.", "de")]),
        ("SE", [("You are number twenty one in line.", "en-gb"), ("The wait is about three minutes.", "en-gb")]),
    ],
)
def test_default_words(country: str, said: list[tuple[str, str]]) -> None:
    s = Stage(locale={"country": country})
    told = {"position": 21, "wait": 180, "wait_minutes": 3}
    s.say(s.sayer.position() + s.sayer.wait(), **told)
    assert s.spoken() == said
    assert s.heard == [tuple(f"say:{text}" for text, _ in said)]
    s.say(s.sayer.wait_grown(), **told)
    assert len(s.spoken()) == 3


def test_a_reload_changes_the_voice() -> None:
    s = Stage(locale={"country": "FR"})
    s.sayer.reconfigure(s.site.model_copy(update={"locale": s.site.locale.model_copy(update={"country": "GB"})}))
    s.say(s.sayer.position(), position=1)
    assert s.spoken() == [("You are number one in line.", "en-gb")]


def test_prompts_and_values_that_are_missing() -> None:
    s = Stage()
    assert s.say(("welcome", "{number:rooms}")) == [("welcome",)]
    assert s.counters["queue_values_missing"] == 1


def test_a_text_that_can_not_be_spoken() -> None:
    s = Stage()
    s.plane.slow_speech = True
    assert s.say(s.sayer.position(), position=1) == []
    s.plane.spoken(well=False)
    assert s.heard == [()] and s.counters["queue_texts_unsaid"] == 1


def test_nobody_wants_to_hear_it_any_more() -> None:
    s = Stage()
    s.plane.slow_speech = True
    s.sayer.prepare(s.sayer.position(), {"position": 1}, s.heard.append).cancel()
    s.plane.spoken()
    assert s.heard == []
