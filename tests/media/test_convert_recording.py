"""From WAV to Ogg/Opus, and what others read of either."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from media.convert_recording import convert
from media.recorded import OPUS, WAV, RecordedFile
from media.worker.recording_file import PCM, Encipherer, NotARecording, RecordingError, WrongKey, wav_header

KEY = bytes(range(32))
RATE = 8000


def stereo(seconds: float = 1.3) -> np.ndarray[Any, Any]:
    """500 Hz left, 1100 Hz right."""
    at = np.arange(round(seconds * RATE)) / RATE
    sides = [8000 * np.sin(2 * np.pi * hz * at) for hz in (500, 1100)]
    return np.stack(sides, 1).astype("<i2")


def store(path: Path, sound: np.ndarray[Any, Any], key: bytes) -> str:
    data = sound.tobytes()
    if key:
        out = Encipherer(key, PCM, 2, RATE, 16_000)
        whole = len(data) // 16_000 * 16_000
        pieces = [out.piece(data[at : at + 16_000], last=False) for at in range(0, whole, 16_000)]
        path.write_bytes(out.header + b"".join(pieces) + out.piece(data[whole:], last=True))
    else:
        path.write_bytes(wav_header(RATE, 2, len(data)) + data)
    return str(path)


def pitch(samples: np.ndarray[Any, Any], rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


@pytest.mark.parametrize("key", [b"", KEY])
def test_the_sound_is_the_same(tmp_path: Path, key: bytes) -> None:
    source, target = store(tmp_path / "a.wav", stereo(), key), str(tmp_path / "a.opus")
    size = convert(source, target, key)
    assert size == os.stat(target).st_size and stat.S_IMODE(os.stat(target).st_mode) == 0o600
    assert os.path.exists(source) and not os.path.exists(f"{target}.part")
    with RecordedFile(target, key) as recorded:
        assert recorded.media_type == OPUS and recorded.complete
        ogg = recorded.read(0, recorded.size)
    with av.open(io.BytesIO(ogg), "r") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    sound = np.concatenate(frames, axis=1)
    assert sound.shape[0] == 2 and abs(sound.shape[1] - 1.3 * 48_000) < 48 * 30
    assert [round(pitch(side, 48_000), -1) for side in sound] == [500, 1100]


@pytest.mark.parametrize("key", [b"", KEY])
def test_any_part_of_a_wav(tmp_path: Path, key: bytes) -> None:
    sound = stereo()
    with RecordedFile(store(tmp_path / "a.wav", sound, key), key) as recorded:
        assert recorded.media_type == WAV and abs(recorded.duration_s - 1.3) < 0.001
        whole = recorded.read(0, recorded.size)
        for start, size in ((0, 10), (40, 10), (44, 100), (15_990, 200), (recorded.size - 5, 100), (10**9, 5)):
            assert recorded.read(start, size) == whole[start : start + size]
    with wave.open(io.BytesIO(whole)) as file:
        assert file.getnframes() == len(sound) and file.readframes(10**6) == sound.tobytes()


def test_a_header_older_than_its_sound(tmp_path: Path) -> None:
    """A crash came between the two."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(RATE, 2, 100) + bytes(400))
    with RecordedFile(str(path)) as recorded, wave.open(io.BytesIO(recorded.read(0, 1000))) as file:
        assert file.getnframes() == 100


def test_what_can_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    enciphered = store(tmp_path / "e", stereo(), KEY)
    with pytest.raises(RecordingError, match="No such file"):
        RecordedFile(str(path))
    path.write_bytes(b"no sound")
    with pytest.raises(NotARecording):
        RecordedFile(str(path))
    for at, damage in ((22, bytes(2)), (24, b"\xff" * 4)):  # no channels; a rate that no header can hold
        head = bytearray(wav_header(RATE, 2, 100))
        head[at : at + len(damage)] = damage
        path.write_bytes(head)
        with pytest.raises(NotARecording, match="damaged"):
            RecordedFile(str(path))
    with pytest.raises(WrongKey, match=r"has no recordings\.key"):
        RecordedFile(enciphered)
    with pytest.raises(WrongKey, match="another key"):
        RecordedFile(enciphered, bytes(32))
    (tmp_path / "link").symlink_to(enciphered)
    with pytest.raises(RecordingError):
        RecordedFile(str(tmp_path / "link"), KEY)


def test_as_a_process(tmp_path: Path) -> None:
    source = store(tmp_path / "a.wav", stereo(), b"")
    command = [sys.executable, "-m", "media.convert_recording"]
    order = {"source": source, "target": str(tmp_path / "a.opus"), "key": ""}
    done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, check=False)
    assert (done.returncode, int(done.stdout)) == (0, (tmp_path / "a.opus").stat().st_size), done.stderr
    order["source"] = str(tmp_path / "none")
    done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}/none: No such file or directory\n")
