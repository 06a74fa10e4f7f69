"""Tones as sound, from the table of `config.tones`: call progress of each country, beep, noise, silence.

They are prompts like others, so the worker knows nothing of them. A national tone holds whole cycles, and so many that
it is long enough to be understood when played once; played again and again it has no seam.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from config.tones import NATIONAL, PREFIX, UNIVERSAL, pattern
from media.codecs import Samples
from media.encoding import FRAME_MS, RATE_HZ

EDITION = 1  # goes up when a tone sounds otherwise
STANDARD = frozenset(PREFIX + kind for kind in (*NATIONAL, *UNIVERSAL))
TONE_DBM0 = -10.0  # E.180 2
NOISE_DBM0 = -60.0  # of a quiet line: enough to tell that it lives
FULL_SINE_DBM0 = 3.14  # G.711: a sine that just reaches full scale in A-law
_ONCE_MS = 3000
_RAMP_MS = 4  # no clicks; E.180 3 lets a cadence vary by 10 %
_MS = RATE_HZ // 1000

Sound = npt.NDArray[np.float64]


def make(name: str, country: str) -> Samples:
    """At RATE_HZ. KeyError: no such tone."""
    kind = name.removeprefix(PREFIX)
    if kind == "noise":
        return _rounded(_noise(10_000))
    if kind == "silence":
        return np.zeros(1000 * _MS, np.int16)
    if kind == "beep":  # E.180 12: recording tone
        return _rounded(_spoken_once("1400/400,0/100"))
    if kind == "sit":  # E.180 6: special information tone
        return _rounded(_spoken_once("950/330,1400/330,1800/330,0/1000"))
    cadence = pattern(name, country)
    if cadence is None:
        raise KeyError(name)
    return _rounded(_repeated(cadence))


def _repeated(cadence: str) -> Sound:
    """Whole cycles that fill whole frames and last a while."""
    if "/" not in cadence:
        return _tone(cadence, 1000 * math.ceil(_ONCE_MS / 1000))  # whole hertz: a second has no seam
    cycle_ms = sum(int(part.partition("/")[2]) for part in cadence.split(","))
    least = math.lcm(cycle_ms, FRAME_MS) // cycle_ms
    count = least * math.ceil(_ONCE_MS / (least * cycle_ms))
    return np.tile(_spoken_once(cadence), count)


def _spoken_once(cadence: str) -> Sound:
    parts = []
    for part in cadence.split(","):
        frequencies, _, duration = part.partition("/")
        parts.append(_ramped(_tone(frequencies, int(duration))))
    return np.concatenate(parts)


def _tone(frequencies: str, duration_ms: int) -> Sound:
    """Full scale 1; all frequencies together have the level of one."""
    at = np.arange(duration_ms * _MS) / RATE_HZ
    if frequencies == "0":
        return np.zeros(len(at))
    peak = 10 ** ((TONE_DBM0 - FULL_SINE_DBM0) / 20)
    carrier, _, swell_hz = frequencies.partition("*")
    each = [np.sin(2 * np.pi * int(hz) * at) for hz in carrier.split("+")]
    sound: Sound = peak * np.sum(each, axis=0) / math.sqrt(len(each))
    if swell_hz:
        sound *= (1 + np.cos(2 * np.pi * int(swell_hz) * at)) / math.sqrt(1.5)
    return sound


def _ramped(sound: Sound) -> Sound:
    length = min(_RAMP_MS * _MS, len(sound) // 2)
    slope = (1 - np.cos(np.pi * (np.arange(length) + 0.5) / length)) / 2
    sound[:length] *= slope
    sound[len(sound) - length :] *= slope[::-1]
    return sound


def _noise(duration_ms: int) -> Sound:
    """5 dB less an octave, as in rooms (Hoth noise). The spectrum is drawn, so that its end meets its beginning."""
    count = duration_ms * _MS
    spectrum = np.zeros(count // 2 + 1, np.complex128)
    hz = np.arange(len(spectrum)) * RATE_HZ / count
    band = (hz >= 100) & (hz <= 7000)
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, int(band.sum()))
    spectrum[band] = (hz[band] / 1000) ** (-5 / 6.02) * np.exp(1j * phases)
    sound: Sound = np.fft.irfft(spectrum, count)
    rms = 10 ** ((NOISE_DBM0 - FULL_SINE_DBM0) / 20) / math.sqrt(2)
    return sound * (rms / math.sqrt(float(np.mean(sound**2))))


def _rounded(sound: Sound) -> Samples:
    return np.rint(sound * 32767).astype(np.int16)
