"""G.711 (ITU-T G.711, 1988): PCMU and PCMA as tables over numpy arrays.

Linear samples are int16; a code is one byte. The media loop holds its own 256-byte tables between the two codecs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from config.schema import Site

Samples = npt.NDArray[np.int16]
Codes = npt.NDArray[np.uint8]

SAMPLE_RATE_HZ = 8000
FRAME_BYTES = 160  # 20 ms at one byte a sample
PCMU_SILENCE = 0xFF
PCMA_SILENCE = 0xD5
_PCMU_BIAS = 132  # moves the segments' ends onto powers of two: 33 of 14 bits, here in 16
_PCMU_CLIP = 32635


def _pcmu_decode_table() -> Samples:
    """G.711 table 2a/2b: inverted bits, sign, segment, mantissa."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    segment, mantissa = code >> 4 & 7, code & 15
    magnitude = ((mantissa << 3) + _PCMU_BIAS << segment) - _PCMU_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _pcma_decode_table() -> Samples:
    """G.711 table 1a/1b: even bits inverted, sign set means positive, segments 0 and 1 share one step."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, mantissa = code >> 4 & 7, code & 15
    magnitude = np.where(segment == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _segment(magnitude: npt.NDArray[np.int32], first: int) -> npt.NDArray[np.int32]:
    """Which of eight octaves a magnitude falls in; segment 0 ends below 2 ** (first + 1)."""
    bounds = np.array([1 << (first + n) for n in range(1, 8)], dtype=np.int32)
    return np.searchsorted(bounds, magnitude, side="right").astype(np.int32)


def _pcmu_encode_table() -> Codes:
    linear = np.arange(65536, dtype=np.int32).astype(np.uint16).astype(np.int16).astype(np.int32)
    magnitude = np.minimum(np.where(linear < 0, ~linear, linear), _PCMU_CLIP) + _PCMU_BIAS  # as G.191's program
    segment = _segment(magnitude, 7)
    code = np.where(linear < 0, 0x80, 0) | segment << 4 | (magnitude >> segment + 3) & 15
    return np.asarray(~code & 0xFF, np.uint8)


def _pcma_encode_table() -> Codes:
    linear = np.arange(65536, dtype=np.int32).astype(np.uint16).astype(np.int16).astype(np.int32)
    # One's complement for the negative half, so that -1 falls in the first negative step (G.711, note to table 1).
    magnitude = np.where(linear < 0, ~linear, linear)
    segment = _segment(magnitude, 7)
    mantissa = (magnitude >> np.maximum(segment, 1) + 3) & 15
    code = np.where(linear >= 0, 0x80, 0) | segment << 4 | mantissa
    return np.asarray(code ^ 0x55, np.uint8)


_PCMU_TO_LINEAR = _pcmu_decode_table()
_PCMA_TO_LINEAR = _pcma_decode_table()
_LINEAR_TO_PCMU = _pcmu_encode_table()
_LINEAR_TO_PCMA = _pcma_encode_table()


def wants_opus(site: Site) -> bool:
    """Whether anybody may speak Opus."""
    phones = [extension.codecs or () for extension in site.extensions.values()]
    trunks = [trunk.codecs or () for trunk in site.trunks.values()]
    return any("OPUS" in codecs for codecs in (site.media.codecs, *phones, *trunks))


def pcmu_encode(samples: Samples) -> bytes:
    return _LINEAR_TO_PCMU[samples.view(np.uint16)].tobytes()


def pcma_encode(samples: Samples) -> bytes:
    return _LINEAR_TO_PCMA[samples.view(np.uint16)].tobytes()


def pcmu_decode(codes: bytes) -> Samples:
    return _PCMU_TO_LINEAR[np.frombuffer(codes, np.uint8)]


def pcma_decode(codes: bytes) -> Samples:
    return _PCMA_TO_LINEAR[np.frombuffer(codes, np.uint8)]


def pcmu_to_pcma_table() -> bytes:
    """256 bytes: the PCMA code of each PCMU code."""
    return pcma_encode(_PCMU_TO_LINEAR)


def pcma_to_pcmu_table() -> bytes:
    """256 bytes: the PCMU code of each PCMA code."""
    return pcmu_encode(_PCMA_TO_LINEAR)
