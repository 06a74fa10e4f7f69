"""Sound files of every kind are read alike."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from media import audio_file
from media.encoding import RATE_HZ
from media.plane import BadPrompt

RATES = (8000, 11025, 16000, 22050, 44100, 48000)


def sine(hz: float, rate_hz: int, peak: float = 10000.0, duration_s: float = 1.0) -> np.ndarray[Any, Any]:
    return peak * np.sin(2 * np.pi * hz * np.arange(round(duration_s * rate_hz)) / rate_hz)


def wav(samples: np.ndarray[Any, Any], rate_hz: int = 8000, channels: int = 1, width: int = 2) -> io.BytesIO:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    made.seek(0)
    return made


def encoded(path: Path, codec: str, rate_hz: int, channels: int, samples: np.ndarray[Any, Any]) -> Path:
    """`samples` (full scale 32768) as a file of that kind, the same in each channel."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "stereo" if channels == 2 else "mono"
        frame = av.AudioFrame.from_ndarray(
            np.repeat(samples.astype(np.int16), channels)[None, :], format="s16", layout=stream.layout.name
        )
        frame.sample_rate = rate_hz
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def level_db(samples: np.ndarray[Any, Any], peak: float) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    return float(20 * np.log10(middle.std() * 2**0.5 / peak + 1e-6))


def strongest_hz(samples: np.ndarray[Any, Any]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE_HZ / len(samples)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("hz", [300, 1000, 3400])
def test_any_rate(rate_hz: int, hz: int) -> None:
    result = audio_file.read(wav(sine(hz, rate_hz).astype("<i2"), rate_hz))
    assert len(result) == RATE_HZ
    assert abs(level_db(result, 10000)) < 0.1
    assert strongest_hz(result) == pytest.approx(hz, abs=1.5)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate_hz", "channels"),
    [
        ("mp3", "libmp3lame", 44100, 2), ("mp3", "libmp3lame", 22050, 1), ("ogg", "libopus", 48000, 2),
        ("opus", "libopus", 48000, 1), ("flac", "flac", 48000, 2), ("wav", "pcm_s24le", 44100, 2),
        ("wav", "pcm_f32le", 16000, 1), ("wav", "pcm_alaw", 8000, 1), ("wav", "pcm_u8", 8000, 1),
    ],
)  # fmt: skip
def test_any_kind(tmp_path: Path, suffix: str, codec: str, rate_hz: int, channels: int) -> None:
    path = encoded(tmp_path / f"p.{suffix}", codec, rate_hz, channels, sine(1000, rate_hz))
    result = audio_file.read(path)
    assert len(result) == pytest.approx(RATE_HZ, abs=RATE_HZ * 0.1)  # MP3 pads
    assert strongest_hz(result) == pytest.approx(1000, abs=1.5)
    assert abs(level_db(result, 10000)) < 1


def test_two_channels_are_mixed() -> None:
    result = audio_file.read(wav(np.tile(np.array([8000, 24000], "<i2"), 1600), channels=2))
    assert abs(int(result[1600]) - 16000) < 20


def test_a_click_stays_where_it_was() -> None:
    click = np.zeros(48000)
    click[24000] = 30000
    assert int(np.argmax(audio_file.read(wav(click.astype("<i2"), 48000)))) == 8000


def test_a_file_cut_short_is_read_to_where_it_goes() -> None:
    data = wav(sine(1000, 8000).astype("<i2")).getvalue()
    assert len(audio_file.read(io.BytesIO(data[: 44 + 1600]))) == 1600


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0, "<i2"), "is empty"),
        (np.full(8000, 20, "<i2"), "is silent: no peak above -60 dB"),
        (np.ones(8000 * 3601, np.uint8), "is longer than 3600 s"),
    ],
    ids=["empty", "silent", "long"],
)
def test_no_prompts(samples: np.ndarray[Any, Any], reason: str) -> None:
    with pytest.raises(BadPrompt, match=reason):
        audio_file.read(wav(samples, width=samples.dtype.itemsize))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a sound at all, whatever its name", b"ID3\x04" + bytes(200)])
def test_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(content)
    with pytest.raises(BadPrompt, match="can't be read as a sound file"):
        audio_file.read(path)
    with pytest.raises(BadPrompt):
        audio_file.read(tmp_path / "missing.wav")


@pytest.mark.parametrize("peak", [300, 3000, 30000])
def test_normalised_to_one_loudness(peak: float) -> None:
    """Pauses do not count: half of it is silence."""
    sound = np.concatenate([sine(500, RATE_HZ, peak), np.zeros(RATE_HZ)]).astype(np.int16)
    result = audio_file.normalised(sound, -20).astype(float)
    gain_most = 10 ** (24 / 20)
    expected = min(10 ** (-20 / 20) * 32768 * 2**0.5, peak * gain_most)
    assert np.abs(result).max() == pytest.approx(expected, rel=0.03)


def test_normalising_never_clips() -> None:
    sound = np.zeros(RATE_HZ, np.int16)
    sound[::1000] = 20000  # all peaks, next to no power
    assert np.abs(audio_file.normalised(sound, -10)).max() <= 32768 * 0.951
    assert not audio_file.normalised(np.zeros(RATE_HZ, np.int16), -20).any()
