"""The sound outlives the server: killed or restarted, the next one finds the worker and its ports."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import wave
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from config.schema import PortRange
from media import records
from media.plane import MediaPort, PortStats, RecordingEvent, RecordingOrder, WorkerFailed
from media.worker_plane import WorkerPlane
from tests.media.processes import alive, until

if TYPE_CHECKING:
    from tests.media.conftest import FreeRange, Phone

MakePhone = Callable[..., "Phone"]
Start = Callable[..., Awaitable[WorkerPlane]]
ROOT = Path(__file__).resolve().parents[2]
TAG_A, TAG_B = b"leg A".ljust(16, b"\0"), b"leg B".ljust(16, b"\0")


@pytest.fixture
def ports(free_range: FreeRange) -> PortRange:
    return free_range(8)


@pytest.fixture
async def start(tmp_path: Path, ports: PortRange, prompts: Path) -> AsyncIterator[Start]:
    """Starts a plane on the one runtime folder; whatever is left at the end is stopped."""
    made: list[WorkerPlane] = []

    async def one(**changes: Any) -> WorkerPlane:
        values: dict[str, Any] = {"runtime": tmp_path / "run", "grace_s": 20.0, "ports": ports} | changes
        plane = WorkerPlane("127.0.0.1", None, values.pop("ports"), prompts, Counter(), **values)
        await plane.start()
        made.append(plane)
        return plane

    yield one
    for plane in made:
        await plane.close()
    for path in (tmp_path / "run").glob("*.json"):  # of servers that were "killed" and not followed
        pid = int(path.read_text().split('"pid": ')[1].split(",")[0])
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


async def gone(pid: int, within_s: float = 30.0) -> None:
    await until(lambda: not alive(pid), within_s)


async def call(plane: WorkerPlane, phone: MakePhone) -> tuple[Phone, MediaPort, Phone, MediaPort]:
    a, b = phone(), phone(ssrc=0x99)
    first = plane.lease(tag=TAG_A)
    second = plane.lease(beside=first, tag=TAG_B)
    plane.connect(first, a.remote())
    plane.connect(second, b.remote())
    plane.bridge(first, second)
    await talk(a, first, b, second)
    return a, first, b, second


async def talk(a: Phone, first: MediaPort, b: Phone, second: MediaPort) -> None:
    """Both hear each other."""
    for one, port, other in ((a, first, b), (b, second, a)):
        for attempt in range(500):
            one.send(port, bytes([0x20 + attempt % 5]) * 160)
            if await other.listen(0.02):
                break
        else:
            raise AssertionError("not heard")


async def stats_of(plane: WorkerPlane, port: MediaPort, ask: str = "release") -> PortStats:
    answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
    getattr(plane, ask)(port, answer.set_result)
    async with asyncio.timeout(30):
        return await answer


async def test_sound_flows_on_and_ports_are_adopted(start: Start, phone: MakePhone) -> None:
    plane = await start()
    pid = plane.worker_pid
    a, first, b, second = await call(plane, phone)
    await plane.close(stay=True)
    await talk(a, first, b, second)  # nobody serves the worker
    plane = await start()
    assert plane.worker_pid == pid and plane.leased_ports == 2 and plane.free_ports == 6
    await talk(a, first, b, second)
    found = plane.adopted()
    assert set(found) == {TAG_A, TAG_B}
    again, other = found.pop(TAG_A), found.pop(TAG_B)
    assert (again.number, again.generation, again.doing) == (first.number, first.generation, "bridge")
    assert plane.workers[0].remotes[again.number] == a.remote(rtcp_port=None)
    numbers = {plane.lease().number for _ in range(6)}
    assert first.number not in numbers and second.number not in numbers
    keys: list[str] = []
    again.on_digit = keys.append
    a.send_key(again, 5, 160)
    await b.receive()
    plane.bridge(again, other)  # what it does already: no harm
    await talk(a, again, b, other)
    stats = await stats_of(plane, again)
    assert keys == ["5"] and stats.packets_received >= 3 and stats.packets_sent >= 3
    assert plane.counters["media_unknown_port"] == 0


async def test_a_recording_is_taken_over(start: Start, phone: MakePhone, tmp_path: Path) -> None:
    """The end of the one that the dead server began is not taken for the end of the next server's on the same port."""
    plane = await start()
    a, first, b, second = await call(plane, phone)
    before: list[RecordingEvent] = []
    plane.mask(plane.record(first, RecordingOrder(str(tmp_path), "one.wav"), before.append), True)
    await until(lambda: [event.kind for event in before] == ["masked", "started"])
    await plane.close(stay=True)
    plane = await start()
    again, told = plane.adopted()[TAG_A], list[RecordingEvent]()
    recording = plane.record(again, RecordingOrder(str(tmp_path), "two.wav"), told.append)
    await until(lambda: [event.kind for event in told] == ["masked", "started"])
    await until(lambda: sound_of(tmp_path / "one.wav")[1] > 0)
    plane.mask(recording, False)
    await until(lambda: told[-1].kind == "unmasked")
    await talk(a, again, b, second)
    await asyncio.sleep(1)
    assert told[-1].kind == "unmasked"
    plane.stop_recording(recording)
    await until(lambda: told[-1].kind == "ended")
    assert not sound_of(tmp_path / "one.wav")[0] and sound_of(tmp_path / "two.wav")[0]


