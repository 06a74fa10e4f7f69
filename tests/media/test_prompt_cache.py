"""Converted prompts are kept, whoever writes at the same time and whatever happens to the files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from media.plane import BadPrompt
from media.prompt_cache import PromptCache, default_folder


class Maker:
    """Writes the content and counts how often it was asked to."""

    def __init__(self, content: bytes = b"sound" * 100_000) -> None:
        self.content, self.asked = content, 0

    def __call__(self, file: BinaryIO) -> None:
        self.asked += 1
        file.write(self.content)
        file.flush()


def load(cache: PromptCache, make: Maker, key: str = "k") -> bytes:
    descriptor = cache.load(key, make)
    try:
        return os.pread(descriptor, 10_000_000, 0)
    finally:
        os.close(descriptor)


def test_made_once(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(3):
        assert load(PromptCache(tmp_path / "new" / "folder"), make) == make.content
    assert make.asked == 1


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "longer"])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    make = Maker()
    load(PromptCache(tmp_path), make)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes({
        "cut": whole[:-5], "flip": b"S" + whole[1:], "empty": b"", "longer": whole + b"x",
    }[damage])  # fmt: skip
    assert load(PromptCache(tmp_path), make) == make.content and make.asked == 2
    assert path.read_bytes() == whole
    assert "damaged" in capsys.readouterr().out


def test_many_writers_at_once(tmp_path: Path) -> None:
    make = Maker()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: load(PromptCache(tmp_path), make), range(32))) == {make.content}
    assert [path.name for path in tmp_path.iterdir()] == ["k.prompt"]


def test_a_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    cache, make = PromptCache(tmp_path / "file" / "below"), Maker()
    assert load(cache, make) == load(cache, make) == make.content
    assert make.asked == 2
    assert capsys.readouterr().out.count("not kept") == 1


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        raise BadPrompt("is empty")

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BadPrompt):
        PromptCache(tmp_path).load("k", fail)
    assert not list(tmp_path.iterdir()) and len(os.listdir("/proc/self/fd")) == before


def test_nobody_can_change_what_the_worker_reads(tmp_path: Path) -> None:
    descriptor = PromptCache(None).load("k", Maker())
    try:
        for change in (lambda: os.ftruncate(descriptor, 1), lambda: os.pwrite(descriptor, b"x", 0)):
            with pytest.raises(PermissionError):
                change()
    finally:
        os.close(descriptor)


def test_the_folder_does_not_grow_for_ever(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path)
    for n in range(5):
        load(cache, Maker(b"x" * 968), f"k{n}")
        os.utime(tmp_path / f"k{n}.prompt", (1000 + n, 1000 + n))
    load(cache, Maker(), "k0")  # used again
    cache.prune(3500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k0.prompt", "k3.prompt", "k4.prompt"]


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder() == Path("/home/x/.cache/plateau/prompts")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert default_folder() == Path("/c/plateau/prompts")
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/plateau:/other")
    assert default_folder() == Path("/var/cache/plateau/prompts")
