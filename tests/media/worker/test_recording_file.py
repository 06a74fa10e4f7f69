"""Recorded files: a header that players take; pieces that can be read anywhere, and by nobody without the key."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.worker.recording_file import (
    HEADER_BYTES,
    OGG_OPUS,
    PCM,
    TAG_BYTES,
    DamagedRecording,
    Decipherer,
    Encipherer,
    Header,
    NotARecording,
    WrongKey,
    wav_header,
)

KEY, CHUNK = bytes(range(32)), 100


def test_wav_header_is_what_the_wave_module_reads() -> None:
    with wave.open(io.BytesIO(wav_header(8000, 2, 8) + bytes(8))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (8000, 2, 2, 2)


def write(path: Path, plain: bytes, *, cut: bool = False, content: int = PCM) -> int:
    """The file, open for reading. `cut`: as a crash leaves it, without its last piece."""
    out = Encipherer(KEY, content, 2, 8000, CHUNK)
    data = out.header
    while len(plain) >= CHUNK:
        data += out.piece(plain[:CHUNK], last=False)
        plain = plain[CHUNK:]
    if not cut:
        data += out.piece(plain, last=True)
    path.write_bytes(data)
    return os.open(path, os.O_RDONLY)


@given(size=st.integers(0, 450), start=st.integers(0, 450), count=st.integers(0, 450))
def test_any_part_can_be_read(tmp_path_factory: pytest.TempPathFactory, size: int, start: int, count: int) -> None:
    plain = os.urandom(size)
    descriptor = write(tmp_path_factory.mktemp("part") / "one", plain)
    reader = Decipherer(descriptor, KEY)
    assert (reader.size, reader.complete) == (size, True)
    assert reader.read(start, count) == plain[start : start + count]
    os.close(descriptor)


@pytest.mark.parametrize("torn", [0, 1, TAG_BYTES, TAG_BYTES + 5])
def test_a_file_that_a_crash_cut_off_is_read_to_where_it_goes(tmp_path: Path, torn: int) -> None:
    plain = os.urandom(3 * CHUNK)
    path = tmp_path / "cut"
    os.close(write(path, plain, cut=True))
    with path.open("ab") as file:
        file.write(os.urandom(torn))
    descriptor = os.open(path, os.O_RDONLY)
    reader = Decipherer(descriptor, KEY)
    assert (reader.size, reader.complete) == (3 * CHUNK, False)
    assert reader.read(0, 10**6) == plain
    os.close(descriptor)


def test_a_shortened_file_does_not_pass_for_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "whole"
    os.close(write(path, os.urandom(3 * CHUNK + 7)))
    path.write_bytes(path.read_bytes()[: HEADER_BYTES + 2 * (CHUNK + TAG_BYTES)])
    descriptor = os.open(path, os.O_RDONLY)
    assert not Decipherer(descriptor, KEY).complete
    os.close(descriptor)


def test_the_wrong_key_is_told(tmp_path: Path) -> None:
    descriptor = write(tmp_path / "one", b"secret")
    with pytest.raises(WrongKey, match=r"another key than recordings\.key"):
        Decipherer(descriptor, bytes(32))
    os.close(descriptor)


@pytest.mark.parametrize("where", [9, 12, 16, 30, HEADER_BYTES + 3, -1])
def test_a_changed_byte_is_told(tmp_path: Path, where: int) -> None:
    path = tmp_path / "one"
    os.close(write(path, os.urandom(2 * CHUNK + 20)))
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        reader = Decipherer(descriptor, KEY)
        with pytest.raises(DamagedRecording):
            reader.read(0, 2 * CHUNK + 20)
        assert where != -1
    except (DamagedRecording, NotARecording):
        assert where != HEADER_BYTES + 3
    except BaseException as error:
        assert where == -1, error  # then it looks as if it were cut off, and is not complete
        assert not reader.complete
    finally:
        os.close(descriptor)


@given(st.binary(max_size=60))
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(NotARecording):
        Header.unpack(data)


def test_header_round_trip() -> None:
    header = Header(OGG_OPUS, 1, 16000, 65536, bytes(8), bytes(16))
    assert Header.unpack(header.pack()) == header
    assert len(header.pack()) == HEADER_BYTES
