"""The file of a prompt in every codec, against FFmpeg's decoders."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest

from media import encoding
from media.codecs import pcma_decode, pcmu_decode
from media.encoding import RATE_HZ

ALL = ("PCMU", "PCMA", "G722", "OPUS", "L16")


def sine(hz: float, duration_s: float = 1.0, peak: float = 8000) -> np.ndarray[Any, Any]:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(duration_s * RATE_HZ)) / RATE_HZ)).astype(np.int16)


def file_of(sound: np.ndarray[Any, Any], codecs: tuple[str, ...] = ALL) -> bytes:
    made = io.BytesIO()
    encoding.write(made, sound, codecs)
    return made.getvalue()


def decoded(form: str, frames: list[bytes]) -> tuple[np.ndarray[Any, Any], int]:
    """Samples, and their rate."""
    whole = b"".join(frames)
    match form:
        case "PCMU":
            return pcmu_decode(whole), 8000
        case "PCMA":
            return pcma_decode(whole), 8000
        case "L16/8000" | "L16/16000":
            return np.frombuffer(whole, ">i2"), int(form[4:])
    codec = av.AudioCodecContext.create("g722" if form == "G722" else "libopus", "r")
    codec.sample_rate, codec.layout = (16000 if form == "G722" else 48000), "mono"
    heard = [one.to_ndarray().ravel() for frame in frames for one in codec.decode(av.Packet(frame))]
    return np.concatenate(heard), codec.sample_rate


@pytest.mark.parametrize("form", encoding.NUMBERS)
@pytest.mark.parametrize("hz", [400, 1000, 3000])
def test_every_codec_sounds_alike(form: str, hz: int) -> None:
    frames = encoding.payload(file_of(sine(hz)), form)
    assert len(frames) == 50
    samples, rate_hz = decoded(form, frames)
    middle = samples[rate_hz // 4 : rate_hz * 3 // 4].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * rate_hz / len(middle) == pytest.approx(hz, abs=2.5)
    assert 20 * np.log10(middle.std() * 2**0.5 / 8000) == pytest.approx(0, abs=1)
    near = spectrum[max(0, np.argmax(spectrum) - 3) : np.argmax(spectrum) + 4]
    noise = (spectrum**2).sum() - (near**2).sum()
    assert 10 * np.log10((near**2).sum() / noise) > (20 if form == "OPUS" else 30)


@pytest.mark.parametrize("hz", [4700, 5500, 7000])
def test_what_a_narrow_codec_cannot_carry_is_not_folded_back(hz: int) -> None:
    data = file_of(sine(hz))
    narrow = decoded("L16/8000", encoding.payload(data, "L16/8000"))[0][2000:6000].astype(float)
    assert 20 * np.log10(narrow.std() * 2**0.5 / 8000 + 1e-6) < -60
    wide = decoded("G722", encoding.payload(data, "G722"))[0][4000:12000].astype(float)
    assert 20 * np.log10(wide.std() * 2**0.5 / 8000) == pytest.approx(0, abs=1.5)


def test_only_the_codecs_of_the_site() -> None:
    data = file_of(sine(1000, 0.1), ("PCMA",))
    assert len(data) < 900 and len(encoding.payload(data, "PCMA")) == 5
    with pytest.raises(KeyError):
        encoding.payload(data, "PCMU")


@pytest.mark.parametrize("count", [0, 1, 319, 320, 321])
def test_whole_frames(count: int) -> None:
    data = file_of(np.full(count, 1000, np.int16))
    frames = -(-count // 320)
    assert encoding.frame_count(data[:64]) == frames
    assert {len(encoding.payload(data, form)) for form in encoding.NUMBERS} == {frames}


def test_no_file_of_ours() -> None:
    assert encoding.frame_count(b"") == encoding.frame_count(b"RIFF" + bytes(60)) == 0
