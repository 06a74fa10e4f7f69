"""`WorkerPlane`: the media plane made by worker processes of ours.

Here are the commands of the interface, the choice of a worker and the callbacks of leased ports; `one_worker.py` has
one worker's ports, `prompt_slots.py` the prompts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import structlog

from config.schema import PortRange
from media import records
from media.conferences import Conferences
from media.one_worker import OneWorker
from media.plane import (
    KEYS,
    PLAYLIST_LONGEST,
    SPEAKERS_MOST,
    Conference,
    MediaError,
    MediaPort,
    PlaylistTooLong,
    PortsExhausted,
    PortStats,
    RecordingEvent,
    RecordingOrder,
    RemoteMedia,
    UnknownKey,
    WorkerFailed,
)
from media.plane_security import PlaneSecurity
from media.prompt_slots import PromptSlots, Send
from media.prompts import PromptChanges, PromptLibrary, Wanted
from media.recordings import WORKER_SHIFT
from media.records import Event
from media.runtime import Place, RuntimeFolder, is_worker
from media.security import SecurityPolicy
from media.speech_queue import SpeechQueue
from media.transit import Transits
from media.worker.opus import missing as opus_missing

log = structlog.get_logger("media")


class Backlog(NamedTuple):
    """What the workers have yet to do."""

    unsent_messages: int  # wait here, since a worker does not read
    unacknowledged: int  # commands
    oldest_s: float  # age of the oldest of those


class WorkerPlane:
    """Obeys the `MediaPlane` protocol. `host` is the address the ports are bound to, `advertise` the one for SDP
    (default: `host`). `prompts` is a folder, a library that is already read, or None. `workers` processes share the
    port range, each on its own of the `cpus` if there are any. With a `runtime` folder the workers outlive a server
    that dies by `grace_s`, and the next one finds them there. `security`, `opus`: there may be SRTP, or Opus, so
    its library must be there."""

    def __init__(
        self,
        host: str,
        advertise: str | None,
        ports: PortRange,
        prompts: PromptLibrary | str | Path | None = None,
        counters: Counter[str] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        workers: int = 1,
        security: SecurityPolicy | None = None,
        opus: bool = False,
        cpus: Sequence[int] = (),
        runtime: Path | None = None,
        grace_s: float = 30.0,
    ) -> None:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise MediaError(f"media host {host!r} is not an IP address") from None
        if beyond := set(cpus) - os.sched_getaffinity(0):
            raise MediaError(f"media.cpus: there is no CPU {min(beyond)} for us here")
        self.host, self.advertise, self.ports = host, advertise or host, ports
        self._opus = opus
        self.counters: Counter[str] = Counter() if counters is None else counters
        self._prompts = PromptSlots(prompts if isinstance(prompts, PromptLibrary) else PromptLibrary(prompts))
        self._speech = SpeechQueue(
            self._prompts,
            lambda prompt: self._prompts.add(prompt, self._sends()),
            lambda name: self._prompts.drop(name, self._sends()),
            self.counters,
        )
        self._loop = loop
        self._runtime, self._grace_s = runtime, grace_s if runtime is not None else 0.0
        self._folder: RuntimeFolder | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._adopted: dict[bytes, MediaPort] = {}
        self._unclaimed: asyncio.TimerHandle | None = None
        self._play_id = 0
        self._security = PlaneSecurity(security, self.counters)
        self._told: dict[int, Callable[[MediaPort, Event], None]] = {
            records.DIGIT: _digit,
            records.KEY_END: _key_end,
            records.PLAYED: _played,
            **self._security.told,
            records.SILENT: _silent,
        }
        self.workers = [
            self._worker(
                number, Place(Path(), 0, host, self.advertise, *share), cpus[number % len(cpus)] if cpus else None
            )
            for number, share in enumerate(shares(ports, workers))
        ]
        self._shared = workers  # those that take calls; behind them are the leaving ones
        self._transits = Transits(self.workers, host, self.counters)
        self._conferences = Conferences(self.workers, self._transits, self.counters)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Find or spawn the workers and wait for their ports. Raises WorkerFailed if one has none, or if another server
        has the runtime folder; MediaError if the site wants what the machine lacks."""
        self._security.check()
        if self._opus and (missing := opus_missing()) is not None:
            raise MediaError(missing)
        self._loop = self._loop or asyncio.get_running_loop()
        self._prompts.assign(self.library)
        if self._runtime is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="plateau-media-", ignore_cleanup_errors=True)
        self._folder = RuntimeFolder(self._runtime or Path(self._temporary.name if self._temporary else ""))
        try:
            self._folder.open()
            await self._start_workers(self._folder, self._loop)
        except BaseException:
            await self.close()
            raise
        self._adopt(self._loop)

    async def _start_workers(self, folder: RuntimeFolder, loop: asyncio.AbstractEventLoop) -> None:
        places = folder.places()
        found: list[Place | None] = []
        for worker in self.workers:
            same = [one for one in places if replace(one, socket=Path(), pid=0) == worker.place and is_worker(one)]
            found.append(same[-1] if same else None)
        leaving = [place for place in places if place not in found]
        for place in leaving:  # of another site file, or of another version
            worker = self._worker(len(self.workers), replace(place, socket=Path(), pid=0), None, leaving=True)
            with contextlib.suppress(WorkerFailed):
                await worker.start(folder, loop, place)
                self.workers.append(worker)
        shared = zip(self.workers[: self._shared], found, strict=True)
        await asyncio.gather(*(worker.start(folder, loop, place) for worker, place in shared))

    async def close(self, stay: bool = False) -> None:
        """End the workers: ports still leased are simply gone, their peers get RTCP BYE. With `stay` those with leases
        live on for the grace, for the next server."""
        if self._unclaimed is not None:
            self._unclaimed.cancel()
        await self._speech.close()
        await asyncio.gather(*(worker.close(stay) for worker in self.workers))
        if self._folder is not None:
            self._folder.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    async def reload_prompts(self, wanted: Wanted | None = None) -> PromptChanges:
        """Make the prompts anew that changed and give them to the workers; what is playing plays to its end. `wanted`:
        if the site wants others. Raises MediaError, and then nothing has changed."""
        changes = await asyncio.to_thread(self.library.reload, wanted)
        self._speech.forget()
        self._prompts.change(changes, self._sends())
        return changes

    def _sends(self) -> list[Send]:
        return [worker.send for worker in self.workers]

    @property
    def library(self) -> PromptLibrary:
        return self._prompts.library

    @property
    def fingerprint(self) -> str:
        return self._security.fingerprint

    @property
    def worker_pid(self) -> int | None:
        """Of the first worker while there is one."""
        return self.workers[0].pid

    @property
    def up(self) -> bool:
        """Every worker runs."""
        return all(worker.pid is not None for worker in self.workers[: self._shared])

    @property
    def free_ports(self) -> int:
        return sum(worker.free for worker in self.workers)

    @property
    def leased_ports(self) -> int:
        return sum(len(worker.leased) for worker in self.workers)

    def backlog(self) -> Backlog:
        """How far the workers are behind."""
        links = [worker.supervisor.link for worker in self.workers if worker.supervisor is not None]
        live = [link for link in links if link is not None]
        return Backlog(
            sum(link.unsent_messages for link in live),
            sum(link.unacknowledged for link in live),
            max((link.oldest_s for link in live), default=0.0),
        )

    # --- MediaPlane ---------------------------------------------------------------------------------------------------

    def lease(self, beside: MediaPort | None = None, tag: bytes = b"") -> MediaPort:
        worker = self.workers[0 if beside is None else beside.worker]
        if len(self.workers) > 1 and (beside is None or not worker.free):
            worker = min(self.workers, key=_load)
        if not worker.free:
            self.counters["media_ports_exhausted"] += 1
            raise PortsExhausted(f"no free media port in {self.ports.first}-{self.ports.last}")
        port = worker.lease(tag)
        self._security.name(port)
        return port

    def adopted(self) -> dict[bytes, MediaPort]:
        return self._adopted

    def connect(self, port: MediaPort, remote: RemoteMedia) -> None:
        self.workers[port.worker].connect(port, remote)
        self._transits.changed(port)

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        first, second = self.workers[a.worker].index(a), self.workers[b.worker].index(b)
        if first is None or second is None:
            return
        self._conferences.left(a)
        self._conferences.left(b)
        if a.worker == b.worker:
            self._transits.end(a)
            self._transits.end(b)
            self.workers[a.worker].send(records.bridge(first, a.generation, second, b.generation))
        else:
            self._transits.join(a, b)

    def play(self, port: MediaPort, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
        if len(prompts) > PLAYLIST_LONGEST:
            raise PlaylistTooLong(f"{len(prompts)} prompts at once, {PLAYLIST_LONGEST} at most")
        slots = [self._prompts.slot(name) for name in prompts]
        self._play_id = self._play_id % 0xFFFFFFFF + 1
        self._feed(port, records.play, self._play_id, slots, loop, once if loop else 0)
        return self._play_id

    def silence(self, port: MediaPort) -> None:
        self._feed(port, records.silence)

    def echo(self, port: MediaPort) -> None:
        self._feed(port, records.echo)

    def send_digit(self, port: MediaPort, digit: str, duration_ms: int = 160) -> None:
        if len(digit) != 1 or digit not in KEYS:
            raise UnknownKey(f"{digit!r} is not a key: one of {KEYS}")
        self._tell(port, records.send_digit, digit, duration_ms)

    def open_conference(self, speakers_most: int = SPEAKERS_MOST) -> Conference:
        return self._conferences.open(speakers_most)

    def join(
        self, conference: Conference, port: MediaPort, hears: Sequence[MediaPort] | None = None,
        heard_by: Sequence[MediaPort] | None = None,
    ) -> None:  # fmt: skip
        if self.workers[port.worker].index(port) is not None:
            self._conferences.join(conference, port, hears, heard_by)

    def leave(self, port: MediaPort) -> None:
        if self._conferences.left(port):
            self._transits.end(port)
            self._tell(port, records.leave)

    def close_conference(self, conference: Conference) -> None:
        self._conferences.close(conference)

    def watch(self, port: MediaPort, silent_after_ms: int | None) -> None:
        self._tell(port, records.watch, silent_after_ms or 0)

    def quality(self, port: MediaPort, on_stats: Callable[[PortStats], None]) -> None:
        self.workers[port.worker].ask(port, on_stats)

    def record(self, port: MediaPort, order: RecordingOrder, on_event: Callable[[RecordingEvent], None]) -> int:
        worker = self.workers[port.worker]
        slot = None if order.beep is None else self._prompts.slot(order.beep)
        return worker.record(port, order, slot, on_event)

    def mask(self, recording_id: int, masked: bool) -> None:
        self.workers[recording_id >> WORKER_SHIFT].recordings.mask(recording_id, masked)

    def stop_recording(self, recording_id: int) -> None:
        self.workers[recording_id >> WORKER_SHIFT].recordings.stop(recording_id)

    def release(self, port: MediaPort, on_stats: Callable[[PortStats], None] | None = None) -> None:
        port.forget()
        self._conferences.left(port)
        self._transits.end(port)
        self.workers[port.worker].release(port, on_stats)

    def comfort_noise(self, port: MediaPort) -> int:
        return self.play(port, ("tone:noise",), loop=True)

    def has_prompt(self, name: str) -> bool:
        return name in self._prompts

    def speak(self, text: str, voice: str | None, on_ready: Callable[[str | None], None]) -> None:
        self._speech.speak(text, voice, on_ready)

    def _tell(self, port: MediaPort, record: Callable[..., bytes], *arguments: object) -> None:
        """A command of a port: `record(index, generation, *arguments)`."""
        worker = self.workers[port.worker]
        index = worker.index(port)
        if index is not None:
            worker.send(record(index, port.generation, *arguments))

    def _feed(self, port: MediaPort, record: Callable[..., bytes], *arguments: object) -> None:
        """A command that gives the port another source: what it was joined to ends."""
        self._conferences.left(port)
        self._transits.end(port)
        self._tell(port, record, *arguments)

    # --- re-adoption --------------------------------------------------------------------------------------------------

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        found: dict[bytes, list[MediaPort]] = {}
        for worker in self.workers:
            for port in worker.leased.values():
                found.setdefault(port.tag, []).append(port)
        if not found:
            return
        self._transits.adopt(found)
        nameless = found.pop(bytes(records.TAG_BYTES), [])
        self._adopted = {tag: ports.pop() for tag, ports in found.items()}
        nameless += [port for ports in found.values() for port in ports]
        self._unclaimed = loop.call_later(self._grace_s, self._release_unclaimed, nameless)
        log.info("media ports adopted", with_tag=len(self._adopted), without=len(nameless))
        self.counters["media_ports_adopted"] += len(self._adopted) + len(nameless)

    def _release_unclaimed(self, nameless: list[MediaPort]) -> None:
        """The grace is over."""
        left = [*nameless, *self._adopted.values()]
        self._adopted.clear()
        self.counters["media_ports_unclaimed"] += len(left)
        for port in left:
            if self.workers[port.worker].holds(port):
                self.release(port)

    # --- what workers tell --------------------------------------------------------------------------------------------

    def _came_up(self, worker: OneWorker) -> None:
        self._conferences.lost(worker.number)
        self._security.upload(worker.send)
        self._prompts.upload(worker.send)

    def _on_event(self, port: MediaPort, event: Event) -> None:
        told = self._told.get(event.op)
        if told is not None:
            self._call(told, port, event)

    def _worker(self, number: int, place: Place, cpu: int | None, leaving: bool = False) -> OneWorker:
        return OneWorker(
            number, place, self.counters, on_up=self._came_up, on_event=self._on_event, on_lost=self._lost,
            grace_s=self._grace_s, cpu=cpu, leaving=leaving,
        )  # fmt: skip

    def _lost(self, ports: list[MediaPort]) -> None:
        for number in {port.worker for port in ports}:
            self._conferences.lost(number)
        for port in ports:
            self._conferences.left(port)
            if self._adopted.get(port.tag) is port:
                del self._adopted[port.tag]
            on_lost = port.on_lost
            port.forget()
            if on_lost is not None:
                self._call(on_lost)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        """One call's fault must not stop the events of the others."""
        try:
            callback(*arguments)
        except Exception:
            self.counters["media_callback_errors"] += 1
            log.exception("a media callback failed")


def shares(ports: PortRange, workers: int) -> list[PortRange]:
    """The port range in as many parts of equal size, one a worker, each of whole RTP/RTCP pairs."""
    pairs = (ports.last - ports.first + 1) // 2
    cuts = [ports.first + 2 * (pairs * number // workers) for number in range(workers + 1)]
    return [PortRange(first, after - 1) for first, after in itertools.pairwise(cuts)]


def _load(worker: OneWorker) -> tuple[bool, bool, int]:
    return worker.load


def _digit(port: MediaPort, event: Event) -> None:
    port.keys += 1
    if port.on_digit is not None:
        port.on_digit(KEYS[event.argument])


def _key_end(port: MediaPort, event: Event) -> None:
    if port.on_key_end is not None:
        port.on_key_end(KEYS[event.argument & 0xFF], event.argument >> 8)


def _played(port: MediaPort, event: Event) -> None:
    if port.on_played is not None:
        port.on_played(event.argument)


def _silent(port: MediaPort, _: Event) -> None:
    if port.on_silent is not None:
        port.on_silent()
