"""One worker as the plane sees it: its share of the ports, which of them are free, who holds the others."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable

import structlog

from media import records
from media.plane import MediaPort, PortStats, RecordingEvent, RecordingOrder, RemoteMedia, WorkerFailed
from media.quality import score
from media.recordings import EVENTS_OF_RECORDINGS, Recordings
from media.records import Event
from media.runtime import Place, RuntimeFolder
from media.security import SrtpKeys
from media.supervisor import Supervisor, Told

log = structlog.get_logger("media")

REST_S = 10.0  # a released port rests so long before its next lease, unless no other is free
_START_S = 10.0
_TOTALS = ("media_stale_commands", "media_send_errors", "media_events_dropped")
_SECURITY_TOTALS = (
    "media_srtp_forged", "media_srtp_replayed", "media_srtp_unsent", "media_checks_dropped",
    "media_srtp_sources_refused",
)  # fmt: skip
_OPEN_MISSING_S = 10.0
_JITTER_MS = 1 / 16 / 8  # of the worker's unit, a sixteenth of 1/8000 s
_PEER_JITTER_MS = 1 / 8
_ROUND_TRIP_MS = 1000 / 65536
_NO_TAG = bytes(records.TAG_BYTES)

OnStats = Callable[[PortStats], None]


class OneWorker:
    """`on_up` is told when a process is there (give it what it must know), `on_event` every event of a port that is
    still leased, `on_lost` the ports that died with the process. A worker that is `leaving` belonged to another site
    file: it has the calls it has, and ends with the last one."""

    def __init__(
        self,
        number: int,
        place: Place,
        counters: Counter[str],
        *,
        on_up: Callable[[OneWorker], None],
        on_event: Callable[[MediaPort, Event], None],
        on_lost: Callable[[list[MediaPort]], None],
        grace_s: float = 0.0,
        cpu: int | None = None,
        leaving: bool = False,
    ) -> None:
        self.number, self.place, self.ports, self.counters = number, place, place.ports, counters
        self._on_up, self._on_event, self._on_lost = on_up, on_event, on_lost
        self._grace_s, self._cpu, self._leaving = grace_s, cpu, leaving
        self.supervisor: Supervisor | None = None
        self.leased: dict[int, MediaPort] = {}  # by index
        self.remotes: dict[int, RemoteMedia] = {}  # by port number
        self._pool: deque[tuple[int, float]] = deque()  # free ports, who rested longest first: index, rested at
        self._generation = 0
        #: By index, generation, question (0: of a release).
        self._on_stats: dict[tuple[int, int, int], tuple[OnStats, RemoteMedia | None]] = {}
        self._question = 0
        self._quality: Event | None = None  # the half of the counters that comes first
        self._sound: Event | None = None  # the same, of decoded sound; only if there was some
        self._found: Event | None = None  # the half of a lease that comes first
        self._ready: asyncio.Future[int] | None = None
        self._announced: list[int] = []
        self._totals: Counter[str] = Counter()
        self.recordings = Recordings(number, self.send, counters)
        self._listed = False
        self._missing: asyncio.TimerHandle | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self, folder: RuntimeFolder, loop: asyncio.AbstractEventLoop, found: Place | None = None) -> None:
        """Take the process that was found, else start one, and wait for its ports. Raises WorkerFailed if none can be
        opened."""
        self._loop = loop
        self._ready = loop.create_future()
        self.supervisor = Supervisor(
            folder, self.place, Told(lambda: self._on_up(self), self._take, self._went_down), self.counters, loop,
            found=found, grace_s=self._grace_s, cpu=self._cpu, again=not self._leaving,
        )  # fmt: skip
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

    async def close(self, stay: bool = False) -> None:
        """End the process: ports still leased are simply gone, their peers get RTCP BYE. With `stay` they live on, for
        the next server, until the grace is over."""
        supervisor, self.supervisor = self.supervisor, None
        if self._missing is not None:
            self._missing.cancel()
        self._pool.clear()
        if supervisor is not None:
            await supervisor.close(stay and bool(self.leased))
        if not stay:  # else they go on, and the next server finds their files
            self.recordings.all_lost()
        self.leased.clear()
        self.remotes.clear()
        self._answer_stats_with_zeros()

    @property
    def pid(self) -> int | None:
        return None if self.supervisor is None else self.supervisor.pid

    @property
    def free(self) -> int:
        """Ports that can be leased."""
        return len(self._pool)

    @property
    def load(self) -> tuple[bool, bool, int]:
        """The least is the best one for a new call."""
        free = bool(self._pool)
        return not free, free and self._pool[0][1] > self._loop.time(), len(self.leased)

    # --- ports --------------------------------------------------------------------------------------------------------

    def lease(self, tag: bytes = b"") -> MediaPort:
        """The port that rested longest; IndexError if none is free."""
        index, rested_at = self._pool.popleft()
        if rested_at > self._loop.time():
            self.counters["media_ports_not_rested"] += 1
        self._generation = self._generation % 0xFFFFFFFF + 1
        port = self._port(index, self._generation)
        self.send(records.lease(index, port.generation, tag))
        return port

    def connect(self, port: MediaPort, remote: RemoteMedia) -> None:
        index = self.index(port)
        if index is not None:
            self.remotes[port.number] = remote
            self.send(records.connect(index, port.generation, remote))
            if isinstance(remote.security, SrtpKeys):
                self.send(records.keys(index, port.generation, remote.security))
            elif remote.security is not None:
                ice = remote.ice is not None
                self.send(
                    records.handshake(index, port.generation, remote.security, ice, port.ice_ufrag, port.ice_pwd)
                )

    def holds(self, port: MediaPort) -> bool:
        """The lease is not over."""
        return self._held(port) is not None

    def place_of(self, port: MediaPort) -> int:
        return (port.number - self.ports.first) >> 1

    def _held(self, port: MediaPort) -> int | None:
        place = self.place_of(port)
        live = self.leased.get(place)
        return place if live is not None and live.generation == port.generation else None

    def index(self, port: MediaPort) -> int | None:
        """The port's place in the range; None, counted, if this lease is over."""
        place = self._held(port)
        if place is None:
            self.counters["media_unknown_port"] += 1
        return place

    def ask(self, port: MediaPort, on_stats: OnStats) -> None:
        """The counters so far."""
        index = self.index(port)
        if index is None:
            self._answer_with_zeros(on_stats)
            return
        self._question = self._question % 0xFFFFFFFF + 1
        self._on_stats[index, port.generation, self._question] = on_stats, self.remotes.get(port.number)
        self.send(records.tell_stats(index, port.generation, self._question))

    def release(self, port: MediaPort, on_stats: OnStats | None) -> None:
        """`on_stats` is called when the counters arrive, with zeros if the lease is over."""
        index = self.index(port)
        if index is None:
            if on_stats is not None:
                self._answer_with_zeros(on_stats)
            return
        del self.leased[index]
        remote = self.remotes.pop(port.number, None)
        if not self._leaving:
            self._pool.append((index, self._loop.time() + REST_S))
        if on_stats is not None:
            self._on_stats[index, port.generation, 0] = on_stats, remote
        self.send(records.release(index, port.generation))
        if self._leaving and not self.leased:
            self.send(records.stop())

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
        port = self.leased.get(event.port)
        if event.op == records.QUALITY:
            self._quality = event
        elif event.op == records.STATS:
            self._on_stats_event(event)
        elif event.op == records.SOUND:
            self._sound = event
        elif event.op == records.LEASED:
            self._found = event
        elif event.op == records.LEASED_PEER and self._found is not None:
            self._find(self._found, event)
        elif event.op == records.PORTS:
            self._on_ports(range(event.port, event.port + event.argument))
        elif event.op == records.READY:
            self._on_ready(event)
        elif event.op == records.PONG:
            self._count(_TOTALS, event)
        elif event.op in EVENTS_OF_RECORDINGS:
            self.recordings.event(event)
        elif event.op == records.SECURITY_TOTALS:
            self._count(_SECURITY_TOTALS, event)
        elif port is not None and port.generation == event.generation:
            self._on_event(port, event)

    def _find(self, leased: Event, peer: Event) -> None:
        """A lease of the server before."""
        port = self._port(leased.port, leased.generation)
        port.tag, port.doing = records.tag_of(leased), records.DOING[leased.flags]
        self._generation = max(self._generation, leased.generation)
        remote = records.remote_of(leased, peer)
        if remote is not None:
            self.remotes[port.number] = remote

    def _on_ports(self, indices: range) -> None:
        if self._listed:  # they could be opened after all
            self._pool.extend((index, 0.0) for index in indices)
        else:
            self._announced.extend(indices)

    def _on_ready(self, event: Event) -> None:
        opened, taken, unopened, error = event.argument, event.a, event.b, event.c
        reason = os.strerror(error) if error else ""
        if unopened:
            log.warning("media ports left out: too few descriptors", opened=opened, left_out=unopened, limit=reason)
        if taken:
            self.counters["media_ports_unavailable"] += taken
            log.warning("media ports left out: they can't be bound", opened=opened, left_out=taken, reason=reason)
        self._listed = True
        if self._leaving:
            self.send(records.retire() if self.leased else records.stop())
        else:
            self._pool = deque((index, 0.0) for index in self._announced if index not in self.leased)
            retired = bool(event.flags)  # under another site file: its free ports are closed
            if taken or retired:
                self._missing = self._loop.call_later(0 if retired else _OPEN_MISSING_S, self._open_missing)
        self._announced = []
        if opened:
            log.info("media worker ready", pid=self.pid, port_pairs=opened, adopted=len(self.leased))
        if self._ready is not None and not self._ready.done():
            if opened:
                self._ready.set_result(opened)
            else:
                text = f"no media port of {self.place.host}:{self.ports.first}-{self.ports.last} can be opened"
                self._ready.set_exception(WorkerFailed(f"{text}: {reason}" if reason else text))
        elif not opened and self.supervisor is not None:
            self.supervisor.restart()  # perhaps the dead worker's sockets still were there

    def _open_missing(self) -> None:
        """Again and again: a worker of another version, or another program, may give them up."""
        if len(self.leased) + len(self._pool) < (self.ports.last - self.ports.first + 1) // 2:
            self.send(records.open_missing())
            self._missing = self._loop.call_later(_OPEN_MISSING_S, self._open_missing)

    def _on_stats_event(self, event: Event) -> None:
        quality, self._quality = self._quality, None
        sound, self._sound = self._sound, None
        if not event.argument:
            self.counters["media_packets_lost"] += event.c
            self.counters["media_packets_dropped"] += event.d
            if sound is not None:
                self.counters["media_concealed_ms"] += sound.a
                self.counters["media_decode_errors"] += sound.b
        asked = self._on_stats.pop((event.port, event.generation, event.argument), None)
        if asked is not None and quality is not None:
            on_stats, remote = asked
            self._call(on_stats, stats_of(event, quality, sound, remote))

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
        self._listed = False
        self._pool.clear()
        self.remotes.clear()
        if self._missing is not None:
            self._missing.cancel()
        lost, self.leased = list(self.leased.values()), {}
        self.counters["media_ports_lost"] += len(lost)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkerFailed("the media worker died while starting"))
        self._on_lost(lost)
        self.recordings.all_lost()
        self._answer_stats_with_zeros()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _port(self, index: int, generation: int) -> MediaPort:
        port = MediaPort(self.ports.first + 2 * index, self.place.advertise, generation, self.number)
        self.leased[index] = port
        return port

    def _answer_with_zeros(self, on_stats: OnStats) -> None:
        if self.supervisor is not None:
            self._loop.call_soon(on_stats, PortStats())

    def _answer_stats_with_zeros(self) -> None:
        waiting, self._on_stats = list(self._on_stats.values()), {}
        for on_stats, _ in waiting:
            self._call(on_stats, PortStats())

    def _call(self, on_stats: OnStats, stats: PortStats) -> None:
        """One call's fault must not stop the events of the others."""
        try:
            on_stats(stats)
        except Exception:
            self.counters["media_callback_errors"] += 1
            log.exception("a media callback failed")


