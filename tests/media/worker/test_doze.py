"""A peer that is played to and says nothing is not waited for, and yet heard soon, whoever he is."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from media.plane import MediaPort, PortStats
from media.worker_plane import WorkerPlane
from tests.media.processes import until

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Phone

MakeLeg = Callable[..., "Leg"]
MakePhone = Callable[..., "Phone"]
Stats = Callable[[MediaPort], Awaitable[PortStats]]


def watched(plane: WorkerPlane) -> int:
    """Descriptors in the epoll of the worker's loop."""
    process = Path(f"/proc/{plane.worker_pid}")
    polls = [one.name for one in (process / "fd").iterdir() if "eventpoll" in os.readlink(one)]
    return max((process / "fdinfo" / name).read_text().count("tfd:") for name in polls)


async def dozing(plane: WorkerPlane, *legs: Leg) -> int:
    """Play until nobody waits for what these phones say; how many descriptors were watched before."""
    for leg in legs:
        plane.play(leg.port, ["one"], loop=True)
    await asyncio.gather(*(leg.phone.receive() for leg in legs))
    before = watched(plane)
    await until(lambda: watched(plane) == before - len(legs))
    return before


async def test_a_silent_listener_is_heard_when_he_speaks(plane: WorkerPlane, leg: MakeLeg, stats: Stats) -> None:
    a = leg()
    before = await dozing(plane, a)
    key: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    a.port.on_digit = key.set_result
    a.phone.send_key(a.port, 7, 160)
    assert await asyncio.wait_for(key, 30) == "7"
    assert watched(plane) == before
    for _ in range(50):
        a.phone.send(a.port)
        await asyncio.sleep(0.01)
    assert watched(plane) == before  # who speaks is waited for
    counted = await stats(a.port)
    assert (counted.packets_received, counted.packets_dropped) == (51, 0)


async def test_what_came_meanwhile_is_no_jitter(plane: WorkerPlane, leg: MakeLeg, stats: Stats) -> None:
    a = leg()
    before = await dozing(plane, a)
    pid = plane.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # so that it looks when all are there
    for _ in range(4):
        a.phone.send(a.port)
        a.phone.timestamp += 4000
    os.kill(pid, signal.SIGCONT)
    await until(lambda: watched(plane) == before)
    counted = await stats(a.port)
    assert counted.packets_received == 4 and counted.jitter_ms == 0


async def test_a_bridge_wakes_both(plane: WorkerPlane, leg: MakeLeg) -> None:
    a, b = leg(), leg()
    before = await dozing(plane, a, b)
    plane.bridge(a.port, b.port)
    await until(lambda: watched(plane) == before)
    await asyncio.sleep(0.05)
    for one, other in ((a, b), (b, a)):
        other.phone.forget_heard()
        one.phone.send(one.port, b"w" * 160)
        assert (await other.phone.receive()).payload == b"w" * 160


async def test_strangers_are_none_the_nearer(plane: WorkerPlane, leg: MakeLeg, phone: MakePhone) -> None:
    """Nothing is reflected to who sends at random; who sends a run from the negotiated host is behind NAT."""
    a, stranger, translated = leg(), phone(), phone(ssrc=9)
    await dozing(plane, a)
    for _ in range(20):
        stranger.seq += 1
        stranger.send(a.port)
    assert await stranger.hears_nothing(0.5)
    a.phone.forget_heard()
    assert await a.phone.receive()
    for _ in range(5):
        translated.send(a.port)
    assert await translated.receive()
    await asyncio.sleep(0.05)
    a.phone.forget_heard()
    assert await a.phone.hears_nothing()


async def test_the_next_lease_is_waited_for(plane: WorkerPlane, leg: MakeLeg, stats: Stats) -> None:
    a = leg()
    before = await dozing(plane, a)
    number = a.port.number
    await stats(a.port)
    assert watched(plane) == before - 2
    legs = [leg() for _ in range(8)]
    again = next(one for one in legs if one.port.number == number)
    plane.echo(again.port)
    await until(lambda: watched(plane) == before - 2 + 16)
    again.phone.send(again.port, b"e" * 160)
    assert (await again.phone.receive()).payload == b"e" * 160
