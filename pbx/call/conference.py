"""Several who talk together. The members of a conference are calls: of each its caller, and whom he talks with, if he
does. It is about sound alone; who is in charge of a call stays so. Nobody's leaving ends the others:

    in all       what they hear
    one          music, in a room; elsewhere it is over for him
    two          each other, by a plain bridge, whichever calls they are in
    more         a mix of the media plane, and so whenever somebody listens to a call (see supervision.py)

Who holds takes no part meanwhile, and the others do not hear his music.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from config.schema import Destination
from media.plane import Conference as Mix
from media.plane import ConferencesExhausted, MediaPort, UnknownPrompt
from pbx.call import events, hold
from pbx.call.controller import Passive

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.leg import Leg
    from pbx.call.switch import Switch


class Seat(Passive):
    """In charge of a call whose caller is in a conference by himself."""

    def on_taken(self, call: Call, to: str) -> None:
        if call.conference is not None:
            call.conference.leave(call)


SEATED = Seat()


class Listens(NamedTuple):
    """The part of a supervisor's call."""

    agent: Leg  # whom he listens to
    mode: str  # monitor, whisper, barge

    @property
    def heard_by(self) -> tuple[MediaPort, ...] | None:
        """Who hears him; None: all."""
        port = self.agent.audio.port
        return {"monitor": (), "whisper": () if port is None else (port,)}.get(self.mode)

    @property
    def over(self) -> bool:
        """The agent talks no more in the call in which he was listened to, or another has his place."""
        call = self.agent.call
        return call is None or (call.connected is not None and call.partner_of(self.agent) is None)


class _Present(NamedTuple):
    """Somebody who is there."""

    call_id: str
    listens: Listens | None


