"""A prompt's file: the same sound in every codec of the site, in frames of 20 ms that need only a header to be sent.

    "PLP1", number of variants (uint32)
    a variant each: codec (uint8), 0, frame_bytes (uint16), frames (uint32), start (uint64), size (uint64), in bytes
    the frames of each variant; where they differ in size, after frames + 1 offsets (uint32)

Host byte order: the file never leaves the machine. The worker maps it (`worker/prompts.pxi`), all listeners share it.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from media.codecs import Samples, pcma_encode, pcmu_encode

RATE_HZ = 16_000  # of the sound that is encoded
FRAME_SAMPLES = 320  # 20 ms of it
FRAME_MS = 20
FORMAT = 1  # goes up when the same sound would make another file

NUMBERS = {"PCMU": 0, "PCMA": 8, "G722": 9, "L16/8000": 11, "L16/16000": 12, "OPUS": 111}  # the worker's
_FORMS = {"L16": ("L16/16000", "L16/8000")}  # what a codec of the site file stands for, if not itself
_FRAME_BYTES = {"PCMU": 160, "PCMA": 160, "G722": 160, "L16/8000": 320, "L16/16000": 640, "OPUS": 0}
_OPUS_BIT_RATE = 24_000
_MAGIC = b"PLP1"
_HEAD = struct.Struct("=4sI")
_VARIANT = struct.Struct("=BxHIQQ")


class _Variant(NamedTuple):
    number: int
    frame_bytes: int
    frames: int
    start: int
    size: int


def write(file: BinaryIO, sound: Samples, codecs: Sequence[str]) -> None:
    """`sound` at RATE_HZ into an empty file, in the site file's `codecs`; silence fills the last frame."""
    missing = -len(sound) % FRAME_SAMPLES
    sound = np.concatenate([sound, np.zeros(missing, np.int16)]) if missing else sound
    forms = list(dict.fromkeys(form for codec in codecs for form in _FORMS.get(codec, (codec,))))
    frames = len(sound) // FRAME_SAMPLES
    narrow = _narrow(sound) if any(form in ("PCMU", "PCMA", "L16/8000") for form in forms) else sound
    start = _HEAD.size + len(forms) * _VARIANT.size
    variants = []
    for form in forms:
        data = _encode(form, sound, narrow)
        file.seek(start)
        file.write(data)
        variants.append(_Variant(NUMBERS[form], _FRAME_BYTES[form], frames, start, len(data)))
        start += len(data) + -len(data) % 8
    file.seek(0)
    file.write(_HEAD.pack(_MAGIC, len(forms)) + b"".join(_VARIANT.pack(*variant) for variant in variants))
    file.flush()


def payload(data: bytes, form: str) -> list[bytes]:
    """The frames of one form in a file's bytes. KeyError: it has none."""
    variant = next((one for one in _variants(data) if one.number == NUMBERS[form]), None)
    if variant is None:
        raise KeyError(form)
    at, size = variant.start, variant.frame_bytes
    if size:
        return [data[at + n * size : at + (n + 1) * size] for n in range(variant.frames)]
    offsets = np.frombuffer(data, np.uint32, variant.frames + 1, at).tolist()
    at += 4 * (variant.frames + 1)
    return [data[at + one : at + following] for one, following in itertools.pairwise(offsets)]


def frame_count(head: bytes) -> int:
    """20 ms frames of the file that begins with `head` (64 bytes do); 0 if it is none of ours."""
    if len(head) < _HEAD.size + _VARIANT.size or head[:4] != _MAGIC:
        return 0
    return _Variant._make(_VARIANT.unpack_from(head, _HEAD.size)).frames


def _variants(data: bytes) -> Iterator[_Variant]:
    for n in range(_HEAD.unpack_from(data)[1]):
        yield _Variant._make(_VARIANT.unpack_from(data, _HEAD.size + n * _VARIANT.size))


def _narrow(sound: Samples) -> Samples:
    """At 8 kHz: nothing above 4 kHz is left to fold back."""
    import soxr

    return _of_length(soxr.resample(sound, RATE_HZ, RATE_HZ // 2, "HQ"), len(sound) // 2)


def _of_length(sound: npt.NDArray[np.int16], length: int) -> Samples:
    missing = length - len(sound)
    return np.concatenate([sound, np.zeros(missing, np.int16)]) if missing > 0 else sound[:length]


def _encode(form: str, wide: Samples, narrow: Samples) -> bytes:
    match form:
        case "PCMU":
            return pcmu_encode(narrow)
        case "PCMA":
            return pcma_encode(narrow)
        case "L16/8000":
            return narrow.astype(">i2").tobytes()
        case "L16/16000":
            return wide.astype(">i2").tobytes()
        case "G722":
            return b"".join(_packets("g722", wide, 64_000, {}))
    frames = len(wide) // FRAME_SAMPLES
    packets = list(_packets("libopus", wide, _OPUS_BIT_RATE, {"application": "audio", "frame_duration": "20"}))
    offsets = np.concatenate([[0], np.cumsum([len(packet) for packet in packets[:frames]])]).astype(np.uint32)
    return offsets.tobytes() + b"".join(packets[:frames])


def _packets(name: str, wide: Samples, bit_rate: int, options: dict[str, str]) -> Iterator[bytes]:
    """One a frame, by FFmpeg's encoder (an Opus encoder may owe one more at the end: its look-ahead)."""
    import av

    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format, codec.bit_rate = RATE_HZ, "mono", "s16", bit_rate
    codec.options = options
    for at in range(0, len(wide), FRAME_SAMPLES):
        frame = av.AudioFrame.from_ndarray(wide[None, at : at + FRAME_SAMPLES], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        yield from map(bytes, codec.encode(frame))
    yield from map(bytes, codec.encode(None))
