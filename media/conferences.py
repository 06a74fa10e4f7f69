"""The plane's conferences: who is in which, who hears whom, and what the workers are told of it.

The worker knows seats and a mask of the seats that each hears; both are worked out here.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from media import records
from media.one_worker import OneWorker
from media.plane import MEMBERS_MOST, Conference, ConferencesExhausted, MediaPort
from media.transit import Transits

CONFERENCES_MOST = 1000  # a worker has room for 1024: those of a server before it may still go on

_Who = tuple[int, int]  # a port's number and generation


@dataclass(slots=True, eq=False)
class _Member:
    who: _Who
    seat: int
    own: MediaPort
    port: MediaPort  # the same, or what stands in for it at the conference's worker
    hears: frozenset[_Who] | None
    heard_by: frozenset[_Who] | None
    mask: int = -1  # as the worker has it


@dataclass(slots=True, eq=False)
class _Mix:
    conference: Conference
    speakers_most: int
    members: dict[_Who, _Member] = field(default_factory=dict)
    opened: bool = False  # at a worker: with the first member, at his


class Conferences:
    """Those of a `WorkerPlane`, by number; a port is in one at most."""

    def __init__(self, workers: list[OneWorker], transits: Transits, counters: Counter[str]) -> None:
        self._workers, self._transits, self._counters = workers, transits, counters
        self._mixes: dict[int, _Mix] = {}
        self._of: dict[_Who, _Mix] = {}
        self._number = secrets.randbits(31)  # workers may still have those of the server before

    def __len__(self) -> int:
        return len(self._mixes)

    def open(self, speakers_most: int) -> Conference:
        """Raises ConferencesExhausted."""
        if len(self._mixes) >= CONFERENCES_MOST:
            self._counters["media_conferences_exhausted"] += 1
            raise ConferencesExhausted(f"more than {CONFERENCES_MOST} conferences")
        self._number = (self._number + 1) & 0xFFFFFFFF
        conference = Conference(self._number, self._number)
        self._mixes[conference.number] = _Mix(conference, speakers_most)
        return conference

    def join(
        self, conference: Conference, port: MediaPort, hears: Sequence[MediaPort] | None,
        heard_by: Sequence[MediaPort] | None,
    ) -> None:  # fmt: skip
        """Raises ConferencesExhausted."""
        mix, who = self._mixes.get(conference.number), _who(port)
        if mix is None:
            self._counters["media_unknown_conference"] += 1
            return
        member = mix.members.get(who)
        if member is None:
            member = self._enter(mix, port)
            if member is None:
                return
        member.hears, member.heard_by = _all(hears), _all(heard_by)
        self._tell(mix)

    def left(self, port: MediaPort) -> bool:
        """Whatever else feeds the port takes it out; the worker does that by itself. Was it in one?"""
        mix = self._of.pop(_who(port), None)
        if mix is not None:
            del mix.members[_who(port)]
        return mix is not None

    def close(self, conference: Conference) -> None:
        mix = self._mixes.pop(conference.number, None)
        if mix is None:
            self._counters["media_unknown_conference"] += 1
            return
        self._forget(mix)
        if mix.opened:
            self._workers[conference.worker].send(records.close_conference(conference.number))

    def lost(self, worker: int) -> None:
        """Its process died: what it mixed is over."""
        for mix in [mix for mix in self._mixes.values() if mix.opened and mix.conference.worker == worker]:
            del self._mixes[mix.conference.number]
            mix.conference.lost = True
            self._forget(mix)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _enter(self, mix: _Mix, port: MediaPort) -> _Member | None:
        """A seat for a new member; None: there are no free ports for one of another worker, who stays silent."""
        if len(mix.members) >= MEMBERS_MOST:
            self._counters["media_conferences_exhausted"] += 1
            raise ConferencesExhausted(f"more than {MEMBERS_MOST} in one conference")
        self.left(port)
        self._transits.end(port)
        if not mix.opened:
            mix.opened, mix.conference.worker = True, port.worker
            opened = records.open_conference(mix.conference.number, mix.speakers_most)
            self._workers[port.worker].send(opened)
        here: MediaPort | None = port
        if port.worker != mix.conference.worker:
            here = self._transits.stand_in(port, mix.conference.worker)
        if here is None:
            return None
        taken = {member.seat for member in mix.members.values()}
        seat = next(number for number in range(MEMBERS_MOST) if number not in taken)
        member = mix.members[_who(port)] = _Member(_who(port), seat, port, here, None, None)
        self._of[_who(port)] = mix
        return member

    def _tell(self, mix: _Mix) -> None:
        """Every mask that has changed, of old members first: nobody may take the new one of a seat for its last."""
        worker, members = self._workers[mix.conference.worker], list(mix.members.values())
        for member in members:
            mask = sum(1 << other.seat for other in members if other is not member and _hears(member, other))
            if mask == member.mask:
                continue
            member.mask = mask
            index = worker.index(member.port)
            if index is not None:
                number = mix.conference.number
                worker.send(records.join(index, member.port.generation, number, member.seat, mask))

    def _forget(self, mix: _Mix) -> None:
        for who in mix.members:
            del self._of[who]
        for member in mix.members.values():
            self._transits.end(member.own)


def _who(port: MediaPort) -> _Who:
    return port.number, port.generation


def _all(ports: Sequence[MediaPort] | None) -> frozenset[_Who] | None:
    return None if ports is None else frozenset(_who(port) for port in ports)


def _hears(listener: _Member, speaker: _Member) -> bool:
    wants = listener.hears is None or speaker.who in listener.hears
    return wants and (speaker.heard_by is None or listener.who in speaker.heard_by)
