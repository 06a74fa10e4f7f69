"""Two workers: ports are shared out, legs of a call are together, and those that are not hear each other as well."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config.schema import PortRange
from media.plane import MediaPort, PortsExhausted, PortStats
from media.worker_plane import WorkerPlane, shares
from tests.media.processes import until

if TYPE_CHECKING:
    from tests.media.conftest import FreeRange, Phone

MakePhone = Callable[..., "Phone"]


@pytest.fixture
async def two(prompts: Path, tmp_path: Path, free_range: FreeRange) -> AsyncIterator[WorkerPlane]:
    plane = WorkerPlane("127.0.0.1", None, free_range(8), prompts, Counter(), workers=2, runtime=tmp_path / "run")
    await plane.start()
    yield plane
    await plane.close()


async def hears(listener: Phone, speaker: Phone, port: MediaPort, payload: bytes) -> bytes:
    listener.forget_heard()
    for _ in range(500):
        speaker.send(port, payload)
        heard = await listener.listen(0.02)
        if heard and heard[-1].payload[:1] not in (b"\xff", b"\xd5"):
            return heard[-1].payload
    raise AssertionError("not heard")


def across(plane: WorkerPlane, a: Phone, b: Phone) -> tuple[MediaPort, MediaPort]:
    first, second = plane.lease(), plane.lease()
    assert (first.worker, second.worker) == (0, 1)
    plane.connect(first, a.remote())
    plane.connect(second, b.remote())
    plane.bridge(first, second)
    return first, second


def test_shares_are_whole_pairs() -> None:
    assert shares(PortRange(20000, 20009), 2) == [PortRange(20000, 20003), PortRange(20004, 20009)]
    assert shares(PortRange(20000, 29999), 1) == [PortRange(20000, 29999)]


async def test_leases_are_spread_and_kept_together(two: WorkerPlane) -> None:
    first, second = two.lease(), two.lease()
    assert {first.worker, second.worker} == {0, 1}
    assert [two.lease(beside=first).worker for _ in range(3)] == [0, 0, 0]
    assert two.lease(beside=first).worker == 1  # better another worker than none
    assert two.free_ports == 2 and two.up
    for _ in range(2):
        two.lease()
    with pytest.raises(PortsExhausted):
        two.lease(beside=first)


async def test_bridge_between_workers(two: WorkerPlane, phone: MakePhone) -> None:
    a, b = phone(), phone(ssrc=0x99)
    first, second = across(two, a, b)
    assert await hears(b, a, first, b"\x21" * 160) == b"\x21" * 160
    assert await hears(a, b, second, b"\x22" * 160) == b"\x22" * 160
    keys: list[str] = []
    second.on_digit = keys.append
    b.send_key(second, 7, 160)
    await until(lambda: keys == ["7"])
    assert two.leased_ports == 4
    two.bridge(first, second)  # again: nothing new
    assert two.leased_ports == 4 and await hears(b, a, first, b"\x23" * 160)


async def test_transcoding_between_workers(two: WorkerPlane, phone: MakePhone) -> None:
    a, b = phone(), phone(payload_type=8, ssrc=0x99)
    first, second = across(two, a, b)
    two.connect(first, a.remote())
    heard = await hears(b, a, first, b"\x21" * 160)
    assert heard != b"\x21" * 160 and len(heard) == 160
    assert await hears(a, b, second, heard) == b"\x21" * 160


@pytest.mark.parametrize("how", ["silence", "play", "release", "bridge"])
async def test_other_source_ends_it_on_both_sides(two: WorkerPlane, phone: MakePhone, how: str) -> None:
    a, b = phone(), phone(ssrc=0x99)
    first, _ = across(two, a, b)
    await hears(b, a, first, b"\x21" * 160)
    if how == "silence":
        two.silence(first)
    elif how == "play":
        two.play(first, ["one"])
    elif how == "release":
        two.release(first)
    else:
        two.bridge(first, two.lease(beside=first))
    assert two.leased_ports == {"release": 1, "bridge": 3}.get(how, 2)
    await asyncio.sleep(0.05)
    await until(lambda: two.backlog() == (0, 0, 0.0))
    b.forget_heard()
    a.send(first, b"\x21" * 160)
    heard = await b.receive_many(4)
    assert {one.payload for one in heard} == {b"\xff" * 160}  # silence


async def test_worker_dies_and_the_other_side_falls_silent(two: WorkerPlane, phone: MakePhone) -> None:
    a, b = phone(), phone(ssrc=0x99)
    first, second = across(two, a, b)
    await hears(b, a, first, b"\x21" * 160)
    lost: list[int] = []
    first.on_lost = lambda: lost.append(first.number)
    second.on_lost = lambda: lost.append(second.number)
    pid = two.workers[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: lost == [first.number])
    assert two.leased_ports == 1
    moved = two.lease(beside=first)  # at once: of the other worker
    assert moved.worker == 1
    two.connect(moved, a.remote())
    two.bridge(moved, second)
    assert await hears(b, a, moved, b"\x24" * 160) == b"\x24" * 160
    await until(lambda: two.up and two.free_ports == 6)


async def test_no_port_left_for_the_way_between(two: WorkerPlane, phone: MakePhone) -> None:
    a, b = phone(), phone(ssrc=0x99)
    ports = [two.lease() for _ in range(8)]
    first, second = ports[0], ports[1]
    two.connect(first, a.remote())
    two.connect(second, b.remote())
    two.bridge(first, second)
    assert two.counters["media_transits_refused"] == 1
    assert (await a.receive()).payload == b"\xff" * 160


async def test_restart_between_workers(two: WorkerPlane, phone: MakePhone, tmp_path: Path, prompts: Path) -> None:
    """The way between is found again, and ends with the call."""
    a, b = phone(), phone(ssrc=0x99)
    first, second = two.lease(tag=b"a"), two.lease(tag=b"b")
    for port, one in ((first, a), (second, b)):
        two.connect(port, one.remote())
    two.bridge(first, second)
    await hears(b, a, first, b"\x21" * 160)
    await two.close(stay=True)
    plane = WorkerPlane("127.0.0.1", None, two.ports, prompts, Counter(), workers=2, runtime=tmp_path / "run")
    await plane.start()
    try:
        assert await hears(b, a, first, b"\x22" * 160)
        found = {tag.rstrip(b"\0"): port for tag, port in plane.adopted().items()}
        assert set(found) == {b"a", b"b"} and plane.leased_ports == 4
        answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
        plane.release(found[b"a"], answer.set_result)
        assert (await answer).packets_received > 0
        assert plane.leased_ports == 1
    finally:
        await plane.close()
