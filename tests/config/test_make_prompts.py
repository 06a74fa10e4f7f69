from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from config import make_prompts
from config.make_prompts import RATE_HZ, TEXTS, Samples

PROMPTS = Path(make_prompts.__file__).parent / "sites" / "prompts"


def read(name: str) -> Samples:
    with wave.open(str(PROMPTS / f"{name}.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64) / 32767


def level_db(sound: Samples) -> float:
    return float(10 * np.log10(np.mean(sound**2)))


def test_every_text_is_a_prompt_and_every_prompt_is_made_here() -> None:
    assert {path.stem for path in PROMPTS.glob("*.wav")} == {*TEXTS, "music", "minute"}
    assert sum(path.stat().st_size for path in PROMPTS.iterdir()) < 3_000_000


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_prompts_are_of_one_loudness(name: str) -> None:
    sound = read(name)
    assert -24 < level_db(sound) < -18
    assert np.abs(sound).max() < 0.95


def test_the_music_is_the_one_computed_here() -> None:
    assert np.allclose(read("music"), make_prompts.music(), atol=2e-4)


def test_the_music_loops_without_a_seam() -> None:
    music = read("music")
    assert len(music) == 10 * RATE_HZ
    steps = np.abs(np.diff(np.concatenate([music, music[:1]])))
    assert steps[-1] <= steps[:-1].max()


def test_the_minute_lasts_a_minute_with_a_pulse_in_each_second() -> None:
    minute = read("minute").reshape(60, RATE_HZ)
    assert (np.abs(minute).max(axis=1) > 0.05).all()


def test_trimming_leaves_a_margin() -> None:
    sound = np.zeros(RATE_HZ)
    sound[3000:4000] = 0.5
    assert len(make_prompts.trimmed(sound, margin_s=0.1)) == pytest.approx(1000 + 2 * 800, abs=1)
