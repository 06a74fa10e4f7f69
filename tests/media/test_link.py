"""The socket between server and worker: every command is answered, queues are bounded, garbage harms nobody."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from media import link, records, supervisor
from media.link import Link
from media.plane import MediaPort, PortStats
from media.worker_plane import WorkerPlane
from tests.media.processes import alive, until

if TYPE_CHECKING:
    from tests.media.conftest import Leg

MakeLeg = Callable[..., "Leg"]
MakePlane = Callable[..., Awaitable[WorkerPlane]]
Settle = Callable[[], Awaitable[None]]


def link_of(plane: WorkerPlane) -> Link:
    supervisor = plane.workers[0].supervisor
    assert supervisor is not None and supervisor.link is not None
    return supervisor.link


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def test_every_command_is_acknowledged(plane: WorkerPlane) -> None:
    port = plane.lease()
    for _ in range(2000):
        plane.silence(port)
    await asyncio.sleep(0.01)
    await until(lambda: plane.backlog() == (0, 0, 0.0))
    assert plane.counters["media_refused_stale"] == 0


async def test_refused_commands_say_why(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a = leg(remote={"dtmf_payload_type": None})
    plane.send_digit(a.port, "1")  # the peer takes no keys
    worker = plane.workers[0]
    worker.send(records.silence(0, 999_999))  # another lease
    worker.send(records.silence(5000, 1))  # no such port
    known = records.silence(worker.place_of(a.port), a.port.generation)
    worker.send(b"\xee" + known[1:])
    await settle()
    refused = {name: count for name, count in plane.counters.items() if name.startswith("media_refused")}
    assert refused == {"media_refused_impossible": 1, "media_refused_stale": 1, "media_refused_unknown": 2}


async def test_backlog_is_visible_and_bounded(plane: WorkerPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not read: what waits is seen, and when it is too much the worker is replaced."""
    monkeypatch.setattr(link, "UNSENT_MOST", 20_000)
    port, pid = plane.lease(), plane.worker_pid
    assert pid is not None
    await until(lambda: plane.backlog().unacknowledged == 0)
    os.kill(pid, signal.SIGSTOP)
    for _ in range(15_000):
        plane.silence(port)
    await asyncio.sleep(0.05)
    backlog = plane.backlog()
    assert backlog.unsent_messages > 10 and backlog.unacknowledged > 512 and backlog.oldest_s > 0.02
    for _ in range(25_000):
        plane.silence(port)
    await until(lambda: plane.worker_pid not in (pid, None) and plane.free_ports == 8)
    await until(lambda: plane.backlog() == (0, 0, 0.0) and not alive(pid))


async def test_server_that_stops_reading(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys without end: the sound goes on, the worker does not grow, and all is well when the server reads again."""
    a, b, *others = [leg(ssrc=number) for number in range(1, 8)]
    plane.bridge(a.port, b.port)
    await settle()
    keys: list[str] = []
    for one in others:
        one.port.on_digit = keys.append
    pid, link = plane.worker_pid, link_of(plane)
    assert pid is not None and link._socket is not None
    monkeypatch.setattr(supervisor, "_PING_S", 60.0)  # it can't be seen that the worker lives
    before = rss_bytes(pid)
    asyncio.get_running_loop().remove_reader(link._socket)
    for n in range(2400):  # more than the socket and the worker's queue hold; the loop takes one a port and millisecond
        for one in others:
            one.phone.timestamp = n * 1000
            one.phone.send_key(one.port, n % 10, 160, end=True)
        await asyncio.sleep(0.001)
    b.phone.send(b.port, b"\x44" * 160)
    assert (await a.phone.receive()).payload == b"\x44" * 160
    assert rss_bytes(pid) - before < 2_000_000
    asyncio.get_running_loop().add_reader(link._socket, link._read)
    await settle()
    plane.workers[0].send(records.ping())
    await until(lambda: plane.counters["media_events_dropped"] > 0)
    # Each key is an event when it begins and one when it ends.
    assert (8192 - 1024) // 2 <= len(keys) < 6_000 and plane.worker_pid == pid


@pytest.mark.parametrize("seed", range(4))
async def test_garbage_on_the_socket(make_plane: MakePlane, phone: Callable[..., object], seed: int) -> None:
    """Whatever is written to it, the worker keeps its sound; at worst it takes that for the end of its server."""
    dice = random.Random(seed)
    plane = await make_plane(4)
    pid = plane.worker_pid
    worker, one = plane.workers[0], link_of(plane)._socket
    assert one is not None and pid is not None
    for _ in range(2000):  # well-formed nonsense
        record = bytearray(dice.randbytes(records.COMMAND_BYTES))
        record[0] = dice.choice([3, 4, 5, 6, 7, 8, 10, 11, 14, 15, 99, 255])  # not a lease, nor an end
        record[4:8] = struct.pack("=I", dice.choice([0, 1, 2, 3, 4, dice.getrandbits(32)]))
        record[8:12] = struct.pack("=I", dice.choice([0, 1, 2, dice.getrandbits(32)]))
        worker.send(bytes(record))
    port = plane.lease()
    answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
    plane.quality(port, answer.set_result)
    async with asyncio.timeout(30):
        await answer
    assert plane.worker_pid == pid
    one.send(dice.randbytes(dice.choice([1, 3, 95, 97, 1000])))  # records of no size
    await until(lambda: plane.worker_pid not in (pid, None) and plane.free_ports == 4)
    await plane.close()


async def test_first_word_must_be_hello(plane: WorkerPlane) -> None:
    """A second server waits in the backlog and is not heard while one is served."""
    supervisor = plane.workers[0].supervisor
    assert supervisor is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(str(supervisor._at.socket))
        stranger.send(records.stop())
        stranger.setblocking(False)
        await asyncio.sleep(0.05)
        with pytest.raises(BlockingIOError):
            stranger.recv(100)
    port: MediaPort = plane.lease()
    assert port.number and plane.worker_pid is not None and plane.counters["media_worker_restarts"] == 0
