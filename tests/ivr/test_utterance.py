"""Sayings become prompts and texts to speak."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from config.sayings import Slot, Spoken, parts, slot_of
from ivr.utterance import Context, Names, Step, ToSpeak, Utterance, plain, steps_of
from ivr.words import language_of
from ivr.words.values import recording_of

NOW = dt.datetime(2026, 3, 4, 14, 30, tzinfo=ZoneInfo("Europe/Paris"))
ATTRIBUTES: dict[str, str | int | float] = {
    "rooms": 21, "basket": 2300.5, "name": "Anne", "code": "0712", "when": "9:30", "day": "2026-05-01", "odd": "x",
    "at": 1772620200, "wait": "95", "comma": "1,5", "zone": "2026-03-04T10:00:00Z",
}  # fmt: skip


def context(voice: str = "fr", prompts: frozenset[str] = frozenset()) -> Context:
    return Context(ATTRIBUTES, NOW, voice, "EUR", prompts.__contains__)


def text_of(saying: str, voice: str = "fr") -> str | None:
    steps, left_out = steps_of([saying], context(voice))
    if left_out:
        return None
    (step,) = steps
    assert isinstance(step, ToSpeak)
    return step.text


@pytest.mark.parametrize(
    ("saying", "french"),
    [
        ("{number:rooms}", "vingt et un"), ("{number:rooms:feminine}", "vingt et une"),
        ("{number:comma}", "un virgule cinq"), ("{number:odd}", None), ("{number:missing}", None),
        ("{ordinal:rooms}", "vingt et unième"), ("{ordinal:basket}", None), ("{digits:code}", "zéro sept un deux"),
        ("{money:basket}", "deux mille trois cents euros et cinquante centimes"),
        ("{money:rooms:GBP}", "vingt et une livres"), ("{time}", "quatorze heures trente"),
        ("{time:when}", "neuf heures trente"), ("{time:at}", "onze heures trente"), ("{time:zone}", "onze heures"),
        ("{time:odd}", None), ("{date}", "mercredi quatre mars"), ("{date:day}", "vendredi premier mai"),
        ("{date:at}", "mercredi quatre mars"), ("{date:when}", None),
        ("{duration:wait}", "une minute et trente cinq secondes"), ("{name}", "Anne"), ("{rooms}", "vingt et un"),
    ],
)  # fmt: skip
def test_values(saying: str, french: str | None) -> None:
    assert text_of(saying) == french


@pytest.mark.parametrize(
    ("saying", "german"),
    [("{number:rooms}", "21"), ("{money:basket}", "2300.5 EUR"), ("{time}", "14:30"), ("{date:day}", "01.05.2026"),
     ("{digits:code}", "0 7 1 2"), ("{ordinal:rooms}", "21."), ("{time:odd}", None), ("{number:missing}", None)],
)  # fmt: skip
def test_languages_without_words_are_read_by_the_engine(saying: str, german: str | None) -> None:
    assert text_of(saying, "de") == german


def test_recorded_words_go_before_speech() -> None:
    recorded = frozenset({"fr_vingt", "fr_et", "fr_un"})
    assert steps_of(["hello", "{number:rooms}"], context(prompts=recorded))[0] == [
        ("hello",), ("fr_vingt", "fr_et", "fr_un"),
    ]  # fmt: skip
    assert steps_of(["{number:rooms:feminine}"], context(prompts=recorded))[0] == [ToSpeak("vingt et une", "fr")]


def test_names_of_recordings() -> None:
    french, english = language_of("fr-ch"), language_of("en-us")
    assert french and english
    names = [recording_of(french, word) for word in ("février", "quatre-vingts", "d'euros", "première")]
    assert names == ["fr_fevrier", "fr_quatre-vingts", "fr_d-euros", "fr_premiere"]
    assert recording_of(english, "a.m.") == "en_a-m"


def test_texts() -> None:
    text = Spoken(text="Bonjour {name}, {number:rooms:feminine} chambres.", instead="hello")
    assert steps_of([text], context()) == ([ToSpeak("Bonjour Anne, vingt et une chambres.", "fr", "hello")], 0)
    english = Spoken(text="{number:rooms} rooms", voice="en-gb")
    assert steps_of([english], context()) == ([ToSpeak("twenty one rooms", "en-gb")], 0)
    missing = Spoken(text="{missing}", instead="hello"), Spoken(text="{missing}")
    assert steps_of(missing, context()) == ([("hello",)], 1)


def test_a_playlist_has_its_bound() -> None:
    steps, _ = steps_of(["a"] * 40, context())
    assert len(steps) == 32


def test_plain() -> None:
    assert plain(["welcome", "tone:busy"]) and not plain(["{time}"]) and not plain([Spoken(text="x")])


class Speaker:
    """The plane's `speak`; the test says when."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Callable[[str | None], None]]] = []
        self.heard: list[tuple[Names, int]] = []

    def speak(self, text: str, voice: str | None, on_ready: Callable[[str | None], None]) -> None:
        self.asked.append((text, on_ready))

    def utter(self, *steps: Step) -> Utterance:
        return Utterance([*steps], self.speak, lambda names, unsaid: self.heard.append((names, unsaid)))


def test_in_order_however_they_come() -> None:
    speaker = Speaker()
    waiting = speaker.utter(("a",), ToSpeak("one", "fr"), ("b", "c"), ToSpeak("two", "fr"))
    assert waiting.waits and speaker.heard == []
    speaker.asked[1][1]("say:2")
    speaker.asked[0][1]("say:1")
    assert speaker.heard == [(("a", "say:1", "b", "c", "say:2"), 0)] and not waiting.waits


def test_what_cannot_be_spoken() -> None:
    speaker = Speaker()
    speaker.utter(ToSpeak("one", "fr", "instead"), ToSpeak("two", "fr"))
    for _, on_ready in speaker.asked:
        on_ready(None)
    assert speaker.heard == [(("instead",), 1)]


def test_cancelled() -> None:
    speaker = Speaker()
    speaker.utter(ToSpeak("one", "fr")).cancel()
    speaker.asked[0][1]("say:1")
    assert speaker.heard == []


def test_nothing_to_wait_for() -> None:
    speaker = Speaker()
    assert not speaker.utter(("a",)).waits and speaker.heard == [(("a",), 0)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a {number:x} b", ("a ", Slot("number", "x"), " b")), ("{x}", (Slot("text", "x"),)), ("plain", ("plain",)),
        ("{money:x:EUR}{time}", (Slot("money", "x", "EUR"), Slot("time", None))), ("", ()),
    ],
)  # fmt: skip
def test_parts(text: str, found: tuple[str | Slot, ...]) -> None:
    assert parts(text) == found


@pytest.mark.parametrize(
    "text", ["{", "a}", "{{x}}", "{number}", "{number:X}", "{nmber:x}", "{number:x:neuter}", "{money:x:eur}",
             "{digits:x:y}", "{time:x:y:z}", "{}", "{X}"],
)  # fmt: skip
def test_wrong_parts(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parts(text)
    assert slot_of("welcome") is None
