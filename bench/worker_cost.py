"""What a media worker costs: a plane of our own, one worker on the server's core, and `rtp_load` as all its phones.

The same load goes through rtpengine (`rtpengine_cost.py`). CPU time is the worker's, kernel included, per call-second
(or per listener, member, channel); a run is repeated in rounds, what is compared stands side by side in each.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
import wave
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.media_cost import MediaLoadError
from bench.ports import ClaimedPorts
from bench.processes import cpu_s, own_rss_bytes
from bench.streams import G711, LISTENS, VOICES, Streams, speech
from config.schema import PortRange
from media.plane import MediaPort, RecordingEvent, RecordingOrder, RemoteMedia
from media.worker_plane import WorkerPlane

LOCAL = "127.0.0.1"
WARM_S = 1.0
_PACKETS_PER_S = 50


@dataclass(frozen=True, slots=True)
class Party:
    """A phone of `rtp_load`: its port, ours, and what it sends."""

    local: int
    remote: int
    stream: int


@dataclass(frozen=True, slots=True)
class Cost:
    """One work at one size: medians over the rounds, and the range of the CPU time."""

    kind: str
    count: int  # of calls, listeners, members or channels
    cpu_ms: float  # for each of them and second
    least_ms: float
    most_ms: float
    cpu_percent: float
    lost_percent: float
    worst_party: float  # received / sent of the one that fared worst, over all rounds
    p50_ms: float  # delay of packets; 0: not measured
    p99_ms: float
    longest_ms: float
    generator_percent: float


class Subject(Protocol):
    """What is measured."""

    @property
    def pid(self) -> int: ...

    async def set_up(self, work: Work, count: int) -> list[Party]:
        """Calls, or whatever the work says."""

    async def clear(self) -> None:
        """All of them end."""


@dataclass(frozen=True, slots=True)
class Work:
    """`build(worker, count)` makes what is measured and returns who talks."""

    name: str
    counts: tuple[int, ...]
    build: Callable[[Worker, int], list[Party]]
    stamped: bool = False  # delays are measured


class Worker:
    """The plane, and local ports for its phones."""

    def __init__(self, plane: WorkerPlane, local: ClaimedPorts, streams: Streams, folder: Path) -> None:
        self.plane, self.streams, self.folder = plane, streams, folder
        self._local, self._used = local, 0
        self._ports: list[MediaPort] = []
        self._run = 0

    @property
    def pid(self) -> int:
        pid = self.plane.worker_pid
        if pid is None:
            raise MediaLoadError("the media worker died")
        return pid

    def leg(self, voice: str, stream: int | None = None, **changes: Any) -> tuple[MediaPort, Party]:
        """A connected port and the phone it talks to."""
        port, local = self.plane.lease(), self._local.first + self._used
        self._used += 1
        self._ports.append(port)
        values: dict[str, Any] = {"host": LOCAL, "port": local, "dtmf_payload_type": 101}
        self.plane.connect(port, RemoteMedia(**(values | VOICES[voice].remote | changes)))
        return port, Party(local, port.number, self.streams.number(voice) if stream is None else stream)

    def record(self, port: MediaPort) -> None:
        def told(event: RecordingEvent) -> None:
            if event.why == "failed" or event.packets_lost:
                raise MediaLoadError(f"a recording failed: {event}")

        self.plane.record(port, RecordingOrder(str(self.folder), f"{self._run}/{port.number}.wav"), told)

    async def set_up(self, work: Work, count: int) -> list[Party]:
        self._run += 1
        parties = work.build(self, count)
        await asyncio.sleep(0.3)
        while self.plane.backlog().unacknowledged:  # noqa: ASYNC110 - recordings are opened one by one
            await asyncio.sleep(0.05)
        return parties

    async def clear(self) -> None:
        for port in self._ports:
            self.plane.release(port)
        self._ports.clear()
        self._used = 0
        await asyncio.sleep(0.2)


def claimed(count: int) -> ClaimedPorts:
    """Below those that the system hands out: a run is long, and phones open theirs when it is their turn."""
    return ClaimedPorts(count, LOCAL, first=12000)


@asynccontextmanager
async def worker(ports: int, streams: Streams, folder: Path, cores: tuple[int, int] | None) -> AsyncIterator[Worker]:
    """A plane of so many ports; `cores` are the server's and the load's."""
    prompts = folder / "prompts"
    prompts.mkdir(exist_ok=True)
    with wave.open(str(prompts / "music.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(speech(10).tobytes())
    theirs, ours = claimed(ports), claimed(2 * ports)
    if cores is not None:
        os.sched_setaffinity(0, set(cores))
    cpus = (cores[0],) if cores else ()
    plane = WorkerPlane(LOCAL, None, PortRange(ours.first, ours.last), prompts, Counter(), cpus=cpus)
    if cores is not None:
        os.sched_setaffinity(0, {cores[1]})
    await plane.start()
    prefer(plane.worker_pid or 0)
    try:
        yield Worker(plane, theirs, streams, folder)
    finally:
        await plane.close()
        theirs.release()
        ours.release()


def prefer(pid: int, threads: bool = False) -> bool:
    """Run a process (or all its threads) before whatever else shares its core: others' load would be measured too, a
    worker that has to wait takes more packets at once. False: we may not."""
    try:
        for one in map(int, os.listdir(f"/proc/{pid}/task")) if threads else [pid]:
            os.sched_setscheduler(one, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True


# --- works ------------------------------------------------------------------------------------------------------------


def _calls(*voices: str, stream: int | None = None, recorded: bool = False, **changes: Any) -> Callable[..., Any]:
    """Calls between two codecs."""

    def build(worker: Worker, count: int) -> list[Party]:
        parties = []
        for _ in range(count):
            (a, first), (b, second) = (worker.leg(voice, stream, **changes) for voice in voices)
            worker.plane.bridge(a, b)
            if recorded:
                worker.record(a)
            parties += [first, second]
        return parties

    return build


def _secured(worker: Worker, count: int) -> list[Party]:
    stream = worker.streams.number("SRTP")
    return _calls("PCMU", "PCMU", stream=stream, security=worker.streams.keys)(worker, count)  # type: ignore[no-any-return]


def _music(talking: bool) -> Callable[[Worker, int], list[Party]]:
    def build(worker: Worker, count: int) -> list[Party]:
        parties = []
        for _ in range(count):
            port, party = worker.leg("PCMU", G711 if talking else LISTENS)
            worker.plane.play(port, ["music"], loop=True)
            parties.append(party)
        return parties

    return build


def _rooms(members: int) -> Callable[[Worker, int], list[Party]]:
    """Conferences of so many members, all of whom talk."""

    def build(worker: Worker, count: int) -> list[Party]:
        parties = []
        for _ in range(count // members):
            room = worker.plane.open_conference()
            for _ in range(members):
                port, party = worker.leg("PCMU")
                worker.plane.join(room, port)
                parties.append(party)
        return parties

    return build


def _channels(in_band: bool) -> Callable[[Worker, int], list[Party]]:
    """Callers who talk to silence."""

    def build(worker: Worker, count: int) -> list[Party]:
        parties = []
        for _ in range(count):
            port, party = worker.leg("PCMU", None, in_band_keys=in_band, dtmf_payload_type=None if in_band else 101)
            worker.plane.silence(port)
            parties.append(party)
        return parties

    return build


CALLS = (100, 250, 500, 1000, 1300)
PLAIN = Work("G.711", CALLS, _calls("PCMU", "PCMU", stream=G711))
DELAY = Work("G.711, delay", (100, 500, 1000), PLAIN.build, stamped=True)
RECORDED = Work("G.711, recorded", CALLS[:4], _calls("PCMU", "PCMU", stream=G711, recorded=True))
SECURED = Work("SRTP AES-GCM on both legs", CALLS[:4], _secured)
WORKS = (
    PLAIN,
    RECORDED,
    SECURED,
    DELAY,
    Work("PCMA-G722", (100,), _calls("PCMA", "G722")),
    Work("PCMA-OPUS", (50,), _calls("PCMA", "OPUS")),
    Work("music, listeners silent", (1000,), _music(False)),
    Work("music, listeners talk", (1000,), _music(True)),
    Work("silence", (200,), _channels(False)),
    Work("silence, keys in band", (200,), _channels(True)),
    Work("conferences of 3", (90,), _rooms(3)),
    Work("conferences of 10", (90,), _rooms(10)),
)


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    percent: float
    figures: tuple[float, ...]  # of rtp_load


async def run(program: Path, subject: Subject, work: Work, count: int, seconds: float, streams: Streams) -> _Run:
    """Once. Raises MediaLoadError."""
    parties = await subject.set_up(work, count)
    try:
        lines = "".join(f"{one.local} {one.remote} {one.stream}\n" for one in parties)
        options = ["-t"] if work.stamped else list(map(str, streams.files))
        command = [str(program), str(seconds + WARM_S + 0.2), *options]
        pipe = asyncio.subprocess.PIPE
        load = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        prefer(load.pid)
        running = asyncio.create_task(load.communicate(lines.encode()))
        await asyncio.sleep(WARM_S)
        spent, began = cpu_s(subject.pid), time.monotonic()
        await asyncio.sleep(seconds)
        percent = 100 * (cpu_s(subject.pid) - spent) / (time.monotonic() - began)
        out, _ = await running
        if load.returncode:
            raise MediaLoadError("rtp_load failed")
        return _Run(percent, tuple(map(float, out.split())))
    finally:
        await subject.clear()


def summary(work: Work, count: int, seconds: float, runs: Sequence[_Run]) -> Cost:
    """Medians."""
    total_s = seconds + WARM_S + 0.2
    costs = sorted(10 * one.percent / count for one in runs)
    lost = []
    for one in runs:
        sockets, sent, received = one.figures[:3]
        lost.append(100 * (1 - received / (sent or sockets * _PACKETS_PER_S * total_s)))
    middle = [statistics.median(column) for column in zip(*(one.figures for one in runs), strict=True)]
    return Cost(
        work.name,
        count,
        round(statistics.median(costs), 3),
        round(costs[0], 3),
        round(costs[-1], 3),
        round(statistics.median(one.percent for one in runs), 1),
        round(max(0.0, statistics.median(lost)), 3),
        min(one.figures[3] for one in runs),
        middle[6],
        middle[7],
        middle[8],
        round(100 * middle[5] / total_s, 1),
    )


async def worker_memory(streams: Streams, folder: Path, calls: int) -> tuple[float, float]:
    """kB of resident memory in the worker for each anchored call: against a worker of two ports, and against the same
    worker before its ports were leased."""
    async with worker(2, streams, folder, None) as small:
        least = own_rss_bytes(small.pid)
    async with worker(2 * calls, streams, folder, None) as large:
        idle = own_rss_bytes(large.pid)
        for party in await large.set_up(PLAIN, calls):
            assert party.remote
        await asyncio.sleep(2)
        full = own_rss_bytes(large.pid)
    return (full - least) / calls / 1000, (full - idle) / calls / 1000
