"""`WorkerPlane`: the media plane made by worker processes of ours.

Here are the commands of the interface, the choice of a worker and the callbacks of leased ports; `one_worker.py` has
one worker's ports, `prompt_slots.py` the prompts.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from config.schema import PortRange
from media import records
from media.one_worker import OneWorker
from media.plane import (
    KEYS,
    PLAYLIST_LONGEST,
    MediaError,
    MediaPort,
    PlaylistTooLong,
    PortsExhausted,
    PortStats,
    RecordingEvent,
    RecordingOrder,
    RemoteMedia,
    UnknownKey,
)
from media.plane_security import PlaneSecurity
from media.prompt_slots import PromptSlots
from media.prompts import PromptChanges, PromptLibrary, Wanted
from media.recordings import WORKER_SHIFT
from media.records import Event

log = structlog.get_logger("media")


class WorkerPlane:
    """Obeys the `MediaPlane` protocol. `host` is the address the ports are bound to, `advertise` the one for SDP
    (default: `host`). `prompts` is a folder, a library that is already read, or None. `workers` processes share the
    port range. `srtp`: there will be SRTP, so its library must be there."""

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
        srtp: bool = False,
    ) -> None:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise MediaError(f"media host {host!r} is not an IP address") from None
        self.host, self.advertise, self.ports = host, advertise or host, ports
        self.counters: Counter[str] = Counter() if counters is None else counters
        self._prompts = PromptSlots(prompts if isinstance(prompts, PromptLibrary) else PromptLibrary(prompts))
        self._loop = loop
        self._play_id = 0
        self._security = PlaneSecurity(srtp, self.counters)
        self._told: dict[int, Callable[[MediaPort, Event], None]] = {
            records.DIGIT: _digit,
            records.PLAYED: _played,
            **self._security.told,
        }
        self.workers = [
            OneWorker(
                number, host, self.advertise, share, self.counters,
                on_up=self._came_up, on_event=self._on_event, on_lost=self._lost,
            )
            for number, share in enumerate(shares(ports, workers))
        ]  # fmt: skip

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Spawn the workers and wait for their ports. Raises WorkerFailed if one has none, MediaError if the site wants
        what the machine lacks."""
        self._security.check()
        self._loop = self._loop or asyncio.get_running_loop()
        self._prompts.assign(self.library)
        try:
            await asyncio.gather(*(worker.start(self._loop) for worker in self.workers))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the workers. Ports still leased are simply gone; their peers get RTCP BYE."""
        await asyncio.gather(*(worker.close() for worker in self.workers))

    async def reload_prompts(self, wanted: Wanted | None = None) -> PromptChanges:
        """Make the prompts anew that changed and give them to the workers; what is playing plays to its end. `wanted`:
        if the site wants others. Raises MediaError, and then nothing has changed."""
        changes = await asyncio.to_thread(self.library.reload, wanted)
        self._prompts.change(changes, [worker.send for worker in self.workers])
        return changes

    @property
    def library(self) -> PromptLibrary:
        return self._prompts.library

    @property
    def worker_pid(self) -> int | None:
        """Of the first worker while there is one."""
        return self.workers[0].pid

    @property
    def up(self) -> bool:
        """Every worker runs."""
        return all(worker.pid is not None for worker in self.workers)

    @property
    def free_ports(self) -> int:
        return sum(worker.free for worker in self.workers)

    @property
    def leased_ports(self) -> int:
        return sum(len(worker.leased) for worker in self.workers)

    # --- MediaPlane ---------------------------------------------------------------------------------------------------

    def lease(self, beside: MediaPort | None = None) -> MediaPort:
        worker = self.workers[0 if beside is None else beside.worker]
        if len(self.workers) > 1 and (beside is None or not worker.free):
            worker = min(self.workers, key=_load)
        if not worker.free:
            self.counters["media_ports_exhausted"] += 1
            raise PortsExhausted(f"no free media port in {self.ports.first}-{self.ports.last}")
        return worker.lease()

    def connect(self, port: MediaPort, remote: RemoteMedia) -> None:
        worker = self.workers[port.worker]
        index = worker.index(port)
        if index is not None:
            worker.send(records.connect(index, port.generation, remote))
            if remote.security is not None:
                worker.send(records.keys(index, port.generation, remote.security))

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        worker = self.workers[a.worker]
        first, second = worker.index(a), self.workers[b.worker].index(b)
        if first is not None and second is not None:
            worker.send(records.bridge(first, a.generation, second, b.generation))

    def play(self, port: MediaPort, prompts: Sequence[str], *, loop: bool = False) -> int:
        if len(prompts) > PLAYLIST_LONGEST:
            raise PlaylistTooLong(f"{len(prompts)} prompts at once, {PLAYLIST_LONGEST} at most")
        slots = [self._prompts.slot(name) for name in prompts]
        self._play_id = self._play_id % 0xFFFFFFFF + 1
        worker = self.workers[port.worker]
        index = worker.index(port)
        if index is not None:
            worker.send(records.play(index, port.generation, self._play_id, slots, loop))
        return self._play_id

    def silence(self, port: MediaPort) -> None:
        worker = self.workers[port.worker]
        index = worker.index(port)
        if index is not None:
            worker.send(records.silence(index, port.generation))

    def echo(self, port: MediaPort) -> None:
        worker = self.workers[port.worker]
        index = worker.index(port)
        if index is not None:
            worker.send(records.echo(index, port.generation))

    def send_digit(self, port: MediaPort, digit: str, duration_ms: int = 160) -> None:
        if len(digit) != 1 or digit not in KEYS:
            raise UnknownKey(f"{digit!r} is not a key: one of {KEYS}")
        worker = self.workers[port.worker]
        index = worker.index(port)
        if index is not None:
            worker.send(records.send_digit(index, port.generation, digit, duration_ms))

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
        self.workers[port.worker].release(port, on_stats)

    def has_prompt(self, name: str) -> bool:
        return name in self._prompts

    # --- what workers tell --------------------------------------------------------------------------------------------

    def _came_up(self, worker: OneWorker) -> None:
        self._security.upload(worker.send)
        self._prompts.upload(worker.send)

    def _on_event(self, port: MediaPort, event: Event) -> None:
        told = self._told.get(event.op)
        if told is not None:
            self._call(told, port, event)

    def _lost(self, ports: list[MediaPort]) -> None:
        for port in ports:
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


def _load(worker: OneWorker) -> tuple[bool, int]:
    return not worker.free, len(worker.leased)


def _digit(port: MediaPort, event: Event) -> None:
    if port.on_digit is not None:
        port.on_digit(KEYS[event.argument])


def _played(port: MediaPort, event: Event) -> None:
    if port.on_played is not None:
        port.on_played(event.argument)
