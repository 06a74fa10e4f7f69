"""Bridges between ports of different workers: a pair of ports that talk to each other over loopback UDP.

    peer -- a ==bridge== x -- loopback -- y ==bridge== b -- peer
            one worker                    the other one

Each packet costs one more receive and one more send; so `lease(beside=...)` is the way to avoid it.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass

import structlog

from media import records
from media.one_worker import OneWorker
from media.plane import MediaPort, RemoteMedia

log = structlog.get_logger("media")

_DTMF_TYPE = 101
_TAG = struct.Struct(">8sHHI")
_MARK = b"\xffTRANSIT"


@dataclass(slots=True, eq=False)
class _Transit:
    a: MediaPort
    b: MediaPort
    x: MediaPort  # beside a
    y: MediaPort  # beside b


class Transits:
    """By the numbers of the ports they join."""

    def __init__(self, workers: list[OneWorker], host: str, counters: Counter[str]) -> None:
        self._workers, self._counters = workers, counters
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._of: dict[int, _Transit] = {}

    def __len__(self) -> int:
        return len(self._of) // 2

    def join(self, a: MediaPort, b: MediaPort) -> None:
        """Bridge ports of two workers. Without free ports for it both are left silent, and that is counted."""
        known = self._of.get(a.number)
        if known is not None and known is self._of.get(b.number):
            return
        self.end(a)
        self.end(b)
        first, second = self._workers[a.worker], self._workers[b.worker]
        if not first.free or not second.free:
            self._counters["media_transits_refused"] += 1
            for worker, port in ((first, a), (second, b)):
                worker.send(records.silence(worker.place_of(port), port.generation))
            return
        tag = _TAG.pack(_MARK, a.number, b.number, 0)
        transit = _Transit(a, b, first.lease(tag), second.lease(tag))
        self._keep(transit)
        self._connect(transit)
        for worker, one, other in ((first, a, transit.x), (second, b, transit.y)):
            places = worker.place_of(one), worker.place_of(other)
            worker.send(records.bridge(places[0], one.generation, places[1], other.generation))

    def stand_in(self, port: MediaPort, worker: int) -> MediaPort | None:
        """A port of another worker that is there what `port` is here; None, counted: there are no free ports."""
        first, second = self._workers[port.worker], self._workers[worker]
        if not first.free or not second.free:
            self._counters["media_transits_refused"] += 1
            return None
        tag = _TAG.pack(_MARK, port.number, port.number, 0)
        transit = _Transit(port, port, first.lease(tag), second.lease(tag))
        self._keep(transit)
        self._connect(transit)
        places = first.place_of(port), first.place_of(transit.x)
        first.send(records.bridge(places[0], port.generation, places[1], transit.x.generation))
        return transit.y

    def changed(self, port: MediaPort) -> None:
        """The peer of a joined port was connected anew: its codec may be another."""
        transit = self._of.get(port.number)
        if transit is not None:
            self._connect(transit)

    def end(self, port: MediaPort) -> None:
        """What the port was joined to by a transit hears silence."""
        transit = self._of.get(port.number)
        if transit is not None:
            self._end(transit)

    def adopt(self, found: dict[bytes, list[MediaPort]]) -> None:
        """Take those of `found` (ports by tag) that are transits out of it; one that lacks an end is released."""
        ports = {port.number: port for worker in self._workers for port in worker.leased.values()}
        for tag in [tag for tag in found if tag.startswith(_MARK)]:
            pair = found.pop(tag)
            _, first, second, _ = _TAG.unpack(tag)
            a, b = ports.get(first), ports.get(second)
            if a is not None and b is not None and {one.worker for one in pair} == {a.worker, b.worker}:
                x, y = sorted(pair, key=lambda one: one.worker != a.worker)
                self._keep(_Transit(a, b, x, y))
            else:
                for one in pair:
                    self._workers[one.worker].release(one, None)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _keep(self, transit: _Transit) -> None:
        self._of[transit.a.number] = self._of[transit.b.number] = transit
        transit.x.on_lost = transit.y.on_lost = lambda: self._end(transit)

    def _connect(self, transit: _Transit) -> None:
        """Both directions carry the codec of `a`: what has to be transcoded is, beside `b`."""
        remote = self._workers[transit.a.worker].remotes.get(transit.a.number)
        codec, payload_type = ("PCMU", 0) if remote is None else (remote.codec, remote.payload_type)
        clock_hz = 8000 if remote is None else remote.clock_hz
        dtmf_type = _DTMF_TYPE + (payload_type == _DTMF_TYPE)
        for one, other in ((transit.x, transit.y), (transit.y, transit.x)):
            self._workers[one.worker].connect(
                one,
                RemoteMedia(self._host, other.number, codec, payload_type, dtmf_type, clock_hz=clock_hz),
            )

    def _end(self, transit: _Transit) -> None:
        for port in (transit.a, transit.b):
            self._of.pop(port.number, None)  # both are one if it stands in for a port
        for one in (transit.x, transit.y):
            one.forget()
            worker = self._workers[one.worker]
            if worker.holds(one):
                worker.release(one, None)
