"""The pool and the leases of `WorkerPlane`, over a real worker."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config.schema import PortRange
from media.codecs import pcmu_decode
from media.plane import MediaError, MediaPlane, MediaPort, PortsExhausted, PortStats, RemoteMedia, WorkerFailed
from media.prompts import PromptLibrary, Wanted
from media.speech import Speaker
from media.worker_plane import WorkerPlane
from tests.media.processes import until

if TYPE_CHECKING:
    from tests.media.conftest import FreeRange, Phone

MakePlane = Callable[[int], Awaitable[WorkerPlane]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]
ROOT = Path(__file__).resolve().parents[2]


async def test_is_a_media_plane(plane: WorkerPlane) -> None:
    interface: MediaPlane = plane
    assert interface.lease().host == "127.0.0.1"


async def test_pool_is_first_in_first_out_and_ends(plane: WorkerPlane) -> None:
    first = plane.ports.first
    ports = [plane.lease() for _ in range(8)]
    assert [port.number for port in ports] == list(range(first, first + 16, 2))
    assert (plane.free_ports, plane.leased_ports) == (0, 8)
    with pytest.raises(PortsExhausted):
        plane.lease()
    plane.release(ports[5])
    plane.release(ports[2])
    assert [plane.lease().number, plane.lease().number] == [ports[5].number, ports[2].number]
    assert plane.counters["media_ports_exhausted"] == 1


async def test_old_leases_are_ignored(plane: WorkerPlane, stats: Stats, phone: Callable[..., Phone]) -> None:
    old = plane.lease()
    await stats(old)
    for _ in range(8):
        new = plane.lease()  # among them the same number again
    assert plane.counters["media_unknown_port"] == 0
    plane.echo(old)
    plane.silence(old)
    plane.connect(old, phone().remote())
    plane.bridge(old, new)
    plane.bridge(new, old)
    plane.play(old, ["one"])
    plane.send_digit(old, "1")
    assert await stats(old) == PortStats()
    assert plane.counters["media_unknown_port"] == 8
    assert plane.leased_ports == 8


async def test_advertised_address(prompts: Path) -> None:
    plane = WorkerPlane("127.0.0.1", "198.51.100.4", PortRange(40000, 40001), PromptLibrary(prompts))
    assert plane.advertise == "198.51.100.4"
    await plane.close()  # never started: nothing to do


async def test_host_must_be_an_address() -> None:
    with pytest.raises(MediaError, match=r"'pbx\.example\.com' is not an IP address"):
        WorkerPlane("pbx.example.com", None, PortRange(40000, 40001))


async def test_ports_in_use_are_left_out(make_plane: MakePlane) -> None:
    probe = await make_plane(4)
    ports = probe.ports
    await probe.close()
    kind = socket.AF_INET, socket.SOCK_DGRAM
    with socket.socket(*kind) as rtp, socket.socket(*kind) as rtcp:
        rtp.bind(("127.0.0.1", ports.first + 2))
        rtcp.bind(("127.0.0.1", ports.first + 7))
        plane = WorkerPlane("127.0.0.1", None, ports, None, Counter())
        await plane.start()
        assert plane.counters["media_ports_unavailable"] == 2
        assert [plane.lease().number for _ in range(plane.free_ports)] == [ports.first, ports.first + 4]
        await plane.close()


async def test_no_port_at_all_is_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        first = one.getsockname()[1] & ~1
        plane = WorkerPlane("127.0.0.1", None, PortRange(first, first + 1))
        with pytest.raises(WorkerFailed, match="Address already in use"):
            await plane.start()
    assert plane.worker_pid is None


async def test_address_of_another_machine() -> None:
    with pytest.raises(WorkerFailed, match="Cannot assign requested address"):
        await WorkerPlane("192.0.2.1", None, PortRange(40000, 40003)).start()


def test_range_beyond_the_descriptor_limit() -> None:
    """In a process of its own, with a hard limit of 64 descriptors: what fits is opened, and a log line says so."""
    code = """if True:
        import asyncio, resource
        from config.schema import PortRange
        from media.worker_plane import WorkerPlane
        async def main():
            plane = WorkerPlane("127.0.0.1", None, PortRange(52000, 52199))
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            await plane.start()
            print("pairs open:", plane.free_ports)
            await plane.close()
        asyncio.run(main())
    """
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    opened = int(done.stdout.split("pairs open: ")[1])
    assert 20 <= opened <= 32
    assert "too few descriptors" in done.stdout


async def test_callback_that_fails_is_counted(plane: WorkerPlane) -> None:
    port, other = plane.lease(), plane.lease()
    played: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def fail(_: int) -> None:
        raise RuntimeError("a fault of the call layer")

    port.on_played, other.on_played = fail, played.set_result
    plane.play(port, [])
    play_id = plane.play(other, [])
    async with asyncio.timeout(30):
        assert await played == play_id
    assert plane.counters["media_callback_errors"] == 1


async def test_commands_of_a_moment_leave_in_one_write(plane: WorkerPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = RemoteMedia("127.0.0.1", 9, "PCMU", 0)
    written: list[int] = []
    supervisor = plane.workers[0].supervisor
    assert supervisor is not None
    link = supervisor.link
    assert link is not None and link._socket is not None
    connection = link._socket

    class Spy:
        recv = staticmethod(connection.recv)

        def send(self, message: bytes) -> int:
            written.append(len(message))
            return connection.send(message)

    await asyncio.sleep(0.05)  # prompts
    await until(lambda: plane.backlog() == (0, 0, 0.0))
    monkeypatch.setattr(link, "_socket", Spy())
    for _ in range(5):
        plane.connect(plane.lease(), remote)
        await asyncio.sleep(0)
    await until(lambda: bool(written))  # and no longer: the worker is asked once a second whether it lives
    monkeypatch.undo()
    assert written == [10 * 96]


async def test_thousands_of_commands_in_a_turn(plane: WorkerPlane, stats: Stats) -> None:
    """More than one message, more than the socket takes at once: all arrive, in order."""
    port = plane.lease()
    last_played = asyncio.Event()
    for _ in range(3000):
        plane.silence(port)
    last = plane.play(port, [])
    port.on_played = lambda play_id: last_played.set() if play_id == last else None
    async with asyncio.timeout(30):
        await last_played.wait()
    await stats(port)


async def test_no_cycles_on_the_path_of_a_call(plane: WorkerPlane, stats: Stats) -> None:
    await stats(plane.lease())
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            port = plane.lease()
            port.on_digit = lambda digit: None
            plane.connect(port, RemoteMedia("127.0.0.1", 9, "PCMU", 0))
            plane.play(port, ["one"])
            plane.release(port)
        del port
        before = len(gc.get_objects())
        gc.collect()
        assert before - len(gc.get_objects()) < 50
    finally:
        gc.enable()


async def test_a_text_of_a_call(
    prompts: Path, phone: Callable[..., Phone], free_range: FreeRange
) -> None:
    """Spoken, heard, and there again when the worker was killed."""
    speaker = Speaker("espeak-ng", "en-gb")
    plane = WorkerPlane("127.0.0.1", None, free_range(2), PromptLibrary(Wanted(prompts, speaker=speaker)), Counter())
    await plane.start()
    try:
        for _ in range(2):
            ready: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
            plane.speak("One.", None, ready.set_result)
            name = await ready
            assert name is not None and plane.has_prompt(name)
            one, port = phone(), plane.lease()
            plane.connect(port, one.remote())
            plane.play(port, [name])
            packets = await one.receive_many(15)
            assert max(abs(pcmu_decode(packet.payload).astype(int)).max() for packet in packets) > 2000
            pid = plane.worker_pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                while plane.worker_pid in (pid, None) or not plane.free_ports:  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.02)
    finally:
        await plane.close()


async def test_both_families(
    prompts: Path, phone: Callable[..., Phone], free_range: FreeRange
) -> None:
    """Bound to "::" a port takes IPv4 too: an IPv6 phone talks with an IPv4 one, and RTCP reaches both."""
    plane = WorkerPlane("::", None, free_range(4), PromptLibrary(prompts))
    await plane.start()
    try:
        legs = [(one, plane.lease()) for one in (phone(), phone(host="::1", ssrc=0x99))]
        for one, port in legs:
            plane.connect(port, one.remote())
        plane.bridge(legs[0][1], legs[1][1])
        for (one, port), (other, _) in (legs, legs[::-1]):
            for _ in range(10):
                one.send(port)
                await asyncio.sleep(0.01)
            assert {packet.payload for packet in await other.listen(0.1)} == {b"\x10" * 160}
        for one, port in legs:
            plane.release(port)
            assert (await one.receive_rtcp())[1] in (200, 201)  # the report that goes with BYE
    finally:
        await plane.close()
