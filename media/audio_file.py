"""Sound files of any kind (WAV, MP3, Opus, Ogg, FLAC ...) to samples, by FFmpeg's decoders and soxr's resampler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from media.codecs import Samples
from media.encoding import RATE_HZ
from media.plane import BadPrompt

LONGEST_S = 3600
SILENT_DB = -60.0  # a file without a peak above this holds nothing to hear
_FULL_SCALE = 32768.0
_PEAK = 0.95  # of full scale: what normalising may reach
_BLOCK = 320 * 10_000  # samples worked on at once
_MOST_GAIN_DB = 24.0  # a whisper is not made a shout, nor its noise


def read(path: Path | Any, loudness_db: float | None = None) -> Samples:
    """One channel at RATE_HZ. `path` may be an open binary file. `loudness_db`: the level to bring it to, see
    `normalised`. Raises BadPrompt, without the file's name: unreadable, empty, silent, too long."""
    import av

    try:
        with av.open(path if hasattr(path, "read") else str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise BadPrompt("holds no sound")
            whole = bytearray()  # grows in place: an hour is 115 MB
            for piece in _resampled(_chunks(container)):
                whole += piece.tobytes()
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadPrompt(f"can't be read as a sound file: {reason}") from None
    sound = np.frombuffer(whole, np.int16)
    if not len(sound):
        raise BadPrompt("is empty")
    if _peak(sound) < 10 ** (SILENT_DB / 20):
        raise BadPrompt(f"is silent: no peak above {SILENT_DB:g} dB (for a pause there is tone:silence)")
    return sound if loudness_db is None else normalised(sound, loudness_db)


def normalised(sound: Samples, loudness_db: float) -> Samples:
    """Brought to `loudness_db` (RMS against full scale) where it is not pause, as ITU-T P.56 means active level; never
    beyond what the peaks allow."""
    power = np.concatenate([np.zeros(1), *(_power(sound[at : at + _BLOCK]) for at in range(0, len(sound), _BLOCK))])
    if not power.max():
        return sound
    active = float(np.sqrt(power[power > power.max() / 1000].mean()))
    gain = np.float32(min(10 ** (loudness_db / 20) / active, 10 ** (_MOST_GAIN_DB / 20), _PEAK / _peak(sound)))
    louder = np.empty_like(sound)
    for at in range(0, len(sound), _BLOCK):
        louder[at : at + _BLOCK] = np.rint(sound[at : at + _BLOCK] * gain)
    return louder


def _power(block: Samples) -> npt.NDArray[np.float32]:
    """Of each 20 ms, against full scale."""
    frames = block[: len(block) // 320 * 320].reshape(-1, 320).astype(np.float32) / _FULL_SCALE
    return np.asarray((frames**2).mean(axis=1), np.float32)


def _peak(sound: Samples) -> float:
    return max(int(sound.max(initial=0)), -int(sound.min(initial=0))) / _FULL_SCALE


def _chunks(container: Any) -> Iterator[tuple[npt.NDArray[np.float32], int]]:
    """Decoded samples of one channel, full scale 1, and their rate."""
    import av

    to_float = av.AudioResampler(format="fltp")
    total_s = 0.0
    for frame in container.decode(audio=0):
        total_s += frame.samples / frame.sample_rate
        if total_s > LONGEST_S:
            raise BadPrompt(f"is longer than {LONGEST_S} s")
        for planes in to_float.resample(frame):
            yield planes.to_ndarray().mean(axis=0), planes.sample_rate


def _resampled(chunks: Iterator[tuple[npt.NDArray[np.float32], int]]) -> Iterator[Samples]:
    """At RATE_HZ. In pieces, so that an hour of 48 kHz is never whole in memory."""
    import soxr

    stream, rate_hz = None, 0
    for chunk, its_rate_hz in chunks:
        if stream is None:
            rate_hz = its_rate_hz
            stream = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32", quality="HQ")
        elif its_rate_hz != rate_hz:
            raise BadPrompt("changes its sample rate on the way")
        yield _rounded(stream.resample_chunk(chunk))
    if stream is not None:
        yield _rounded(stream.resample_chunk(np.zeros(0, np.float32), last=True))


def _rounded(sound: npt.NDArray[np.float32]) -> Samples:
    return np.asarray(np.clip(np.rint(sound * _FULL_SCALE), -32768, 32767), np.int16)
