"""The loop's codecs, each between its payloads and sound of 16 kHz, and the resampler in them."""

from __future__ import annotations

from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.worker.loop import SoundDecoder, SoundEncoder, load_opus
from tests.media.conftest import snr_db

PCMU, PCMA, G722, L16_8K, L16_16K, OPUS = 0, 8, 9, 11, 12, 111
ALL = (PCMU, PCMA, G722, L16_8K, L16_16K, OPUS)
FRAME = 320
Sound = npt.NDArray[np.int16]

assert load_opus(["libopus.so.0"]), "Debian package libopus0"


def sines(
    hertz: list[float], seconds: float, rate: int = 16000, delay: float = 0.0, peak: float = 20000
) -> npt.NDArray[Any]:
    """A sum of sines, `delay` samples late."""
    at = (np.arange(round(seconds * rate)) - delay) / rate
    return np.asarray(sum(np.sin(2 * np.pi * f * at + f) for f in hertz)) * peak / len(hertz)


def noise(seconds: float, seed: int = 1) -> Sound:
    """Everything a stream may meet: a sweep over noise, a burst at full scale, silence."""
    random = np.random.default_rng(seed)
    at = np.arange(round(seconds * 16000)) / 16000
    wave = 8000 * np.sin(2 * np.pi * 300 * at * (1 + at)) + 2000 * random.standard_normal(len(at))
    wave[8000:9000] = random.integers(-32768, 32767, 1000)
    wave[9000:12000] = 0
    return wave.clip(-32768, 32767).astype(np.int16)


def encode(codec: int, sound: npt.NDArray[Any], **kwargs: Any) -> list[bytes]:
    encoder = SoundEncoder(codec, **kwargs)
    samples = sound.astype(np.int16)
    return [encoder.encode(samples[at : at + FRAME].tobytes()) for at in range(0, len(samples), FRAME)]


def decode(codec: int, payloads: list[bytes]) -> Sound:
    decoder = SoundDecoder(codec)
    return np.frombuffer(b"".join(decoder.decode(payload) for payload in payloads), np.int16)


# --- the resampler: L16 at 8 kHz is nothing else ----------------------------------------------------------------------

SPEECH_BAND = [100.0, 310.0, 777.0, 1234.0, 2050.0, 2900.0, 3400.0]


def test_up_keeps_the_band_of_speech() -> None:
    narrow = np.round(sines(SPEECH_BAND, 1.0, rate=8000)).astype(">i2")
    sound = decode(L16_8K, [narrow[at : at + 160].tobytes() for at in range(0, 8000, 160)])
    expected = sines(SPEECH_BAND, 1.0, delay=31)
    error = sound[1000:] - expected[1000:]
    assert 10 * np.log10(expected.var() / error.var()) > 65


def test_down_keeps_the_band_of_speech() -> None:
    payloads = encode(L16_8K, np.round(sines(SPEECH_BAND, 1.0)))
    narrow = np.frombuffer(b"".join(payloads), ">i2")
    expected = sines(SPEECH_BAND, 1.0, rate=8000, delay=15)
    error = narrow[500:] - expected[500:]
    assert 10 * np.log10(expected.var() / error.var()) > 65


@pytest.mark.parametrize("hertz", [4650.0, 5300.0, 6500.0, 7900.0])
def test_down_lets_nothing_fold_into_the_band(hertz: float) -> None:
    narrow = np.frombuffer(b"".join(encode(L16_8K, np.round(sines([hertz], 0.5)))), ">i2")
    assert np.abs(narrow[200:].astype(float)).max() < 20000 * 10 ** (-75 / 20)


def test_resampling_does_not_overflow() -> None:
    square = np.where(np.arange(16000) // 40 % 2, 32767, -32768)
    narrow = np.frombuffer(b"".join(encode(L16_8K, square)), ">i2").astype(int)
    assert np.all(np.sign(narrow[100::20]) == np.sign(narrow[100::20][0]) * (-1) ** np.arange(len(narrow[100::20])))


# --- codecs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "payload_bytes", "least_db"),
    [(PCMU, 160, 36), (PCMA, 160, 36), (G722, 160, 36), (L16_8K, 320, 80), (L16_16K, 640, 80), (OPUS, None, 20)],
)
def test_a_sine_comes_through(codec: int, payload_bytes: int | None, least_db: float) -> None:
    payloads = encode(codec, sines([1004.0], 2.0, peak=10000))
    assert payload_bytes is None or {len(payload) for payload in payloads} == {payload_bytes}
    assert max(len(payload) for payload in payloads) <= 640
    sound = decode(codec, payloads)
    assert len(sound) == 32000
    assert snr_db(sound[8000:24000], 1004.0) > least_db
    assert np.sqrt(np.mean(sound[8000:24000].astype(float) ** 2)) == pytest.approx(7071, rel=0.05)


