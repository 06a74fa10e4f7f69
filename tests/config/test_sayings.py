"""Prompts, values and texts in a flow; what is wrong with them, where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.schema import Menu, Say, Site, Spoken

LoadSite = Callable[..., Site]
Problems = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def prompts(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for name in ("welcome.mp3", "hello.txt", "bye.OPUS"):
        (tmp_path / "p" / name).touch()


FLOW = "media: {prompts: p}\nivr: {f: {a: {say: SAY}}}\n"


def test_all_kinds(site: LoadSite) -> None:
    made = site(
        'media: {prompts: p}\nivr:\n  f:\n    a:\n      menu: [welcome, "{number:rooms}", tone:busy:gb, '
        '{text: "It is {time}."}]\n'
        "      keys: {1: b}\n      invalid: {text: Sorry., voice: en-gb, instead: hello}\n"
        "    b: {say: bye}\n"
    )
    menu, say = made.ivr["f"]["a"], made.ivr["f"]["b"]
    assert isinstance(menu, Menu) and isinstance(say, Say)
    assert menu.menu == ("welcome", "{number:rooms}", "tone:busy:gb", Spoken(text="It is {time}."))
    assert menu.invalid == (Spoken(text="Sorry.", voice="en-gb", instead="hello"),)
    assert say.say == ("bye",)


@pytest.mark.parametrize(
    ("say", "problem"),
    [
        ("welcom", '4:20: ivr.f.a.say: expected a prompt, that is a file welcom.wav in p, found "welcom"'),
        ("[tone:buzy]", '4:21: ivr.f.a.say[0]: expected a tone: tone:dial, tone:ringback, tone:busy, tone:congestion'),
        ("tone:busy:xx", "4:20: ivr.f.a.say: expected tone:busy or tone:busy:COUNTRY, of at, au, be"),
        ("'{nmber:x}'", "4:20: ivr.f.a.say: expected {KIND:ATTRIBUTE} with a kind of: number, ordinal, digits"),
        ("'{number}'", "4:20: ivr.f.a.say: expected {number:ATTRIBUTE}, as {number:rooms}"),
        ("'a {number:x}'", "4:20: ivr.f.a.say: expected one value between braces and nothing else; texts are"),
        ("{number:x}", '4:15: ivr.f.a.say: expected a prompt, as welcome, a value to say, as "{number:rooms}"'),
        ("{text: '{'}", "4:27: ivr.f.a.say.text: expected a closing brace for each opening one"),
        ("[{text: ''}]", "4:28: ivr.f.a.say[0].text: expected a text of 1 to 1000 characters"),
        ("{text: x, voise: fr}", "4:30: ivr.f.a.say.voise: expected a key of: text, voice, instead"),
        ("{text: x, voice: French}", "4:37: ivr.f.a.say.voice: expected a voice, as fr or en-gb"),
        ("{text: x, instead: gone}", "4:39: ivr.f.a.say.instead: expected a prompt, that is a file gone.wav in p"),
    ],
)  # fmt: skip
def test_what_is_wrong(problems: Problems, say: str, problem: str) -> None:
    (told,) = problems(FLOW.replace("SAY", say))
    assert told.removeprefix("site.yaml:").startswith(problem)


def test_speech(site: LoadSite, problems: Problems, tmp_path: Path) -> None:
    made = site("speech: {engine: piper, model: v/fr.onnx, voices: {en-gb: /v/en.onnx}}\n").speech
    assert made.model == str(tmp_path / "v" / "fr.onnx") and made.voices == {"en-gb": "/v/en.onnx"}
    (told,) = problems("speech: {engine: festival}\n")
    assert told.startswith("site.yaml:3:18: speech.engine: expected espeak-ng, piper or none")
