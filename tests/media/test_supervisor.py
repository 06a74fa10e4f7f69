"""The worker's life: killed, it comes back; hung, it is killed; without its server, it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from media import supervisor
from media.plane import PortsExhausted, PortStats
from media.worker_plane import WorkerPlane
from tests.media.processes import alive, until

if TYPE_CHECKING:
    from tests.media.conftest import FreeRange, Leg

ROOT = Path(__file__).resolve().parents[2]


def reaped(pid: int) -> bool:
    """Not even a zombie is left."""
    return not Path(f"/proc/{pid}").exists()


async def test_kill_9_during_calls(plane: WorkerPlane, leg: Callable[..., Leg]) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    lost: list[int] = []
    stats: list[PortStats] = []
    for port in (a.port, b.port):
        port.on_lost = lambda number=port.number: lost.append(number)
    killed = plane.worker_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await until(lambda: len(lost) == 2)
    assert lost == [a.port.number, b.port.number] and plane.leased_ports == 0
    with pytest.raises(PortsExhausted):
        plane.lease()
    plane.release(a.port, stats.append)  # what the call layer does when it tears the call down
    await asyncio.sleep(0)
    assert stats == [PortStats()]
    began = time.monotonic()
    await until(lambda: plane.free_ports == 8)
    assert time.monotonic() - began < 1.0
    assert plane.worker_pid != killed and not alive(killed)
    assert plane.counters["media_worker_restarts"] == 1 and plane.counters["media_ports_lost"] == 2
    c = leg()
    plane.play(c.port, ["one"])  # prompts were given to the new worker too
    assert (await c.phone.receive()).payload == plane.library.get("one").frames("PCMU")[0]


async def test_counters_asked_for_are_answered_when_the_worker_dies(plane: WorkerPlane) -> None:
    stats: list[PortStats] = []
    assert plane.worker_pid is not None
    os.kill(plane.worker_pid, signal.SIGSTOP)
    plane.release(plane.lease(), stats.append)
    await asyncio.sleep(0.02)
    os.kill(plane.worker_pid, signal.SIGKILL)
    await until(lambda: stats == [PortStats()])


async def test_hung_worker_is_replaced(plane: WorkerPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_PING_S", 0.2)  # five unanswered; on a busy machine the new one takes its time too
    assert plane.workers[0].supervisor is not None
    plane.workers[0].supervisor._ping()
    hung = plane.worker_pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    await until(lambda: plane.worker_pid not in (hung, None) and plane.free_ports == 8)
    assert not alive(hung)


async def test_signals_of_a_terminal_do_not_end_the_worker(plane: WorkerPlane) -> None:
    assert plane.worker_pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(plane.worker_pid, number)
    answered: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
    plane.release(plane.lease(), answered.set_result)
    async with asyncio.timeout(30):
        await answered
    assert plane.counters["media_worker_restarts"] == 0


async def test_close_ends_the_worker(plane: WorkerPlane) -> None:
    pid = plane.worker_pid
    assert pid is not None and alive(pid)
    plane.lease()
    began = time.monotonic()
    await plane.close()
    assert time.monotonic() - began < 1.0
    assert reaped(pid) and plane.worker_pid is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_no_orphan_when_the_server_dies(how: signal.Signals, free_range: FreeRange) -> None:
    ports = free_range(2)
    code = """if True:
        import asyncio, sys
        from config.schema import PortRange
        from media.worker_plane import WorkerPlane
        async def main():
            plane = WorkerPlane("127.0.0.1", None, PortRange(int(sys.argv[1]), int(sys.argv[2])))
            await plane.start()
            print("worker", plane.worker_pid, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """
    command = [sys.executable, "-c", code, str(ports.first), str(ports.last)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith("worker "):
                break
        pid = int(line.split()[1])
        assert alive(pid)
        server.send_signal(how)
    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)
