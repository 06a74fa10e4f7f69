"""Tones by their spectrum, level and cadence, as ITU-T E.180 has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from config.tones import COUNTRIES, NATIONAL, expected, known
from media import tones
from media.encoding import RATE_HZ

FRAME = RATE_HZ // 1000  # 1 ms


def spectrum_of(sound: np.ndarray[Any, Any]) -> dict[int, float]:
    """dBm0 by frequency in Hz, of whatever is above -40 dBm0."""
    window = np.hanning(len(sound))
    found = np.abs(np.fft.rfft(sound * window)) * 2 / window.sum() / 32768
    db = 20 * np.log10(found + 1e-9) + tones.FULL_SINE_DBM0
    hz_a_bin = RATE_HZ / len(sound)
    top = [n for n in range(1, len(db) - 1) if db[n] > -40 and db[n - 1] < db[n] >= db[n + 1]]
    return {round(n * hz_a_bin): float(db[n]) for n in top}


def cadence_of(sound: np.ndarray[Any, Any]) -> list[int]:
    """Milliseconds on, off, on ... What beats or swells dips, but not for as long as a pause."""
    loud = np.sqrt((sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME).astype(float) ** 2).mean(axis=1)) > 1000
    at = np.flatnonzero(loud)
    pauses = np.flatnonzero(np.diff(at) > 60)
    edges = [n for pause in pauses for n in (at[pause] + 1, at[pause + 1])]
    ends = [at[-1] + 1, len(loud)] if len(loud) - at[-1] > 60 else [len(loud)]
    return [int(n) for n in np.diff([0, *edges, *ends])]


@pytest.mark.parametrize(
    ("country", "kind", "frequencies", "cadence"),
    [
        ("fr", "ringback", [440], [1500, 3500]), ("fr", "busy", [440], [500, 500]),
        ("fr", "congestion", [440], [250, 250]), ("fr", "dial", [440], []),
        ("us", "ringback", [440, 480], [2000, 4000]), ("us", "busy", [480, 620], [500, 500]),
        ("us", "congestion", [480, 620], [250, 250]), ("us", "dial", [350, 440], []),
        ("gb", "ringback", [400, 450], [400, 200, 400, 2000]), ("gb", "busy", [400], [375, 375]),
        ("gb", "congestion", [400], [400, 350, 225, 525]), ("gb", "dial", [350, 440], []),
        ("de", "ringback", [425], [1000, 4000]), ("de", "busy", [425], [480, 480]),
        ("de", "congestion", [425], [240, 240]), ("es", "ringback", [425], [1500, 3000]),
        ("es", "congestion", [425], [200, 200, 200, 200, 200, 600]), ("it", "busy", [425], [500, 500]),
        ("it", "dial", [425], [200, 200, 600, 1000]), ("be", "ringback", [425], [1000, 3000]),
        ("be", "congestion", [425], [167, 167]), ("ch", "congestion", [425], [200, 200]),
        ("jp", "ringback", [400], [1000, 2000]), ("jp", "busy", [400], [500, 500]),
        ("au", "busy", [425], [375, 375]), ("au", "ringback", [413, 438], [400, 200, 400, 2000]),
    ],
)  # fmt: skip
def test_tone_of_a_country(country: str, kind: str, frequencies: list[int], cadence: list[int]) -> None:
    sound = tones.make(f"tone:{kind}:{country}", "FR")
    found = cadence_of(sound)
    if cadence:
        assert len(found) % len(cadence) == 0 and found[: len(cadence)] == pytest.approx(cadence, abs=8)
    else:
        assert len(found) == 1
    first_on = sound[: found[0] * FRAME]
    heard = spectrum_of(np.tile(first_on, 1))
    if (country, kind) == ("jp", "ringback"):
        heard = {hz: db for hz, db in heard.items() if db == max(heard.values())}  # the swell's sidebands aside
    assert len(heard) == len(frequencies)
    for hz, db in heard.items():
        assert min(abs(hz - one) for one in frequencies) <= 5
        assert -16 < db < -8
    power = 10 * np.log10((first_on[64:-64].astype(float) ** 2).mean() * 2 / 32768**2) + tones.FULL_SINE_DBM0
    assert power == pytest.approx(-10, abs=0.6)  # E.180 2: -10 dBm0


@pytest.mark.parametrize("country", [*COUNTRIES, "xx"])
@pytest.mark.parametrize("kind", NATIONAL)
def test_every_tone_can_be_repeated_without_a_seam(country: str, kind: str) -> None:
    sound = tones.make(f"tone:{kind}", country.upper())
    assert len(sound) % 320 == 0 and 3000 * FRAME <= len(sound) < 9000 * FRAME
    step = np.abs(np.diff(sound.astype(int))).max()
    assert abs(int(sound[0]) - int(sound[-1])) <= step


def test_the_sites_country_is_meant_unless_named() -> None:
    assert np.array_equal(tones.make("tone:busy", "GB"), tones.make("tone:busy:gb", "US"))
    assert not np.array_equal(tones.make("tone:busy", "GB"), tones.make("tone:busy", "FR"))


def test_universal_tones() -> None:
    beep = tones.make("tone:beep", "FR")
    assert list(spectrum_of(beep[: 400 * FRAME])) == [pytest.approx(1400, abs=5)]
    sit = tones.make("tone:sit", "FR")
    for n, hz in enumerate((950, 1400, 1800)):
        assert max(spectrum_of(sit[n * 330 * FRAME : (n + 1) * 330 * FRAME]).items(), key=lambda one: one[1])[
            0
        ] == pytest.approx(hz, abs=5)
    assert not tones.make("tone:silence", "FR").any()


def test_comfort_noise() -> None:
    sound = tones.make("tone:noise", "FR").astype(float)
    level = 10 * np.log10((sound**2).mean() * 2 / 32768**2) + tones.FULL_SINE_DBM0
    assert level == pytest.approx(-60, abs=1)
    assert abs(np.corrcoef(sound[:-160], sound[160:])[0, 1]) < 0.2  # nothing in it repeats soon


@pytest.mark.parametrize("name", ["tone:busy", "tone:busy:gb", "tone:noise", "tone:beep", "tone:ringback:jp"])
def test_known(name: str) -> None:
    assert known(name)


@pytest.mark.parametrize("name", ["busy", "tone:", "tone:buzy", "tone:busy:xx", "tone:noise:fr", "tone:busy:GB"])
def test_unknown(name: str) -> None:
    assert not known(name) and expected(name).startswith(("a tone: tone:dial", "tone:busy or tone:busy:COUNTRY, of at"))
    with pytest.raises(KeyError):
        tones.make(name, "FR")