class Conference:
    """Members come by `enter`; calls tell of their changes by the methods below it. `name` is part of its URI. A
    `room` goes on with one member too."""

    __slots__ = ("_calls", "_legs", "_mix", "_settling", "_told", "most", "music", "name", "room", "switch")

    def __init__(
        self, switch: Switch, name: str, *, room: bool = False, most: int = 0, music: str | None = None
    ) -> None:
        self.switch = switch
        self.name = name
        self.room = room
        self.most = most  # members; 0: as many as the plane mixes
        self.music = music  # for who is alone
        self._calls: dict[Call, Listens | None] = {}
        self._legs: dict[Leg, _Present] = {}  # who was there last
        self._told: dict[Leg, str] = {}  # of whom it has been told that they are there, with their calls
        self._mix: Mix | None = None
        self._settling = False

    # --- facts ------------------------------------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        return not self._calls

    @property
    def members(self) -> int:
        """Who is heard, or could be."""
        return sum(present.listens is None for present in self._legs.values())

    @property
    def several(self) -> bool:
        """Whether it is more than a call that somebody listens to."""
        return self.room or sum(part is None for part in self._calls.values()) > 1

    @property
    def full(self) -> bool:
        return 0 < self.most <= self.members

    def view(self) -> dict[str, object]:
        """A snapshot for people and programs."""
        return {
            "name": self.name, "room": self.room,
            "members": [
                {
                    "call_id": present.call_id, "number": number_of(leg), "name": leg.party.name,
                    "held": leg.audio.held, "mode": None if present.listens is None else present.listens.mode,
                }
                for leg, present in self._legs.items()
            ],
        }  # fmt: skip

    def part_of(self, call: Call) -> Listens | None:
        """What a supervisor's call does here."""
        return self._calls.get(call)

    def _present(self) -> Iterator[tuple[Leg, _Present]]:
        for call, part in self._calls.items():
            for leg in _parties(call):
                yield leg, _Present(call.id, part)

    def _others(self, call: Call) -> bool:
        """Whether somebody is there besides the parties of a call, and does not only listen."""
        return any(there.listens is None and there.call_id != call.id for _, there in self._present())

    # --- members ----------------------------------------------------------------------------------------------------

    def enter(self, call: Call, part: Listens | None = None, host: Call | None = None) -> None:
        """A call becomes part of it, with the call that it comes to; or a supervisor's call another part. Raises
        ConferencesExhausted if there is no mix to be had and it would need one; then nothing has changed."""
        calls = {**self._calls, **({} if host is None else {host: None}), call: part}
        if part is not None or sum(len(_parties(one)) for one in calls) > 2:
            self._open()
        self._calls.update(calls)
        for one in calls:
            one.conference = self
            self.switch.on_standing(one)
        self.refresh()

    def take_up(self, calls: list[Call]) -> None:
        """Those of the last server, all at once: nobody is alone meanwhile."""
        for call in calls:
            self._calls[call] = None
            call.conference = self
        self.refresh()

    def leave(self, call: Call) -> None:
        """A call goes on without it, or is over."""
        if call.conference is not self:
            return
        self._part(call)
        talks = call.connected
        if not call.ended and talks is not None and talks.winner is not None:
            hold.connect(self.switch, call.caller, talks.winner)
        self.refresh()

    def caller_left(self, call: Call) -> bool:
        """The caller of a call that talks here is gone; True: whom he talked with has his place, and stays."""
        talks = call.connected
        if talks is None or call.errand is not None or not self._others(call):
            return False
        self._seat(call)
        call.replace_caller(call.take_out(talks)).over()
        self.refresh()
        self.switch.on_standing(call)
        return True

    def called_left(self, call: Call, attempt: Attempt) -> bool:
        """Whom the caller talked with is gone; True: the caller stays."""
        if call.connected is not None or not self._others(call):
            return False
        self._seat(call)
        self.refresh()
        self.switch.on_standing(call)
        return True

    def _seat(self, call: Call) -> None:
        """One of two who talked is here by himself from now on."""
        call.destination = Destination("conference", self.name)
        call.take(str(call.destination), SEATED)

    # --- sound ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Somebody came, went, holds, or has another port: let all hear what they should."""
        if self._settling:
            return
        self._settling = True
        try:
            self._settle()
        finally:
            self._settling = False
        now = dict(self._present())
        before, self._legs = self._legs, now
        for leg in before:
            if leg not in now and leg.audio.port is not None:
                self.switch.plane.leave(leg.audio.port)
        self._connect([leg for leg in now if leg.audio.port is not None])
        self._tell()

    def _settle(self) -> None:
        """Who has no reason to stay goes: a supervisor without the agent he listens to, who is alone, a call that would
        be a conference of its own parties."""
        for call, part in list(self._calls.items()):
            if part is not None and (part.over or part.agent.call not in self._calls):
                self._part(call)
                call.hang_up("the agent's call is over")
        if self.room or len(self._calls) != 1:
            return
        (call,) = self._calls
        self._part(call)
        talks = call.connected
        if talks is not None and talks.winner is not None and not call.ended:
            hold.connect(self.switch, call.caller, talks.winner)
        elif isinstance(call.controller, Seat):
            call.hang_up("alone in a conference")

    def _part(self, call: Call) -> None:
        del self._calls[call]
        call.conference = None
        if not call.ended:
            self.switch.on_standing(call)

    def _connect(self, legs: list[Leg]) -> None:
        plane = self.switch.plane
        for leg in legs:
            leg.held = leg.audio.held
        if len(legs) == 2 and not any(self._legs[leg].listens for leg in legs):
            hold.connect(self.switch, *legs)
            self._close()
        elif len(legs) < 2:
            for leg in legs:
                self._alone(leg)
            self._close()
        elif (mix := self._opened()) is not None:
            for leg in legs:
                port = leg.audio.port
                assert port is not None
                if leg.held:
                    plane.silence(port)
                else:
                    part = self._legs[leg].listens
                    plane.join(mix, port, None, None if part is None else part.heard_by)
        else:
            for leg in legs:
                if leg.audio.port is not None:
                    plane.silence(leg.audio.port)

    def _alone(self, leg: Leg) -> None:
        plane, port = self.switch.plane, leg.audio.port
        if port is None:
            return
        try:
            if self.music is not None and self._legs[leg].listens is None:
                plane.play(port, (self.music,), loop=True)
                return
        except UnknownPrompt:
            self.switch.counters["media_unknown_prompts"] += 1
        plane.silence(port)

    def _open(self) -> Mix:
        if self._mix is None or self._mix.lost:
            self._mix = self.switch.plane.open_conference()
        return self._mix

    def _opened(self) -> Mix | None:
        try:
            return self._open()
        except ConferencesExhausted:  # its worker died and there is none yet: who gets a port again asks again
            self.switch.counters["conferences_without_mix"] += 1
            return None

    def _close(self) -> None:
        mix, self._mix = self._mix, None
        if mix is not None and not mix.lost:
            self.switch.plane.close_conference(mix)

    def _tell(self) -> None:
        """Who came and went. A call that is only listened to is no conference."""
        now, emit, before = self.switch.clock.now(), self.switch.emit, self._told
        there = {leg: one.call_id for leg, one in self._legs.items() if one.listens is None} if self.several else {}
        self._told = there
        for leg, call_id in before.items():
            if leg not in there:
                emit(events.ConferenceLeft(now, call_id, self.name, number_of(leg), len(there)))
        for leg, call_id in there.items():
            if leg not in before:
                emit(events.ConferenceJoined(now, call_id, self.name, number_of(leg), len(there)))


def number_of(leg: Leg) -> str:
    return leg.extension or leg.party.number


def listens(call: Call) -> bool:
    """Whether it is a supervisor's call, whose place nobody else may have."""
    return call.conference is not None and call.conference.part_of(call) is not None


def _parties(call: Call) -> tuple[Leg, ...]:
    """Who of a call is there: two who talk, or one who came alone."""
    talks = call.connected
    if talks is not None and talks.winner is not None:
        return call.caller, talks.winner
    return (call.caller,) if isinstance(call.controller, Seat) else ()
