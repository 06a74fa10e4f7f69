"""Work done by a copy of the process."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.store import aside as module
from pbx.store.aside import AsideError, aside


@pytest.fixture(autouse=True)
async def buried() -> AsyncIterator[None]:
    """No copy is left, not even a dead one."""
    before = children()
    yield
    for _ in range(1000):
        if children() <= before:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(children() - before)


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


async def test_what_was_when_it_began() -> None:
    state = ["a"] * 2_000_000

    def make() -> bytes:
        time.sleep(0.05)
        return "".join(state).encode()

    making = asyncio.create_task(aside(make))
    await asyncio.sleep(0)
    turns = 0
    while not making.done():
        state[turns] = "b"
        turns += 1
        await asyncio.sleep(0.001)
    assert await making == b"a" * 2_000_000
    assert turns > 5  # this process was not in the way


async def test_the_copy_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fault() -> bytes:
        raise ZeroDivisionError

    def dies() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    for make in (fault, dies):
        with pytest.raises(AsideError, match="ended before it was done"):
            await aside(make)
    assert capfd.readouterr() == ("", "")


async def test_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_MOST_S", 0.05)

    def never() -> bytes:
        time.sleep(60)
        return b""

    with pytest.raises(AsideError, match=r"not ready within 0\.05 s"):
        await aside(never)


async def test_the_copy_holds_nothing_of_the_parent() -> None:
    """Ports and locks: the next server may want them while it is still at work."""
    opened = os.open("/dev/null", os.O_RDONLY)

    def make() -> bytes:
        held = [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
        return b" ".join(sorted(name.encode() for name in held))

    assert await aside(make) == b"0 1 2 3"  # as usual, and the pipe
    os.close(opened)


async def test_no_memory_for_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", none)
    with pytest.raises(AsideError, match="Resource temporarily unavailable"):
        await aside(lambda: b"")
