"""Sines and how to find them again. PCM is 16-bit mono; levels are dBFS (0 is a full-scale sine, -100 is silence)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
_FULL_SCALE = 32767.0
SILENCE_DBFS = -100.0


def sine(hz: float, rate_hz: int, first: int, count: int, level_dbfs: float = -12.0) -> Samples:
    """Samples `first` to `first + count` of an endless sine, so that consecutive pieces join without a click."""
    amplitude = _FULL_SCALE * 10 ** (level_dbfs / 20)
    phase = 2 * math.pi * hz / rate_hz * np.arange(first, first + count)
    samples: Samples = (amplitude * np.sin(phase)).astype(np.int16)
    return samples


def level_dbfs(samples: Samples) -> float:
    """RMS level relative to a full-scale sine."""
    if not len(samples):
        return SILENCE_DBFS
    rms = math.sqrt(float(np.mean(samples.astype(np.float64) ** 2)))
    return max(SILENCE_DBFS, 20 * math.log10(max(rms, 1e-9) * math.sqrt(2) / _FULL_SCALE))


def tone_share(samples: Samples, hz: float, rate_hz: int) -> float:
    """Share (0-1) of the sound's power that lies at `hz`: about 1 for that sine alone, near 0 for anything else.

    One bin of a DFT at exactly `hz` (Goertzel, G. 1958, written as the dot product numpy does fastest), under a Hann
    window, so that the share does not depend on where the window cuts the sine.
    """
    count = len(samples)
    if not count:
        return 0.0
    window = np.hanning(count)
    windowed = samples.astype(np.float64) * window
    power = float(np.sum(windowed**2))
    if power <= count * 1e-3:
        return 0.0
    angle = 2 * math.pi * hz / rate_hz * np.arange(count)
    bin_power = float(np.sum(windowed * np.cos(angle))) ** 2 + float(np.sum(windowed * np.sin(angle))) ** 2
    whole = power * float(np.sum(window)) ** 2 / (2 * float(np.sum(window**2)))  # of a sine with the same power
    return min(1.0, bin_power / whole)