def sound_of(path: Path) -> tuple[bool, int]:
    """Whether there is any in a recording, and how much of it."""
    with wave.open(str(path)) as file:
        samples = file.readframes(file.getnframes())
    return any(samples), len(samples)


async def test_music_plays_on(start: Start, phone: MakePhone) -> None:
    plane = await start()
    port, listener = plane.lease(tag=TAG_A), phone()
    plane.connect(port, listener.remote())
    plane.play(port, ["one", "two"], loop=True)
    await listener.receive()
    await plane.close(stay=True)
    listener.forget_heard()
    before = [await listener.receive() for _ in range(8)]
    plane = await start()
    after = [await listener.receive() for _ in range(8)]
    assert plane.adopted()[TAG_A].doing == "prompts"
    assert {one.ssrc for one in before + after} == {before[0].ssrc}
    assert len({one.payload for one in before}) > 1


async def test_unclaimed_ports_are_released_after_the_grace(start: Start, phone: MakePhone) -> None:
    plane = await start()
    await call(plane, phone)
    plane.lease()  # without a tag: nobody can claim it
    await plane.close(stay=True)
    plane = await start(grace_s=1.0)
    claimed = plane.adopted().pop(TAG_B)
    await until(lambda: plane.free_ports == 7)
    assert plane.leased_ports == 1 and plane.free_ports == 7 and plane.adopted() == {}
    assert plane.counters["media_ports_adopted"] == 3 and plane.counters["media_ports_unclaimed"] == 2
    assert (await stats_of(plane, claimed)).packets_received > 0


async def test_nobody_comes_within_the_grace(start: Start, phone: MakePhone, tmp_path: Path) -> None:
    plane = await start(grace_s=1.5)
    pid = plane.worker_pid
    a, *_ = await call(plane, phone)
    assert pid is not None
    await plane.close(stay=True)
    assert alive(pid)
    await gone(pid)
    reports = [await a.receive_rtcp()]
    assert any(b"\x81\xcb" in report for report in reports)  # BYE
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["plateau.lock"]


async def test_without_leases_it_ends_at_once(start: Start) -> None:
    plane = await start()
    pid = plane.worker_pid
    assert pid is not None
    await plane.close(stay=True)
    await gone(pid, 10.0)


async def test_clean_stop_ends_it_at_once(start: Start, phone: MakePhone) -> None:
    plane = await start()
    pid = plane.worker_pid
    await call(plane, phone)
    await plane.close()
    assert pid is not None and not alive(pid)


async def test_one_server_a_site(start: Start) -> None:
    plane = await start()
    pid = plane.worker_pid
    with pytest.raises(WorkerFailed, match="another server of this site"):
        await start()
    assert plane.worker_pid == pid


async def test_socket_is_for_this_user_alone(start: Start, tmp_path: Path) -> None:
    await start()
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "run").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


async def test_folder_open_to_others_is_refused(tmp_path: Path, start: Start) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    with pytest.raises(WorkerFailed, match="ours alone"):
        await start()


