"""Prompts: the WAV files of a site's folder, converted once to PCMU and PCMA.

NAME.wav is prompt NAME. PCM of 8 or 16 bits at 8 kHz or more; two channels are mixed to one. Everything above what a
phone line carries is filtered away before the rate is lowered, so that it does not fold back as noise.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from media.codecs import FRAME_BYTES, PCMA_SILENCE, PCMU_SILENCE, SAMPLE_RATE_HZ, Samples, pcma_encode, pcmu_encode
from media.plane import BadPrompt, MediaError, UnknownPrompt

_PASS_HZ = 3600.0  # G.712 lets a telephone channel fall off above 3400 Hz
_LOBES = 24  # zero crossings of the sinc on each side: about 60 dB down at 4.4 kHz with the Kaiser window below
_KAISER_BETA = 6.0
_LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt in both codecs, padded with silence to whole 20 ms frames."""

    name: str
    pcmu: bytes
    pcma: bytes

    @property
    def duration_ms(self) -> int:
        return len(self.pcmu) * 1000 // SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class PromptChanges:
    """What a reload found: names."""

    added: frozenset[str]
    changed: frozenset[str]
    removed: frozenset[str]


class PromptLibrary:
    """All prompts of a folder, in memory. `folder` None: no prompts. Raises MediaError if the folder is missing and
    BadPrompt, naming every bad file, if one can't be read."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._stamps: dict[str, tuple[int, int]] = {}  # name -> (mtime in ns, size in bytes) when converted
        self._prompts: dict[str, Prompt] = {}
        self.reload()

    def get(self, name: str) -> Prompt:
        """Raises UnknownPrompt."""
        prompt = self._prompts.get(name)
        if prompt is None:
            raise UnknownPrompt(name)
        return prompt

    def __contains__(self, name: object) -> bool:
        return name in self._prompts

    def __iter__(self) -> Iterator[str]:
        return iter(self._prompts)

    def __len__(self) -> int:
        return len(self._prompts)

    def reload(self) -> PromptChanges:
        """Read what is new or changed on disk. On an error nothing changes here, and the error is raised."""
        stamps, prompts, complaints = dict[str, tuple[int, int]](), dict[str, Prompt](), []
        for path in _wav_files(self.folder):
            name, info = path.stem, path.stat()
            stamps[name] = info.st_mtime_ns, info.st_size
            if self._stamps.get(name) == stamps[name]:
                prompts[name] = self._prompts[name]
                continue
            try:
                prompts[name] = convert(name, *read_wav(path))
            except BadPrompt as error:
                complaints.append(str(error))
        if complaints:
            raise BadPrompt("; ".join(complaints))
        before, self._stamps, self._prompts = self._prompts, stamps, prompts
        kept = before.keys() & prompts.keys()
        return PromptChanges(
            added=frozenset(prompts.keys() - before.keys()),
            changed=frozenset(name for name in kept if prompts[name] is not before[name]),
            removed=frozenset(before.keys() - prompts.keys()),
        )


def prompt_names(folder: str | Path | None) -> frozenset[str]:
    """The names of a folder's prompts, unread: enough to check a site file."""
    return frozenset(path.stem for path in _wav_files(None if folder is None else Path(folder)))


def read_wav(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    """Samples (full scale 32768, one channel) and rate in Hz. Raises BadPrompt."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate_hz, frames = file.getparams()[:4]
            if channels not in (1, 2) or width not in (1, 2) or not SAMPLE_RATE_HZ <= rate_hz <= 192_000:
                raise BadPrompt(
                    f"{path}: expected 8 or 16 bit PCM, mono, 8000 Hz or more; "
                    f"found {8 * width} bit, {channels} channel(s), {rate_hz} Hz"
                )
            if frames > _LONGEST_S * rate_hz:
                raise BadPrompt(f"{path}: longer than {_LONGEST_S} s")
            data = file.readframes(frames)
    except (wave.Error, EOFError, OSError) as error:
        raise BadPrompt(f"{path}: not a PCM WAV file ({error or 'it ends too soon'})") from None
    if width == 1:  # 8 bits are unsigned in WAV
        samples = (np.frombuffer(data, np.uint8).astype(np.float64) - 128) * 256
    else:
        samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float64)
    return samples[: len(samples) // channels * channels].reshape(-1, channels).mean(axis=1), rate_hz


def convert(name: str, samples: npt.NDArray[np.float64], rate_hz: int) -> Prompt:
    """Samples at any rate to a prompt."""
    linear = to_8_khz(samples, rate_hz)
    return Prompt(name, _padded(pcmu_encode(linear), PCMU_SILENCE), _padded(pcma_encode(linear), PCMA_SILENCE))


def to_8_khz(samples: npt.NDArray[np.float64], rate_hz: int) -> Samples:
    """Band-limited resampling by a windowed sinc, one phase of the filter at a time (polyphase)."""
    if rate_hz != SAMPLE_RATE_HZ and len(samples):
        common = math.gcd(rate_hz, SAMPLE_RATE_HZ)
        phases, step = SAMPLE_RATE_HZ // common, rate_hz // common
        reach = math.ceil(_LOBES * rate_hz / (2 * _PASS_HZ))  # input samples on each side
        length = math.ceil(len(samples) * SAMPLE_RATE_HZ / rate_hz)
        padded = np.concatenate([np.zeros(reach), samples, np.zeros(reach + step)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        result = np.zeros(length)
        for phase in range(min(phases, length)):
            whole, fraction = divmod(phase * step, phases)
            taps = _taps(reach, fraction / phases, rate_hz)
            count = len(range(phase, length, phases))
            result[phase::phases] = windows[whole : whole + count * step : step][:count] @ taps
        samples = result
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def _taps(reach: int, shift: float, rate_hz: int) -> npt.NDArray[np.float64]:
    """A Kaiser-windowed sinc centred `shift` input samples after the middle; unity gain at 0 Hz."""
    offset = np.arange(-reach, reach + 1) - shift
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (offset / (reach + 1)) ** 2, 0, 1)))
    taps = np.sinc(offset * 2 * _PASS_HZ / rate_hz) * window
    return np.asarray(taps / taps.sum(), np.float64)


def _padded(codes: bytes, silence: int) -> bytes:
    return codes + bytes([silence]) * (-len(codes) % FRAME_BYTES)


def _wav_files(folder: Path | None) -> Iterable[Path]:
    if folder is None:
        return ()
    if not folder.is_dir():
        raise MediaError(f"prompts folder {folder} does not exist")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav" and path.is_file())
