"""Conferences over two workers, and when one of them dies. What is mixed: tests/media/worker/test_mixer.py."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from media.plane import MediaPort
from media.worker_plane import WorkerPlane
from tests.media.processes import until

if TYPE_CHECKING:
    from tests.media.conftest import FreeRange

LOUD, QUIET = b"\x10" * 80 + b"\x90" * 80, b"\xff" * 160


@pytest.fixture
async def two(prompts: Path, tmp_path: Path, free_range: FreeRange) -> AsyncIterator[WorkerPlane]:
    plane = WorkerPlane("127.0.0.1", None, free_range(12), prompts, Counter(), workers=2, runtime=tmp_path / "run")
    await plane.start()
    yield plane
    await plane.close()


async def hears(listener: Any, speaker: Any, port: MediaPort) -> bool:
    """Something that is not silence arrives while `speaker` speaks."""
    await listener.listen(0.15)
    for _ in range(15):
        speaker.send(port, LOUD)
        await asyncio.sleep(0.02)
    heard = await listener.listen(0.02)
    return any(max(byte & 0x7F ^ 0x7F for byte in packet.payload) > 64 for packet in heard)


async def test_members_of_two_workers_hear_each_other(two: WorkerPlane, phone: Callable[..., Any]) -> None:
    phones, ports = [phone(ssrc=n) for n in range(1, 4)], [two.lease() for _ in range(3)]
    assert {port.worker for port in ports} == {0, 1}
    conference = two.open_conference()
    for one, port in zip(phones, ports, strict=True):
        two.connect(port, one.remote())
        two.join(conference, port)
    for n in range(3):
        assert await hears(phones[n], phones[n - 1], ports[n - 1])
    far = next(n for n in range(3) if ports[n].worker != conference.worker)
    two.leave(ports[far])
    assert not await hears(phones[far], phones[far - 1], ports[far - 1])
    two.join(conference, ports[far], heard_by=[])
    assert await hears(phones[far], phones[far - 1], ports[far - 1])
    assert not await hears(phones[far - 1], phones[far], ports[far])
    two.close_conference(conference)
    leased = two.leased_ports
    for port in ports:
        two.release(port)
    assert (leased, two.leased_ports) == (3, 0)


async def test_a_conference_dies_with_its_worker(two: WorkerPlane, phone: Callable[..., Any]) -> None:
    phones, ports = [phone(ssrc=n) for n in range(1, 3)], [two.lease() for _ in range(2)]
    conference = two.open_conference()
    for one, port in zip(phones, ports, strict=True):
        two.connect(port, one.remote())
        two.join(conference, port)
    lost: list[int] = []
    for n, port in enumerate(ports):
        port.on_lost = lambda n=n: lost.append(n)
    pid = two.workers[conference.worker].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: conference.lost)
    await until(lambda: lost == [0])
    two.join(conference, ports[1])
    assert two.counters["media_unknown_conference"] == 1
    two.release(ports[1])
    assert two.leased_ports == 0
