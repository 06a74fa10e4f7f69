"""A real rtpengine, and what tests ask of a plane over it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.rtpengine import Rtpengine
from media.plane import MediaPort, PortStats
from media.prompts import PromptLibrary
from media.rtpengine.plane import RtpenginePlane
from tests.media.conftest import Phone, tone, write_wav
from tests.media.processes import until

MakePhone = Callable[..., Phone]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Rtpengine]:
    with Rtpengine() as one:
        yield one


@pytest.fixture
async def plane(daemon: Rtpengine, prompts: Path) -> AsyncIterator[RtpenginePlane]:
    write_wav(prompts / "long.wav", tone(500, 3))
    made = await plane_of(daemon, prompts)
    yield made
    await made.close()


async def plane_of(
    daemon: Rtpengine, prompts: Path | None = None, spare: int = 3, **options: Any
) -> RtpenginePlane:  # fmt: skip
    plane = RtpenginePlane(
        [(daemon.host, daemon.ng)], PromptLibrary(prompts), Counter(), keys=(daemon.host, daemon.keys), spare=spare,
        **options,
    )  # fmt: skip
    await plane.start()
    return plane


async def settle(plane: RtpenginePlane, *ports: MediaPort) -> list[PortStats]:
    """Once the counters come, everything before was told."""
    futures = []
    for port in ports:
        future: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
        plane.quality(port, future.set_result)
        futures.append(future)
    async with asyncio.timeout(30):
        stats = await asyncio.gather(*futures)
    await until(lambda: not any(cell.busy for daemon in plane.daemons for cell in daemon.cells))
    return stats


async def heard(listener: Phone, speaker: Phone, port: MediaPort, payload: bytes) -> bytes | None:
    """What of the speaker's sound the listener hears, if anything."""
    listener.forget_heard()
    for _ in range(50):
        speaker.send(port, payload)
        packets = await listener.listen(0.02)
        for packet in packets:
            if packet.payload[:1] not in (b"\xd5", b"\xff"):
                return packet.payload
    return None


def caller(plane: RtpenginePlane, phone: Phone, beside: MediaPort | None = None) -> MediaPort:
    port = plane.lease(beside)
    plane.connect(port, phone.remote())
    return port


def press(phone: Phone, port: MediaPort, event: int) -> None:
    phone.timestamp += 160
    for duration in range(160, 1000, 160):
        phone.send_key(port, event, duration)
    for _ in range(3):
        phone.send_key(port, event, 960, end=True)
    phone.timestamp += 960
