"""G.711: every code and every sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from media import codecs
from media.codecs import Samples
from media.worker.loop import g711_tables, transcoding_tables

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)
BOTH = [(codecs.pcmu_encode, codecs.pcmu_decode), (codecs.pcma_encode, codecs.pcma_decode)]
Encode = Callable[[Samples], bytes]
Decode = Callable[[bytes], Samples]


def test_known_values() -> None:
    """G.711 tables 1a, 2a: ends of the scale, around zero; 14 and 13 bit values in 16."""
    assert codecs.pcmu_decode(bytes([0x00, 0x80, 0xFF, 0x7F, 0xFE, 0x7E])).tolist() == [-32124, 32124, 0, 0, 8, -8]
    assert codecs.pcma_decode(bytes([0xAA, 0x2A, 0xD5, 0x55])).tolist() == [32256, -32256, 8, -8]
    assert codecs.pcmu_encode(np.zeros(1, np.int16))[0] == codecs.PCMU_SILENCE
    assert codecs.pcma_encode(np.zeros(1, np.int16))[0] == codecs.PCMA_SILENCE


@pytest.mark.parametrize(("encode", "decode"), BOTH)
def test_codes_survive_a_round_trip(encode: Encode, decode: Decode) -> None:
    back = encode(decode(ALL_CODES))
    changed = [code for code in range(256) if back[code] != code]
    assert changed == ([0x7F] if encode is codecs.pcmu_encode else [])  # PCMU has two zeros; 0x7F is the negative one


@pytest.mark.parametrize(("encode", "decode"), BOTH)
def test_each_sample_is_at_most_half_a_step_off(encode: Encode, decode: Decode) -> None:
    """The step doubles with each segment (PCMA: from the second on); what is over the scale is clipped."""
    pcmu = encode is codecs.pcmu_encode
    codes = np.frombuffer(encode(ALL_SAMPLES), np.uint8) ^ (0xFF if pcmu else 0x55)
    segment = (codes >> 4 & 7).astype(np.int32)
    half_step = 4 << segment if pcmu else 8 << np.maximum(segment - 1, 0)
    error = np.abs(decode(encode(ALL_SAMPLES)).astype(np.int32) - ALL_SAMPLES)
    inside = np.abs(ALL_SAMPLES.astype(np.int32)) <= (32635 if pcmu else 32767)
    assert np.all((error <= half_step)[inside])
    assert error.max() <= 644


@pytest.mark.parametrize(("encode", "decode"), BOTH)
def test_encoding_is_monotone(encode: Encode, decode: Decode) -> None:
    assert np.all(np.diff(decode(encode(ALL_SAMPLES)).astype(np.int32)) >= 0)


def g191_pcmu(linear: int) -> int:
    """`ulaw_compress` of the ITU's Software Tool Library (G.191), step by step."""
    absolute = min(((~linear if linear < 0 else linear) >> 2) + 33, 0x1FFF)
    segment = 1 + (absolute >> 6).bit_length()
    return (0x80 if linear >= 0 else 0) | (8 - segment) << 4 | 15 - (absolute >> segment & 15)


def g191_pcma(linear: int) -> int:
    """`alaw_compress`."""
    value = (~linear if linear < 0 else linear) >> 4
    if value > 15:
        exponent = 1
        while value > 31:
            value, exponent = value >> 1, exponent + 1
        value = value - 16 + (exponent << 4)
    return (value | (0x80 if linear >= 0 else 0)) ^ 0x55


def g191_pcmu_linear(code: int) -> int:
    """`ulaw_expand`."""
    exponent, mantissa = ~code >> 4 & 7, ~code & 15
    step = 4 << exponent + 1
    value = (0x80 << exponent) + step * mantissa + step // 2 - 4 * 33
    return value if code & 0x80 else -value


def g191_pcma_linear(code: int) -> int:
    """`alaw_expand`."""
    exponent, mantissa = (code ^ 0x55) >> 4 & 7, (code ^ 0x55) & 15
    value = ((mantissa + (16 if exponent else 0)) << 4) + 8 << max(exponent - 1, 0)
    return value if code & 0x80 else -value


def test_every_value_is_that_of_the_itus_program() -> None:
    samples = ALL_SAMPLES.tolist()
    assert codecs.pcmu_encode(ALL_SAMPLES) == bytes(g191_pcmu(one) for one in samples)
    assert codecs.pcma_encode(ALL_SAMPLES) == bytes(g191_pcma(one) for one in samples)
    assert codecs.pcmu_decode(ALL_CODES).tolist() == [g191_pcmu_linear(code) for code in range(256)]
    assert codecs.pcma_decode(ALL_CODES).tolist() == [g191_pcma_linear(code) for code in range(256)]


def test_the_native_tables_hold_every_value() -> None:
    to_pcmu, to_pcma, from_pcmu, from_pcma = g711_tables()
    assert to_pcmu == codecs.pcmu_encode(ALL_SAMPLES)
    assert to_pcma == codecs.pcma_encode(ALL_SAMPLES)
    assert from_pcmu == codecs.pcmu_decode(ALL_CODES).tobytes()
    assert from_pcma == codecs.pcma_decode(ALL_CODES).tobytes()


def test_tables_of_the_native_loop_are_the_same() -> None:
    assert transcoding_tables() == (codecs.pcmu_to_pcma_table(), codecs.pcma_to_pcmu_table())
