"""Texts are spoken by programs of others."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from media.encoding import RATE_HZ
from media.plane import BadPrompt
from media.speech import Speaker

ESPEAK = Speaker("espeak-ng", "en-gb")

PIPER = """#!/usr/bin/env python3
import io, math, struct, sys, wave
assert sys.argv[1:4] == ["--model", MODEL, "--output_file"] and sys.argv[4] == "-", sys.argv
text = sys.stdin.read()
made = io.BytesIO()
with wave.open(made, "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(22050)
    file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 7))) for n in range(2205 * len(text))))
sys.stdout.buffer.write(made.getvalue())
"""


def program(path: Path, source: str) -> str:
    path.write_text(source)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_espeak_speaks() -> None:
    short, long = ESPEAK.speak("One."), ESPEAK.speak("One. Two. Three. Four. Five.")
    assert RATE_HZ // 5 < len(short) < len(long) < 10 * RATE_HZ
    assert 2000 < np.abs(short).max() < 32768
    french = ESPEAK.speak("One.", "fr")
    assert len(french) != len(short) or (french != short).any()


def test_a_text_is_no_command_line() -> None:
    assert len(ESPEAK.speak("--help -v de $(date) `id`")) > RATE_HZ


def test_piper_speaks(tmp_path: Path) -> None:
    model = tmp_path / "fr.onnx"
    model.touch()
    piper = Speaker("piper", "fr", program=program(tmp_path / "p", PIPER.replace("MODEL", repr(str(model)))),
                    model=str(model))  # fmt: skip
    assert piper.complaint() is None
    assert len(piper.speak("Oui.")) == pytest.approx(RATE_HZ * 0.4, abs=20)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert Speaker("none").complaint() == "speech.engine is none"
    absent = Speaker("piper", program="/no/piper", model="/m.onnx").complaint()
    assert absent == (
        "the program /no/piper is not there: pip install piper-tts, and speech.program if it is not in PATH"
    )
    there = program(tmp_path / "p", PIPER)
    assert Speaker("piper", program=there).complaint() == "piper needs speech.model, a voice's .onnx file"
    assert Speaker("piper", program=there, model="/m.onnx").complaint() == "the model /m.onnx is not there"
    with pytest.raises(BadPrompt, match="can't be spoken: the program nothing is not there: apt-get install espeak-ng"):
        Speaker("espeak-ng", program="nothing").speak("x")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("#!/bin/sh\necho wrong voice >&2; exit 1\n", "espeak-ng failed: wrong voice"),
        ("#!/bin/sh\nexit 0\n", "espeak-ng failed: 0"),
        ("#!/bin/sh\necho rubbish\n", "can't be read as a sound file"),
        ("#!/bin/sh\nexec sleep 9\n", "took too long"),
        ("no program\n", "espeak-ng: Exec format error"),
    ],
)
def test_engines_that_fail(tmp_path: Path, source: str, reason: str) -> None:
    speaker = Speaker("espeak-ng", program=program(tmp_path / "engine", source), timeout_s=0.2)
    with pytest.raises(BadPrompt, match=reason):
        speaker.speak("x")


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2001])
def test_texts_that_are_none(text: str) -> None:
    with pytest.raises(BadPrompt, match="expected a text of 1 to 2000 characters"):
        ESPEAK.speak(text)


def test_the_name_is_the_texts() -> None:
    assert ESPEAK.name("a", None) == ESPEAK.name("a", "en-gb") != ESPEAK.name("a", "fr")
    assert ESPEAK.name("a", None) != ESPEAK.name("b", None)
    assert ESPEAK.stamp("a", None) != Speaker("espeak-ng", "en-gb", words_per_minute=100).stamp("a", None)
