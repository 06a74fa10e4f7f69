"""WAV files become prompts."""

from __future__ import annotations

import os
import shutil
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.codecs import pcma_decode, pcmu_decode
from media.plane import BadPrompt, MediaError, UnknownPrompt
from media.prompts import PromptChanges, PromptLibrary, convert, prompt_names, to_8_khz

RATES = (8000, 11025, 16000, 22050, 44100, 48000)


def level_db(samples: np.ndarray[Any, Any], peak: float) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    return float(20 * np.log10(middle.std() * 2**0.5 / peak + 1e-6))


def sine(hz: float, rate_hz: int, peak: float = 10000.0) -> np.ndarray[Any, Any]:
    return peak * np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz)


def wav(path: Path, samples: np.ndarray[Any, Any], **shape: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(shape.get("channels", 1))
        file.setsampwidth(shape.get("width", 2))
        file.setframerate(shape.get("rate_hz", 8000))
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("hz", [300, 1000, 3300])
def test_resampling_keeps_the_telephone_band(rate_hz: int, hz: int) -> None:
    result = to_8_khz(sine(hz, rate_hz), rate_hz)
    assert len(result) == 8000
    assert abs(level_db(result, 10000)) < 0.5
    crossings = np.count_nonzero(np.diff(np.signbit(result[800:7200])))
    assert abs(crossings / 2 / 0.8 - hz) < 5


@pytest.mark.parametrize("rate_hz", [16000, 22050, 48000])
@pytest.mark.parametrize("hz", [4700, 5500, 7000])
def test_resampling_does_not_fold_higher_sounds_back(rate_hz: int, hz: int) -> None:
    assert level_db(to_8_khz(sine(hz, rate_hz), rate_hz), 10000) < -55


def test_resampling_is_aligned_in_time() -> None:
    """A click stays where it was."""
    click = np.zeros(16000)
    click[8000] = 30000
    assert int(np.argmax(to_8_khz(click, 16000))) == 4000


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_resampling_of_next_to_nothing(count: int) -> None:
    assert len(to_8_khz(np.ones(count), 16000)) == (count + 1) // 2


def test_prompt_has_both_codecs_in_whole_frames() -> None:
    prompt = convert("p", sine(1000, 8000)[:500], 8000)
    assert len(prompt.pcmu) == len(prompt.pcma) == 640
    assert prompt.duration_ms == 80
    assert prompt.pcmu[500:] == b"\xff" * 140 and prompt.pcma[500:] == b"\xd5" * 140
    assert np.abs(pcmu_decode(prompt.pcmu).astype(int) - pcma_decode(prompt.pcma)).max() < 600


def test_eight_bits_and_two_channels(tmp_path: Path) -> None:
    wav(tmp_path / "narrow.wav", np.full(160, 128 + 64, np.uint8), width=1)
    wav(tmp_path / "wide.wav", np.tile(np.array([8000, 24000], "<i2"), 160), channels=2)
    library = PromptLibrary(tmp_path)
    for name in ("narrow", "wide"):
        assert np.abs(pcma_decode(library.get(name).pcma).astype(int) - 16384).max() < 600


def test_library_by_name(tmp_path: Path) -> None:
    wav(tmp_path / "welcome.wav", np.zeros(160, "<i2"))
    (tmp_path / "notes.txt").write_text("not a prompt")
    library = PromptLibrary(tmp_path)
    assert list(library) == ["welcome"] and len(library) == 1 and "welcome" in library and "notes" not in library
    assert prompt_names(tmp_path) == {"welcome"}
    with pytest.raises(UnknownPrompt):
        library.get("notes")


def test_no_folder_no_prompts() -> None:
    assert len(PromptLibrary(None)) == 0
    with pytest.raises(MediaError, match="/does/not/exist does not exist"):
        PromptLibrary("/does/not/exist")


def test_every_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not RIFF at all")
    (tmp_path / "b.wav").write_bytes(b"")
    wav(tmp_path / "c.wav", np.zeros(160, "<i2"), rate_hz=4000)
    wav(tmp_path / "d.wav", np.zeros(480, np.uint8), width=3)
    with pytest.raises(BadPrompt) as error:
        PromptLibrary(tmp_path)
    for name in "abcd":
        assert f"{name}.wav" in str(error.value)
    assert "found 16 bit, 1 channel(s), 4000 Hz" in str(error.value)


def test_truncated_file_is_no_crash(tmp_path: Path) -> None:
    path = wav(tmp_path / "cut.wav", np.zeros(8000, "<i2"))
    path.write_bytes(path.read_bytes()[:1001])
    assert PromptLibrary(tmp_path).get("cut").duration_ms == 60


def test_reload_reads_what_changed(tmp_path: Path) -> None:
    for name in ("same", "other", "gone"):
        wav(tmp_path / f"{name}.wav", np.zeros(160, "<i2"))
    library = PromptLibrary(tmp_path)
    same = library.get("same")
    wav(tmp_path / "other.wav", np.zeros(320, "<i2"))
    (tmp_path / "gone.wav").unlink()
    shutil.copy(tmp_path / "same.wav", tmp_path / "new.wav")
    changes = library.reload()
    assert changes == PromptChanges(frozenset({"new"}), frozenset({"other"}), frozenset({"gone"}))
    assert library.get("same") is same and library.get("other").duration_ms == 40 and "gone" not in library


def test_bad_reload_leaves_the_old_prompts(tmp_path: Path) -> None:
    path = wav(tmp_path / "welcome.wav", np.zeros(160, "<i2"))
    library = PromptLibrary(tmp_path)
    path.write_bytes(b"broken")
    os.utime(path, (1, 1))
    with pytest.raises(BadPrompt):
        library.reload()
    assert library.get("welcome").duration_ms == 20