def stats_of(event: Event, quality: Event, sound: Event | None, remote: RemoteMedia | None) -> PortStats:
    """The parts of a port's counters, and what they sound like."""
    received, sent, lost = event.a, event.b, event.c
    jitter_ms, peer_jitter_ms = round(event.e * _JITTER_MS, 3), round(quality.c * _PEER_JITTER_MS, 3)
    rtt_ms = round(quality.a * _ROUND_TRIP_MS, 3) if quality.a else None
    peer_lost = max(0, quality.b - (1 << 32) if quality.b >> 31 else quality.b)
    codec, ptime_ms = ("", 20) if remote is None else (records.codec_name(event.f), remote.ptime_ms or 20)
    mos = score(
        codec, received=received, lost=lost, bursts=quality.d, jitter_ms=jitter_ms, round_trip_ms=rtt_ms,
        ptime_ms=ptime_ms,
    )  # fmt: skip
    peer_mos = score(
        codec, received=sent - peer_lost if quality.e else 0, lost=peer_lost, jitter_ms=peer_jitter_ms,
        round_trip_ms=rtt_ms, ptime_ms=ptime_ms,
    )  # fmt: skip
    return PortStats(
        packets_received=received,
        packets_sent=sent,
        packets_lost=lost,
        packets_dropped=event.d,
        jitter_ms=jitter_ms,
        loss_bursts=quality.d,
        rtt_ms=rtt_ms,
        peer_lost=peer_lost,
        peer_jitter_ms=peer_jitter_ms,
        peer_reports=quality.e,
        concealed_ms=0 if sound is None else sound.a,
        decode_errors=0 if sound is None else sound.b,
        late=0 if sound is None else sound.c,
        mos=mos,
        peer_mos=peer_mos,
        codec=codec,
    )
