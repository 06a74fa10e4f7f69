"""Anything may arrive at a port; the loop goes on, and what is right still passes."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from media.plane import MediaPort, PortStats
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]


def rubbish(random_source: random.Random, good: bytes) -> bytes:
    """A right packet with some bytes changed, cut or prolonged; or noise."""
    if random_source.random() < 0.1:
        return random_source.randbytes(random_source.randrange(1600))
    data = bytearray(good)
    for _ in range(random_source.randrange(1, 4)):
        data[random_source.randrange(min(len(data), 20))] = random_source.randrange(256)
    cut = random_source.randrange(len(data) + 1) if random_source.random() < 0.3 else len(data)
    return bytes(data[:cut]) + random_source.randbytes(random_source.choice((0, 0, 0, 1, 3, 1500)))


async def test_rtp_and_rtcp_from_the_peer_itself(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats
) -> None:
    random_source = random.Random(4733)
    a, b = leg(), leg(payload_type=8, remote={"dtmf_payload_type": 96})
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port)
    await b.phone.receive()
    pid = plane.worker_pid
    report = struct.pack(">BBHI5I6I", 0x81, 200, 12, a.phone.ssrc, *range(5), *range(6))
    key = a.phone.packet(bytes([5, 10, 0, 160]), 101)
    for n in range(600):
        good = key if n % 3 == 0 else a.phone.packet(b"\x10" * 160)
        a.phone.rtp.sendto(rubbish(random_source, good), ("127.0.0.1", a.port.number))
        a.phone.rtcp.sendto(rubbish(random_source, report), ("127.0.0.1", a.port.number + 1))
        if n % 50 == 49:
            await asyncio.sleep(0.06)  # a port takes one packet a millisecond, and its queue is short
    await asyncio.sleep(0.05)
    b.phone.forget_heard()
    plane.echo(b.port)
    await settle()
    b.phone.send(b.port, b"\x42" * 160)
    while (heard := await b.phone.receive()).payload != b"\x42" * 160:
        pass
    assert heard.payload_type == 8
    assert plane.worker_pid == pid and plane.counters["media_worker_restarts"] == 0
    counted = await stats(a.port)
    assert counted.packets_dropped > 100 and counted.packets_received > 100
