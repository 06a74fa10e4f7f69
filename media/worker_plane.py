"""`WorkerPlane`: the media plane made by a worker process of ours.

Here are the pool of ports, the callbacks of leased ports and the prompts; `supervisor.py` has the process.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from config.schema import PortRange
from media import records
from media.plane import (
    KEYS,
    PLAYLIST_LONGEST,
    MediaError,
    MediaPort,
    PlaylistTooLong,
    PortsExhausted,
    PortStats,
    RemoteMedia,
    UnknownKey,
    UnknownPrompt,
    WorkerFailed,
)
from media.prompts import PromptChanges, PromptLibrary
from media.records import Event
from media.supervisor import Supervisor

log = structlog.get_logger("media")

_START_S = 10.0
_JITTER_MS = 1 / 16 / 8  # of the worker's unit, a sixteenth of 1/8000 s


class WorkerPlane:
    """Obeys the `MediaPlane` protocol. `host` is the address the ports are bound to, `advertise` the one for SDP
    (default: `host`). `prompts` is a folder, a library that is already read, or None."""

    def __init__(
        self,
        host: str,
        advertise: str | None,
        ports: PortRange,
        prompts: PromptLibrary | str | Path | None = None,
        counters: Counter[str] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise MediaError(f"media host {host!r} is not an IP address") from None
        self.host, self.advertise, self.ports = host, advertise or host, ports
        self.counters: Counter[str] = Counter() if counters is None else counters
        self.library = prompts if isinstance(prompts, PromptLibrary) else PromptLibrary(prompts)
        self._loop = loop
        self._supervisor: Supervisor | None = None
        self._ready: asyncio.Future[int] | None = None
        self._announced: list[int] = []
        self._pool: deque[int] = deque()  # indices of free ports; first in, first out: a released port rests longest
        self._leased: dict[int, MediaPort] = {}
        self._on_stats: dict[tuple[int, int], Callable[[PortStats], None]] = {}
        self._generation = 0
        self._play_id = 0
        self._slots: dict[str, int] = {}  # prompt name -> number in the worker
        self._free_slots = deque(range(records.PROMPTS_MOST))
        self._worker_totals = (0, 0, 0)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Spawn the worker and wait for its ports. Raises WorkerFailed if none can be opened."""
        self._loop = self._loop or asyncio.get_running_loop()
        self._assign(self.library)
        self._ready = self._loop.create_future()
        self._supervisor = Supervisor(
            [self.host, str(self.ports.first), str(self.ports.last)],
            on_up=self._upload,
            on_event=self._on_event,
            on_down=self._on_down,
            counters=self.counters,
            loop=self._loop,
        )
        self._supervisor.start()
        try:
            async with asyncio.timeout(_START_S):
                await self._ready
        except TimeoutError:
            await self.close()
            raise WorkerFailed(f"the media worker did not start within {_START_S:g} s") from None
        except WorkerFailed:
            await self.close()
            raise
        finally:
            self._ready = None

    async def close(self) -> None:
        """End the worker. Ports still leased are simply gone; their peers get RTCP BYE."""
        supervisor, self._supervisor = self._supervisor, None
        self._pool.clear()
        self._leased.clear()
        if supervisor is not None:
            await supervisor.close()
        self._answer_stats_with_zeros()

    async def reload_prompts(self) -> PromptChanges:
        """Read the folder again and give the worker what changed; what is playing plays to its end. Raises MediaError,
        and then nothing has changed."""
        changes = await asyncio.to_thread(self.library.reload)
        for name in changes.removed | changes.changed:
            slot = self._slots.pop(name)
            self._free_slots.append(slot)
            self._send(records.forget(slot))
        new = changes.added | changes.changed
        self._assign(new)
        for name in new:
            self._upload_one(name)
        return changes

    @property
    def worker_pid(self) -> int | None:
        return None if self._supervisor is None else self._supervisor.pid

    @property
    def free_ports(self) -> int:
        return len(self._pool)

    @property
    def leased_ports(self) -> int:
        return len(self._leased)

    # --- MediaPlane ---------------------------------------------------------------------------------------------------

    def lease(self) -> MediaPort:
        if not self._pool:
            self.counters["media_ports_exhausted"] += 1
            raise PortsExhausted(f"no free media port in {self.ports.first}-{self.ports.last}")
        index = self._pool.popleft()
        self._generation = self._generation % 0xFFFFFFFF + 1
        port = MediaPort(self.ports.first + 2 * index, self.advertise, self._generation)
        self._leased[index] = port
        self._send(records.lease(index, port.generation))
        return port

    def connect(self, port: MediaPort, remote: RemoteMedia) -> None:
        index = self._index(port)
        if index is not None:
            self._send(records.connect(index, port.generation, remote))

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        first, second = self._index(a), self._index(b)
        if first is not None and second is not None:
            self._send(records.bridge(first, a.generation, second, b.generation))

    def play(self, port: MediaPort, prompts: Sequence[str], *, loop: bool = False) -> int:
        if len(prompts) > PLAYLIST_LONGEST:
            raise PlaylistTooLong(f"{len(prompts)} prompts at once, {PLAYLIST_LONGEST} at most")
        slots = []
        for name in prompts:
            slot = self._slots.get(name)
            if slot is None:
                raise UnknownPrompt(name)
            slots.append(slot)
        self._play_id = self._play_id % 0xFFFFFFFF + 1
        index = self._index(port)
        if index is not None:
            self._send(records.play(index, port.generation, self._play_id, slots, loop))
        return self._play_id

    def silence(self, port: MediaPort) -> None:
        index = self._index(port)
        if index is not None:
            self._send(records.silence(index, port.generation))

    def echo(self, port: MediaPort) -> None:
        index = self._index(port)
        if index is not None:
            self._send(records.echo(index, port.generation))

    def send_digit(self, port: MediaPort, digit: str, duration_ms: int = 160) -> None:
        if len(digit) != 1 or digit not in KEYS:
            raise UnknownKey(f"{digit!r} is not a key: one of {KEYS}")
        index = self._index(port)
        if index is not None:
            self._send(records.send_digit(index, port.generation, digit, duration_ms))

    def release(self, port: MediaPort, on_stats: Callable[[PortStats], None] | None = None) -> None:
        index = self._index(port)
        port.on_digit = port.on_played = port.on_lost = None
        if index is None:
            if on_stats is not None and self._loop is not None:
                self._loop.call_soon(on_stats, PortStats())
            return
        del self._leased[index]
        self._pool.append(index)
        if on_stats is not None:
            self._on_stats[index, port.generation] = on_stats
        self._send(records.release(index, port.generation))

    def has_prompt(self, name: str) -> bool:
        return name in self._slots

    # --- the worker's events ------------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        if event.op in (records.DIGIT, records.PLAYED):
            port = self._leased.get(event.port)
            if port is None or port.generation != event.generation:
                return
            if event.op == records.DIGIT and port.on_digit is not None:
                self._call(port.on_digit, KEYS[event.argument])
            elif event.op == records.PLAYED and port.on_played is not None:
                self._call(port.on_played, event.argument)
        elif event.op == records.STATS:
            self._on_stats_event(event)
        elif event.op == records.PORTS:
            self._announced.extend(range(event.port, event.port + event.argument))
        elif event.op == records.READY:
            self._on_ready(event)
        elif event.op == records.PONG:
            self._on_pong(event)

    def _on_ready(self, event: Event) -> None:
        opened, taken, unopened, error = event.argument, event.a, event.b, event.c
        reason = os.strerror(error) if error else ""
        if unopened:
            log.warning("media ports left out: too few descriptors", opened=opened, left_out=unopened, limit=reason)
        if taken:
            self.counters["media_ports_unavailable"] = taken
            log.warning("media ports left out: they can't be bound", opened=opened, left_out=taken, reason=reason)
        self._pool = deque(self._announced)
        self._announced = []
        if opened:
            log.info("media worker ready", pid=self.worker_pid, port_pairs=opened)
        if self._ready is not None and not self._ready.done():
            if opened:
                self._ready.set_result(opened)
            else:
                text = f"no media port of {self.host}:{self.ports.first}-{self.ports.last} can be opened"
                self._ready.set_exception(WorkerFailed(f"{text}: {reason}" if reason else text))
        elif not opened and self._supervisor is not None:
            self._supervisor.restart()  # perhaps the dead worker's sockets still were there

    def _on_stats_event(self, event: Event) -> None:
        self.counters["media_packets_lost"] += event.c
        self.counters["media_packets_dropped"] += event.d
        on_stats = self._on_stats.pop((event.port, event.generation), None)
        if on_stats is not None:
            self._call(on_stats, PortStats(event.a, event.b, event.c, event.d, round(event.e * _JITTER_MS, 3)))

    def _on_pong(self, event: Event) -> None:
        totals = (event.a, event.b, event.c)
        names = ("media_stale_commands", "media_send_errors", "media_events_dropped")
        for name, now, before in zip(names, totals, self._worker_totals, strict=True):
            if now > before:
                self.counters[name] += now - before
        self._worker_totals = totals

    def _on_down(self) -> None:
        """The worker died: every lease is void, and whoever holds one is told."""
        self._announced = []
        self._worker_totals = (0, 0, 0)
        self._pool.clear()
        lost, self._leased = list(self._leased.values()), {}
        self.counters["media_ports_lost"] += len(lost)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkerFailed("the media worker died while starting"))
        for port in lost:
            on_lost, port.on_digit, port.on_played, port.on_lost = port.on_lost, None, None, None
            if on_lost is not None:
                self._call(on_lost)
        self._answer_stats_with_zeros()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _index(self, port: MediaPort) -> int | None:
        """The port's place in the range; None, counted, if this lease is over."""
        index = (port.number - self.ports.first) >> 1
        live = self._leased.get(index)
        if live is not None and live.generation == port.generation:
            return index
        self.counters["media_unknown_port"] += 1
        return None

    def _send(self, record: bytes) -> None:
        if self._supervisor is not None:
            self._supervisor.send(record)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        """One call's fault must not stop the events of the others."""
        try:
            callback(*arguments)
        except Exception:
            self.counters["media_callback_errors"] += 1
            log.exception("a media callback failed")

    def _answer_stats_with_zeros(self) -> None:
        waiting, self._on_stats = list(self._on_stats.values()), {}
        for on_stats in waiting:
            self._call(on_stats, PortStats())

    def _assign(self, names: PromptLibrary | frozenset[str]) -> None:
        for name in names:
            if not self._free_slots:
                raise MediaError(f"more than {records.PROMPTS_MOST} prompts")
            if name not in self._slots:
                self._slots[name] = self._free_slots.popleft()

    def _upload(self) -> None:
        for name in self._slots:
            self._upload_one(name)

    def _upload_one(self, name: str) -> None:
        if self._supervisor is None:
            return
        prompt = self.library.get(name)
        descriptor = os.memfd_create(f"prompt-{name}"[:200], os.MFD_CLOEXEC)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(prompt.pcmu)
            file.write(prompt.pcma)
        self._supervisor.send(records.prompt(self._slots[name]), descriptor)
