"""A site's files, texts and tones become prompts."""

from __future__ import annotations

import os
import shutil
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.codecs import pcma_decode, pcmu_decode
from media.plane import MediaError, UnknownPrompt
from media.prompt_cache import PromptCache
from media.prompts import PromptChanges, PromptLibrary, Wanted


def wav(path: Path, samples: np.ndarray[Any, Any], rate_hz: int = 8000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def tone(duration_s: float = 0.02, peak: float = 10000, rate_hz: int = 8000) -> np.ndarray[Any, Any]:
    return peak * np.sin(2 * np.pi * 1000 * np.arange(round(duration_s * rate_hz)) / rate_hz)


def test_prompt_has_both_codecs_in_whole_frames(tmp_path: Path) -> None:
    wav(tmp_path / "p.wav", tone(500 / 8000))
    prompt = PromptLibrary(tmp_path).get("p")
    pcmu, pcma = b"".join(prompt.frames("PCMU")), b"".join(prompt.frames("PCMA"))
    assert len(pcmu) == len(pcma) == 640 and prompt.duration_ms == 80
    assert np.abs(pcmu_decode(pcmu)[540:]).max() < 50  # silence fills the frame
    assert np.abs(pcmu_decode(pcmu).astype(int) - pcma_decode(pcma)).max() < 600
    with pytest.raises(KeyError):
        prompt.frames("OPUS")


def test_library_by_name(tmp_path: Path) -> None:
    wav(tmp_path / "welcome.wav", tone())
    (tmp_path / "notes.pdf").write_text("not a prompt")
    library = PromptLibrary(tmp_path)
    assert list(library) == ["welcome"] and len(library) == 1 and "welcome" in library and "notes" not in library
    assert library.problems == {}
    with pytest.raises(UnknownPrompt):
        library.get("notes")


def test_no_folder_no_prompts() -> None:
    assert len(PromptLibrary(None)) == 0
    with pytest.raises(MediaError, match="/does/not/exist does not exist"):
        PromptLibrary("/does/not/exist")


def test_every_bad_file_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not RIFF at all")
    (tmp_path / "b.wav").write_bytes(b"")
    wav(tmp_path / "c.wav", np.zeros(0))
    wav(tmp_path / "d.wav", np.zeros(8000))
    wav(tmp_path / "e.wav", tone())
    shutil.copy(tmp_path / "e.wav", tmp_path / "e.flac")
    (tmp_path / "f.txt").write_bytes(b"\xff")
    wav(tmp_path / "good.wav", tone())
    library = PromptLibrary(tmp_path)
    assert set(library) == {"good", "e"}
    told = {name: problem.replace(str(tmp_path) + "/", "") for name, problem in library.problems.items()}
    assert told.keys() == {"a", "b", "c", "d", "e", "f"}
    assert told["a"].startswith("a.wav can't be read as a sound file")
    assert told["c"] == "c.wav is empty"
    assert told["d"].startswith("d.wav is silent")
    assert told["e"] == "e.wav and e.flac are both the prompt e: one must go"
    assert told["f"] == "f.txt can't be read as text in UTF-8"


def test_reload_reads_what_changed(tmp_path: Path) -> None:
    for name in ("same", "other", "gone"):
        wav(tmp_path / f"{name}.wav", tone())
    library = PromptLibrary(tmp_path)
    same = library.get("same")
    wav(tmp_path / "other.wav", tone(0.04))
    (tmp_path / "gone.wav").unlink()
    shutil.copy(tmp_path / "same.wav", tmp_path / "new.wav")
    changes = library.reload()
    assert changes == PromptChanges(frozenset({"new"}), frozenset({"other"}), frozenset({"gone"}))
    assert library.get("same") is same and library.get("other").duration_ms == 40 and "gone" not in library


def test_a_touched_file_has_not_changed(tmp_path: Path) -> None:
    path = wav(tmp_path / "welcome.wav", tone())
    library = PromptLibrary(tmp_path)
    os.utime(path, (1, 1))
    assert library.reload() == PromptChanges(frozenset(), frozenset(), frozenset())


def test_a_file_that_went_bad_leaves_the_old_prompt(tmp_path: Path) -> None:
    path = wav(tmp_path / "welcome.wav", tone())
    library = PromptLibrary(tmp_path)
    path.write_bytes(b"broken")
    os.utime(path, (1, 1))
    library.reload()
    assert library.get("welcome").duration_ms == 20 and "welcome" in library.problems
    wav(path, tone(0.06))
    assert library.reload().changed == {"welcome"} and library.problems == {}


def test_other_codecs_make_all_anew(tmp_path: Path) -> None:
    wav(tmp_path / "welcome.wav", tone())
    library = PromptLibrary(tmp_path)
    changes = library.reload(Wanted(tmp_path, ("OPUS",), tones=frozenset({"tone:busy:gb"})))
    assert changes.changed == {"welcome"} and changes.added == {"tone:busy:gb"}
    assert len(library.get("welcome").frames("OPUS")) == 1


def test_the_bound_of_memory(tmp_path: Path) -> None:
    wav(tmp_path / "long.wav", tone(10))
    wav(tmp_path / "short.wav", tone(1))
    library = PromptLibrary(Wanted(tmp_path, memory_bytes=100_000))
    assert list(library) == ["short"] and library.size_bytes < 20_000
    assert library.problems["long"].startswith("long (10 s) takes 0 MB: all prompts together take 0 MB, more than")
    assert "long" not in library.reload().added


def test_progress_is_told(tmp_path: Path) -> None:
    for name in "abc":
        wav(tmp_path / f"{name}.wav", tone())
    told: list[tuple[int, int]] = []
    PromptLibrary(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_restart_converts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    wav(folder / "welcome.wav", tone())
    first = PromptLibrary(folder, PromptCache(tmp_path / "cache")).get("welcome").frames("PCMA")
    monkeypatch.setattr("media.audio_file.read", None)
    assert PromptLibrary(folder, PromptCache(tmp_path / "cache")).get("welcome").frames("PCMA") == first


def test_descriptors_are_closed(tmp_path: Path) -> None:
    wav(tmp_path / "welcome.wav", tone())
    library = PromptLibrary(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for length in range(2, 12):
        wav(tmp_path / "welcome.wav", tone(length / 50))
        library.reload()
    assert len(os.listdir("/proc/self/fd")) == before
