"""Sines and how to find them again."""

from __future__ import annotations

import numpy as np
import pytest

from bench.softphones.tones import SILENCE_DBFS, level_dbfs, sine, tone_share

RATE_HZ = 8000


def test_a_sine_is_found_at_its_frequency_and_nowhere_else() -> None:
    sound = sine(620, RATE_HZ, 0, 1600)
    assert tone_share(sound, 620, RATE_HZ) > 0.99
    assert tone_share(sound, 440, RATE_HZ) < 0.01
    assert tone_share(sound, 660, RATE_HZ) < 0.01


@pytest.mark.parametrize("offset", [0, 1, 7, 123])
def test_the_share_does_not_depend_on_where_the_window_cuts(offset: int) -> None:
    assert tone_share(sine(433, RATE_HZ, offset, 1600), 433, RATE_HZ) > 0.99


def test_two_equal_sines_share_the_power() -> None:
    both = sine(440, RATE_HZ, 0, 1600) + sine(1000, RATE_HZ, 0, 1600)
    assert tone_share(both, 440, RATE_HZ) == pytest.approx(0.5, abs=0.02)


def test_noise_is_no_tone() -> None:
    noise = (np.random.default_rng(1).standard_normal(1600) * 4000).astype(np.int16)
    assert tone_share(noise, 620, RATE_HZ) < 0.05


def test_pieces_join_without_a_click() -> None:
    whole = sine(620, RATE_HZ, 0, 320)
    assert np.array_equal(whole, np.concatenate((sine(620, RATE_HZ, 0, 160), sine(620, RATE_HZ, 160, 160))))


def test_levels() -> None:
    assert level_dbfs(sine(620, RATE_HZ, 0, 1600, level_dbfs=-12)) == pytest.approx(-12, abs=0.1)
    assert level_dbfs(np.zeros(1600, np.int16)) == SILENCE_DBFS
    assert level_dbfs(np.zeros(0, np.int16)) == SILENCE_DBFS


def test_silence_and_nothing_hold_no_tone() -> None:
    assert tone_share(np.zeros(1600, np.int16), 620, RATE_HZ) == 0.0
    assert tone_share(np.zeros(0, np.int16), 620, RATE_HZ) == 0.0