@pytest.mark.parametrize("codec", [G722, OPUS])
def test_wideband_is_wide(codec: int) -> None:
    sound = decode(codec, encode(codec, sines([6000.0], 1.0, peak=10000)))
    assert snr_db(sound[4000:12000], 6000.0) > 12


@pytest.mark.parametrize("pair", [(a, b) for a in ALL for b in ALL if a < b])
def test_a_sine_through_two_codecs(pair: tuple[int, int]) -> None:
    """What a transcoded bridge does to sound."""
    first, second = pair
    between = decode(first, encode(first, sines([700.0], 1.5, peak=10000)))
    sound = decode(second, encode(second, between))
    assert snr_db(sound[6000:20000], 700.0) > 20


def av_g722(direction: Literal["r", "w"]) -> Any:
    context: Any = av.CodecContext.create("g722", direction)
    context.sample_rate, context.layout = 16000, "mono"
    if direction == "w":
        context.format = "s16"
    return context


def test_g722_encodes_bit_for_bit_as_another_implementation() -> None:
    sound, encoder = noise(2.0), av_g722("w")
    packets: list[bytes] = []
    for at in range(0, len(sound), FRAME):
        frame = av.AudioFrame.from_ndarray(sound[None, at : at + FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, at
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    assert b"".join(packets) == b"".join(encode(G722, sound))


def test_g722_decodes_bit_for_bit_as_another_implementation() -> None:
    """A real stream, then rubbish: the predictors saturate."""
    rubbish = np.random.default_rng(7).integers(0, 256, 16000).astype(np.uint8).tobytes()
    payloads = encode(G722, noise(2.0)) + [rubbish[at : at + 160] for at in range(0, 16000, 160)]
    decoder = av_g722("r")
    expected = [frame.to_ndarray()[0] for payload in payloads for frame in decoder.decode(av.Packet(payload))]
    assert np.array_equal(np.concatenate(expected), decode(G722, payloads))


def test_opus_is_of_the_bitrate_asked_for() -> None:
    sound = noise(2.0)
    few, many = (sum(map(len, encode(OPUS, sound, bitrate=rate))) * 8 / 2 for rate in (12000, 40000))
    assert few < 14000 < 34000 < many < 44000


@pytest.mark.parametrize("codec", ALL)
@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
def test_packets_of_any_length(codec: int, ptime_ms: int) -> None:
    samples = 16 * ptime_ms
    encoder, decoder = SoundEncoder(codec), SoundDecoder(codec)
    sound = np.round(sines([500.0], 1.2)).astype(np.int16)[: 19200 // samples * samples]
    payloads = [encoder.encode(sound[at : at + samples].tobytes()) for at in range(0, len(sound), samples)]
    assert sum(len(decoder.decode(payload)) for payload in payloads) == 2 * len(sound)


@given(st.sampled_from(ALL), st.lists(st.binary(max_size=700), max_size=6))
def test_any_bytes_decode_or_are_refused(codec: int, payloads: list[bytes]) -> None:
    decoder = SoundDecoder(codec)
    for payload in payloads:
        try:
            assert 0 < len(decoder.decode(payload)) <= 2 * 1920
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("codec", "size"), [(PCMU, 961), (G722, 2000), (L16_8K, 161), (L16_16K, 4000), (L16_8K, 2000), (PCMU, 0)]
)
def test_what_is_too_long_torn_or_empty_is_refused(codec: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        SoundDecoder(codec).decode(bytes(size))


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="codec 3"):
        SoundDecoder(3)
    with pytest.raises(ValueError, match="codec 3"):
        SoundEncoder(3)
    with pytest.raises(ValueError, match="at once"):
        SoundEncoder(PCMU).encode(bytes(4000))