def speak_otherwise_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker that is met is of version 77, and so are we to it."""
    version_of, hello = records.version_of, records.hello
    met: list[bytes] = []

    def version(message: bytes) -> int:
        met.append(message)
        return 77 if len(met) == 1 else version_of(message)

    def greet(grace_s: float) -> bytes:
        record = hello(grace_s)
        return record if met else record[:2] + b"\x4d\0" + record[4:]

    monkeypatch.setattr(records, "version_of", version)
    monkeypatch.setattr(records, "hello", greet)


async def test_worker_of_another_version_finishes_its_calls(
    start: Start, phone: MakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = await start(grace_s=4.0)
    old = plane.worker_pid
    a, first, b, second = await call(plane, phone)
    await plane.close(stay=True)
    speak_otherwise_once(monkeypatch)
    plane = await start()
    assert old is not None and plane.worker_pid != old and alive(old)
    assert plane.free_ports == 6 and plane.leased_ports == 0  # the rest of the range
    await talk(a, first, b, second)
    await gone(old)  # nobody sends any more: its calls are over
    plane.workers[0]._open_missing()
    await until(lambda: plane.free_ports == 8)


async def test_worker_of_another_site_file_keeps_its_calls(start: Start, phone: MakePhone, ports: PortRange) -> None:
    plane = await start()
    old = plane.worker_pid
    a, first, b, second = await call(plane, phone)
    await plane.close(stay=True)
    plane = await start(ports=PortRange(ports.first, ports.first + 7))  # four pairs, two of them in use
    assert plane.worker_pid != old and len(plane.workers) == 2
    assert plane.leased_ports == 2 and plane.free_ports == 2
    await talk(a, first, b, second)
    for port in list(plane.adopted().values()):
        assert (await stats_of(plane, port)).packets_received > 0
    assert old is not None
    await gone(old)
    assert plane.counters["media_worker_restarts"] == 0


async def test_worker_that_says_nothing_is_replaced(
    start: Start, phone: MakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    from media import supervisor

    monkeypatch.setattr(supervisor, "_GREETING_S", 0.1)
    plane = await start()
    pid = plane.worker_pid
    assert pid is not None
    await call(plane, phone)
    await plane.close(stay=True)
    os.kill(pid, signal.SIGSTOP)
    plane = await start()
    assert plane.worker_pid != pid and plane.free_ports == 8 and not alive(pid)


async def test_traces_of_a_dead_worker_are_removed(start: Start, phone: MakePhone, tmp_path: Path) -> None:
    plane = await start()
    await call(plane, phone)
    pid = plane.worker_pid
    assert pid is not None
    await plane.close(stay=True)
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    (tmp_path / "run" / "1-2-rubbish.json").write_text("{")
    plane = await start()
    assert plane.free_ports == 8
    assert len(list((tmp_path / "run").iterdir())) == 3  # lock, socket, note


def test_killed_server(tmp_path: Path, phone: MakePhone, free_range: FreeRange) -> None:
    """SIGKILL under 200 calls, as it is: another process of the same site finds them all, and releases them cleanly."""
    ports = free_range(400)
    code = """if True:
        import asyncio, sys
        from pathlib import Path
        from config.schema import PortRange
        from media.plane import RemoteMedia
        from media.worker_plane import WorkerPlane
        async def main():
            runtime, first, last, *phones = sys.argv[1:]
            plane = WorkerPlane("127.0.0.1", None, PortRange(int(first), int(last)), runtime=Path(runtime), grace_s=20)
            await plane.start()
            if phones:
                for call in range(200):
                    a, b = plane.lease(tag=b"A%d" % call), plane.lease(tag=b"B%d" % call)
                    for port, number in zip((a, b), phones):
                        plane.connect(port, RemoteMedia("127.0.0.1", int(number) if call == 199 else 9, "PCMU", 0))
                    plane.bridge(a, b)
                await asyncio.sleep(0.2)
                while plane.backlog().unacknowledged or plane.backlog().unsent_messages:
                    await asyncio.sleep(0.01)
                print("leased", a.number, b.number, plane.worker_pid, flush=True)
                await asyncio.sleep(60)
            found = plane.adopted()
            assert len(found) == plane.leased_ports == 400
            numbers = [found[name.ljust(16, b"\\0")].number for name in (b"A199", b"B199")]
            stats = []
            for tag in list(found):
                plane.release(found.pop(tag), stats.append)
            while len(stats) < 400:
                await asyncio.sleep(0.01)
            assert sum(one.packets_received for one in stats) == 1
            assert plane.leased_ports == 0 and plane.free_ports == 400
            print("adopted", *numbers, plane.worker_pid, flush=True)
            await plane.close()
        asyncio.run(main())
    """
    a, b = phone(), phone()
    command = [sys.executable, "-c", code, str(tmp_path / "run"), str(ports.first), str(ports.last)]
    numbers = [str(one.rtp.getsockname()[1]) for one in (a, b)]
    with subprocess.Popen([*command, *numbers], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        leased = next(line for line in server.stdout if line.startswith("leased")).split()[1:]
        server.kill()
    assert alive(int(leased[2]))
    b.rtp.setblocking(True)
    b.rtp.settimeout(30)
    a.rtp.sendto(a.packet(b"\x33" * 160), ("127.0.0.1", int(leased[0])))
    assert b.rtp.recv(2048)[12:] == b"\x33" * 160
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert f"adopted {' '.join(leased)}" in done.stdout
    deadline = time.monotonic() + 30
    while alive(int(leased[2])) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(int(leased[2]))
