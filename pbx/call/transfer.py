"""Transfers: a party is given on, to a destination (blind) or to whom its giver talks with besides (attended).

blind: the giver is set aside, the call is routed as if its caller had dialled. What the destination does decides:

    A ---- call ---- B           A ---- call ---- (C rings)          A ---- call ---- C
                                         B aside, hears how it goes           B hung up
                                         refused: A and B talk again; B gone: his phone is rung

attended: two calls of B become one, without an INVITE. The call in which B was called goes on, so that what is known of
a customer stays; a call in which B still waits for somebody (a queue, a ringing phone) goes on with A in B's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from config.schema import Destination
from pbx.call import events
from pbx.call.bridge import JOINED
from pbx.call.caller_leg import CallerLeg
from pbx.call.controller import NOBODY, Controller

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.leg import Leg


class Hears(Protocol):
    """Who is told how a transfer gets on, in SIP's words; a final status (200 and above) is the last."""

    def tell(self, status: int, reason: str) -> None: ...


class Transfer:
    """A blind transfer on its way: the errand of its call."""

    __slots__ = ("_agent", "_aside", "_before", "_by", "_extension", "_given", "_hears")

    def __init__(
        self, by: Leg, aside: Attempt, given: Destination | None, agent: str | None, before: Controller, hears: Hears
    ) -> None:
        self._by = number_of(by)
        self._extension = by.extension
        self._agent = agent  # who talked, on either side
        self._aside: Attempt | None = aside
        self._given = given  # whom the caller had dialled and gives on; None: it is the caller who is given on
        self._before = before  # in charge of the call until the party is gone
        self._hears = hears

    def on_ringing(self, call: Call) -> None:
        self._hears.tell(180, "Ringing")

    def on_left(self, call: Call, attempt: Attempt) -> bool:
        if attempt is not self._aside:
            return False
        self._aside = None  # he hung up; for an agent the call is done
        if call.controller is not self._before:
            self._before.on_taken(call, str(call.destination))
        self._before = JOINED
        return True

    def on_reached(self, call: Call) -> None:
        call.referred_by = ""
        self._hears.tell(200, f"Parked at {call.parked}" if call.parked else "OK")
        if call.controller is not self._before:
            self._before.on_taken(call, str(call.destination))
        now_with = None if call.connected is None else call.connected.agent
        call.switch.counters["calls_transferred"] += 1
        call.switch.emit(
            events.CallTransferred(
                call.clock.now(), call.id, "blind", self._by, str(call.destination), None, self._agent, now_with
            )
        )
        self._drop(call)

    def on_refused(self, call: Call, status: int, cause: str) -> bool:
        call.referred_by = ""
        call.switch.counters["transfers_refused"] += 1
        self._hears.tell(status, cause)
        if self._aside is not None:
            aside, self._aside = self._aside, None
            call.controller = self._before
            if self._given is None:
                call.bridge(aside)
            else:
                self._before.on_returned(call, call.swap_back(aside, self._given, self._agent))
        elif self._extension is not None:
            call.route(Destination("extension", self._extension))
        else:
            return False
        return True

    def on_over(self, call: Call, cause: str) -> None:
        self._hears.tell(487, cause)
        if call.controller is not self._before:
            self._before.on_caller_gone(call, cause)
        self._aside = None

    def _drop(self, call: Call) -> None:
        aside, self._aside = self._aside, None
        if aside is not None:
            call.drop(aside, "transferred")


def blind(leg: Leg, destination: Destination, dialled: str, hears: Hears) -> None:
    """Give the party of `leg`, who talks with it, to a destination; `dialled` is for a trunk."""
    call = leg.call
    assert call is not None
    hears.tell(100, "Trying")
    assert call.connected is not None
    agent, before = call.connected.agent, call.controller
    given = call.connected.destination if leg is call.caller else None
    aside = call.swap() if given is not None else call.set_aside()
    assert aside is not None
    if given is not None:
        call.controller = JOINED
    call.errand = Transfer(leg, aside, given, agent, before, hears)
    call.referred_by = number_of(leg)
    call.diversions = ()  # what was forwarded before has been answered
    call.max_forwards -= 1  # phones that give a party to and fro come to an end
    call.dialled = dialled
    call.route(destination)


def attended(leg: Leg, other: Leg, hears: Hears) -> None:
    """Bring together with whom `leg` talks and with whom, or what, `other` does; both are of one phone, in two
    calls."""
    here, there = leg.call, other.call
    assert here is not None and there is not None
    if leg is here.caller and other is not there.caller:
        leg, other, here, there = other, leg, there, here  # the call in which he was called goes on
    hears.tell(200, "OK")
    talks = there.connected
    if other is there.caller and (talks is None or talks.agent is not None):
        _into_his_place(leg, other, here, there)
    else:
        _join(leg, other, here, there)


def _into_his_place(leg: Leg, other: Leg, here: Call, there: Call) -> None:
    """Who talks with `leg` becomes the caller of the other call, which may wait for somebody."""
    agent, to_agent = _agent_of(here, leg), None if there.connected is None else there.connected.agent
    to = str(there.destination)
    here.take(to, NOBODY)
    if leg is here.caller:
        assert here.connected is not None
        party = here.take_out(here.connected)
    else:
        party = here.caller
    there.set_attributes({**there.attributes, **here.attributes})
    there.replace_caller(party)
    there.diversions = ()
    if party is here.caller:
        here.dissolve("transferred")
    else:
        here.hang_up("transferred")
    hang_up_alone(other)
    if there.connected is None and not there.ended and not there.hears_music:
        there.ring()
    _told(there, leg, to, here.id, agent, to_agent)


def _join(leg: Leg, other: Leg, here: Call, there: Call) -> None:
    """Who talks with `other` takes the place of `leg`."""
    agent, to_agent = _agent_of(here, leg), _agent_of(there, other)
    there.take("transferred", NOBODY)
    if other is there.caller:
        assert there.connected is not None
        party = there.take_out(there.connected)
    else:
        party = there.caller
    to = Destination("extension", party.extension) if party.extension else there.destination
    here.take(str(to), JOINED)
    if leg is here.caller:
        assert here.connected is not None
        old = here.replace_caller(here.take_out(here.connected))
        here.bridge(here.adopt(party, to))
        hang_up_alone(old)
    else:
        aside = here.set_aside()
        here.bridge(here.adopt(party, to))
        if aside is not None:
            here.drop(aside, "transferred")
    if party is there.caller:
        there.dissolve("transferred")
    else:
        there.hang_up("transferred")
    _told(here, leg, str(to), there.id, agent, to_agent)


def _told(call: Call, by: Leg, to: str, over: str, agent: str | None, to_agent: str | None) -> None:
    call.switch.counters["calls_transferred"] += 1
    now = call.clock.now()
    call.switch.emit(events.CallTransferred(now, call.id, "attended", number_of(by), to, over, agent, to_agent))


def _agent_of(call: Call, leg: Leg) -> str | None:
    """The agent who talks on this leg, or with its other end."""
    return None if call.connected is None else call.connected.agent


def number_of(leg: Leg) -> str:
    return leg.extension or leg.party.number


def hang_up_alone(leg: Leg) -> None:
    """End a leg that no call has any more."""
    now = leg.switch.clock.now()
    if isinstance(leg, CallerLeg) and leg.phase in ("trying", "early"):
        leg.refuse(487, now)
        leg.free()
    else:
        leg.drop(now)
