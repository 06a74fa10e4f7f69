"""One worker as the plane sees it: its share of the ports, which of them are free, who holds the others."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable

import structlog

from config.schema import PortRange
from media import records
from media.plane import MediaPort, PortStats, RecordingEvent, RecordingOrder, WorkerFailed
from media.recordings import EVENTS_OF_RECORDINGS, Recordings
from media.records import Event
from media.supervisor import Supervisor

log = structlog.get_logger("media")

_START_S = 10.0
_TOTALS = ("media_stale_commands", "media_send_errors", "media_events_dropped")
_SECURITY_TOTALS = ("media_srtp_forged", "media_srtp_replayed", "media_srtp_unsent")
_JITTER_MS = 1 / 16 / 8  # of the worker's unit, a sixteenth of 1/8000 s


class OneWorker:
    """`on_up` is told when a process was started (give it what it must know), `on_event` every event of a port that is
    still leased to whom it concerns, `on_lost` the ports that died with the process."""

    def __init__(
        self,
        number: int,
        host: str,
        advertise: str,
        ports: PortRange,
        counters: Counter[str],
        *,
        on_up: Callable[[OneWorker], None],
        on_event: Callable[[MediaPort, Event], None],
        on_lost: Callable[[list[MediaPort]], None],
    ) -> None:
        self.number, self.host, self.advertise, self.ports, self.counters = number, host, advertise, ports, counters
        self._on_up, self._on_event, self._on_lost = on_up, on_event, on_lost
        self.supervisor: Supervisor | None = None
        self.leased: dict[int, MediaPort] = {}  # by index
        self._pool: deque[int] = deque()  # indices of free ports; first in, first out: a released port rests longest
        self._generation = 0
        self._on_stats: dict[tuple[int, int], Callable[[PortStats], None]] = {}
        self._ready: asyncio.Future[int] | None = None
        self._announced: list[int] = []
        self._totals: Counter[str] = Counter()
        self.recordings = Recordings(number, self.send, counters)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Spawn the process and wait for its ports. Raises WorkerFailed if none can be opened."""
        self._loop = loop
        self._ready = loop.create_future()
        self.supervisor = Supervisor(
            [self.host, str(self.ports.first), str(self.ports.last)],
            on_up=lambda: self._on_up(self),
            on_event=self._take,
            on_down=self._went_down,
            counters=self.counters,
            loop=loop,
        )
        self.supervisor.start()
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
        """End the process. Ports still leased are simply gone; their peers get RTCP BYE."""
        supervisor, self.supervisor = self.supervisor, None
        self._pool.clear()
        self.leased.clear()
        if supervisor is not None:
            await supervisor.close()
        self.recordings.all_lost()
        self._answer_stats_with_zeros()

    @property
    def pid(self) -> int | None:
        return None if self.supervisor is None else self.supervisor.pid

    @property
    def free(self) -> int:
        """Ports that can be leased."""
        return len(self._pool)

    # --- ports --------------------------------------------------------------------------------------------------------

    def lease(self) -> MediaPort:
        """The port that rested longest; IndexError if none is free."""
        index = self._pool.popleft()
        self._generation = self._generation % 0xFFFFFFFF + 1
        port = MediaPort(self.ports.first + 2 * index, self.advertise, self._generation, self.number)
        self.leased[index] = port
        self.send(records.lease(index, port.generation))
        return port

    def index(self, port: MediaPort) -> int | None:
        """The port's place in the range; None, counted, if this lease is over."""
        index = (port.number - self.ports.first) >> 1
        live = self.leased.get(index)
        if live is not None and live.generation == port.generation:
            return index
        self.counters["media_unknown_port"] += 1
        return None

    def release(self, port: MediaPort, on_stats: Callable[[PortStats], None] | None) -> None:
        """`on_stats` is called when the counters arrive, with zeros if the lease is over."""
        index = self.index(port)
        if index is None:
            if on_stats is not None and self.supervisor is not None:
                self._loop.call_soon(on_stats, PortStats())
            return
        del self.leased[index]
        self._pool.append(index)
        if on_stats is not None:
            self._on_stats[index, port.generation] = on_stats
        self.send(records.release(index, port.generation))

    def record(
        self, port: MediaPort, order: RecordingOrder, beep: int | None, on_event: Callable[[RecordingEvent], None]
    ) -> int:
        """`beep`: a prompt's slot. A port or process that is gone is told by `on_event`, a moment later."""
        index = self.index(port)
        if index is None or self.supervisor is None:
            recording_id = self.recordings.add(0, port.generation, on_event)
            asyncio.get_running_loop().call_soon(self.recordings.lost, recording_id)
            return recording_id
        return self.recordings.start(index, port.generation, order, beep, on_event)

    def send(self, record: bytes, descriptor: int = -1) -> None:
        """Queue a command; without a process it is dropped."""
        if self.supervisor is not None:
            self.supervisor.send(record, descriptor)
        elif descriptor >= 0:
            os.close(descriptor)

    # --- the worker's events ------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if event.op == records.STATS:
            self._on_stats_event(event)
        elif event.op == records.PORTS:
            self._announced.extend(range(event.port, event.port + event.argument))
        elif event.op == records.READY:
            self._on_ready(event)
        elif event.op == records.PONG:
            self._count(_TOTALS, event)
        elif event.op in EVENTS_OF_RECORDINGS:
            self.recordings.event(event)
        elif event.op == records.SECURITY_TOTALS:
            self._count(_SECURITY_TOTALS, event)
        else:
            port = self.leased.get(event.port)
            if port is not None and port.generation == event.generation:
                self._on_event(port, event)

    def _on_ready(self, event: Event) -> None:
        opened, taken, unopened, error = event.argument, event.a, event.b, event.c
        reason = os.strerror(error) if error else ""
        if unopened:
            log.warning("media ports left out: too few descriptors", opened=opened, left_out=unopened, limit=reason)
        if taken:
            self.counters["media_ports_unavailable"] += taken
            log.warning("media ports left out: they can't be bound", opened=opened, left_out=taken, reason=reason)
        self._pool = deque(self._announced)
        self._announced = []
        if opened:
            log.info("media worker ready", pid=self.pid, port_pairs=opened)
        if self._ready is not None and not self._ready.done():
            if opened:
                self._ready.set_result(opened)
            else:
                text = f"no media port of {self.host}:{self.ports.first}-{self.ports.last} can be opened"
                self._ready.set_exception(WorkerFailed(f"{text}: {reason}" if reason else text))
        elif not opened and self.supervisor is not None:
            self.supervisor.restart()  # perhaps the dead worker's sockets still were there

    def _on_stats_event(self, event: Event) -> None:
        self.counters["media_packets_lost"] += event.c
        self.counters["media_packets_dropped"] += event.d
        on_stats = self._on_stats.pop((event.port, event.generation), None)
        if on_stats is not None:
            stats = PortStats(event.a, event.b, event.c, event.d, round(event.e * _JITTER_MS, 3))
            self._call(on_stats, stats)

    def _count(self, names: tuple[str, ...], event: Event) -> None:
        """The worker sends sums over its life: what came since the last time is new."""
        for name, total in zip(names, event[6:], strict=False):
            if total > self._totals[name]:
                self.counters[name] += total - self._totals[name]
                self._totals[name] = total

    def _went_down(self) -> None:
        """The process died: every lease is void, and whoever holds one is told."""
        self._announced = []
        self._totals.clear()
        self._pool.clear()
        lost, self.leased = list(self.leased.values()), {}
        self.counters["media_ports_lost"] += len(lost)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkerFailed("the media worker died while starting"))
        self._on_lost(lost)
        self.recordings.all_lost()
        self._answer_stats_with_zeros()

    def _answer_stats_with_zeros(self) -> None:
        waiting, self._on_stats = list(self._on_stats.values()), {}
        for on_stats in waiting:
            self._call(on_stats, PortStats())

    def _call(self, on_stats: Callable[[PortStats], None], stats: PortStats) -> None:
        """One call's fault must not stop the events of the others."""
        try:
            on_stats(stats)
        except Exception:
            self.counters["media_callback_errors"] += 1
            log.exception("a media callback failed")
