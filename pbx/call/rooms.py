"""Ways into a conference.

    conference NAME      a room of the site, after its PIN; `conference new`: one of its own for who dials it
    add NUMBER           by REFER: the call of who sends it becomes a conference, into which the number is called
    INVITE, REFER to     the URI that our Contact has in a conference (RFC 4579 4.3, 5.2, 5.5)
    REFER by a member    calls whom it names into his conference (RFC 4579 5.5)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from config.conferences import NEW, Room
from config.schema import Destination
from media.plane import ConferencesExhausted
from pbx.call import events
from pbx.call.call import RUNG, Call
from pbx.call.conference import SEATED, Conference, Seat, listens, number_of
from pbx.call.controller import Passive
from pbx.call.origin import Origin
from pbx.call.originate import NotDialled
from pbx.call.typed_keys import TypedKeys, same, say
from pbx.routing.admission import Refuse
from pbx.routing.dial_plan import Caller, Route

if TYPE_CHECKING:
    from pbx.call.leg import Leg
    from pbx.call.switch import Switch
    from pbx.call.transfer import Hears

_URI: Final = "conference-"  # what the user of a conference's URI begins with
_SPEAKABLE: Final = re.compile(r"[A-Za-z0-9._-]+")  # names that need no escapes in a URI


class Rooms:
    """All conferences. `invite` and `add` raise NotDialled."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._live: dict[str, Conference] = {}
        self._door = Door(self._admit)
        self._guests: dict[str, list[Call]] = {}  # that are rung, by the call they are to come to
        switch.focus = self.route
        switch.meet_again = self._meet_again

    def view(self) -> list[dict[str, object]]:
        return [conference.view() for conference in self._live.values() if conference.several and not conference.empty]

    def event(self, event: object) -> None:
        """Calls that go elsewhere leave, and who is called for a call that is over is called no more."""
        kind = type(event)
        if kind is events.CallEnded:
            for name in [name for name, conference in self._live.items() if conference.empty]:
                del self._live[name]
            for guest in self._guests.pop(event.call_id, ()):  # type: ignore[attr-defined]
                guest.hang_up("nobody is there any more")
        elif kind is events.CallTransferred or kind is events.CallParked:
            call = self._switch.call(event.call_id)  # type: ignore[attr-defined]
            if call is None or call.conference is None:
                return
            if call.connected is None and not isinstance(call.controller, Seat):
                call.conference.leave(call)
            else:
                call.conference.refresh()

    # --- rooms ------------------------------------------------------------------------------------------------------

    def route(self, user: str) -> Route | None:
        """Where the URI of a conference that goes on leads."""
        name = user.removeprefix(_URI)
        live = self._live.get(name) if name != user else None
        if live is None or live.empty:
            return None
        return Route(Destination("conference", name), user, None, f"conference {name}")

    def start(self, call: Call, name: str) -> None:
        """Handler of destinations `conference`."""
        if name == NEW:
            name = call.switch.ids.token()
            conference: Conference | None = self._live.setdefault(name, Conference(call.switch, name, room=True))
        else:
            conference = self._room(name)
            if conference is None and call.answered:  # it was over a moment ago
                conference = self._live[name] = Conference(call.switch, name, room=True)
        if conference is None:
            call.refuse(404, f"no conference {name}")
            return
        spec = call.switch.rules.site.conferences.get(name)
        _say_focus(call.caller, name)
        if conference.full:
            call.refuse(486, f"conference {name} is full")
        elif spec is not None and spec.pin is not None:
            self._door.ask(call, name, spec)
        else:
            self._admit(call, name)

    def _room(self, name: str) -> Conference | None:
        conference = self._live.get(name)
        spec = self._switch.rules.site.conferences.get(name)
        if spec is None:
            return conference
        if conference is None:
            conference = self._live[name] = Conference(self._switch, name, room=True)
        conference.most, conference.music = spec.max_members, spec.music
        return conference

    def _admit(self, call: Call, name: str) -> None:
        """The caller may come in."""
        conference = self._room(name)
        if conference is None or conference.full:
            call.refuse(486, f"conference {name} is full")
            return
        call.controller = SEATED
        call.answer()
        if not call.answered:
            return  # it could not be: its end is on its way
        call.silence()
        self.seat(conference, call)

    def seat(self, conference: Conference, call: Call, host: Call | None = None) -> None:
        """Whoever has come takes part; without a mix for so many his call ends."""
        try:
            conference.enter(call, host=host)
        except ConferencesExhausted:
            call.switch.counters["calls_without_conference"] += 1
            call.refuse(503, "no more conferences")

    def _meet_again(self, name: str, room: bool, calls: list[Call]) -> None:
        """A conference that outlived the last server."""
        conference = self._room(name)
        if conference is None:
            conference = self._live[name] = Conference(self._switch, name, room=room)
        for call in calls:
            if call.connected is None:
                call.controller = SEATED
        conference.take_up(calls)

    # --- guests -----------------------------------------------------------------------------------------------------

    def add(self, call_id: str, number: str, by: str | None = None) -> Call:
        """A program adds somebody to a call, in the name of the extension `by` that takes part in it."""
        call = self._switch.call(call_id)
        if call is None:
            raise NotDialled("unknown", f"no call {call_id}")
        talks = call.connected
        legs = [call.caller] if talks is None or talks.winner is None else [call.caller, talks.winner]
        mine = [leg for leg in legs if leg.extension is not None and by in (None, leg.extension)]
        if not mine:
            raise NotDialled("number", f"{by or 'no extension'} takes part in the call")
        return self.invite(mine[-1], *self.destination(mine[-1], number))

    def destination(self, by: Leg, number: str) -> tuple[Destination, str]:
        """Where the dial plan sends whom the user of a leg calls; and what a trunk is to dial."""
        route = self._switch.rules.dial_plan.resolve(Caller("extension", by.extension or ""), number)
        if route is None or route.destination.kind not in RUNG:
            raise NotDialled("number", f"nobody at {number}")
        return route.destination, route.dial or route.number

    def invite(self, by: Leg, destination: Destination, dialled: str, hears: Hears | None = None) -> Call:
        """Call somebody into the call of `by`, which becomes a conference when he answers. `hears` is told how that
        gets on."""
        switch, host = self._switch, by.call
        if host is None or (host.partner_of(by) is None and not isinstance(host.controller, Seat)):
            raise NotDialled("alone", "nobody talks there")
        if listens(host):
            raise NotDialled("alone", "who listens adds nobody")
        if host.conference is not None and host.conference.full:
            raise NotDialled("full", "the conference is full")
        verdict = switch.admission.admit(None, by.extension, switch.clock.now())
        if isinstance(verdict, Refuse):
            raise NotDialled("refused", verdict.reason)
        guest = Call(
            switch, Origin(number_of(by), by.party.name, dialled, None, by.extension, host.max_forwards - 1)
        )  # fmt: skip
        if destination.kind == "trunk":
            guest.direction = "outbound"
        guest.answered = True  # by nobody: whoever answers takes the caller's place
        guest.destination, guest.dialled = destination, dialled
        guest.errand = _Invitation(self, host, hears)
        self._guests.setdefault(host.id, []).append(guest)
        switch.counters["conference_guests"] += 1
        switch.begin(guest, switch.clock.now())
        guest.route(destination)
        return guest

    @staticmethod
    def dialled(call: Call, name: str) -> None:
        """Handler of destinations `add`, for who dials it instead of giving his call to it."""
        call.refuse(480, "for a call that is transferred to it")

    def answered(self, guest: Call, host: Call) -> None:
        """Who was called for a call is there."""
        self.decided(guest, host)
        talks = guest.connected
        there = host.connected is not None or isinstance(host.controller, Seat)
        if talks is None or host.ended or not there:
            guest.hang_up("nobody is there any more")
            return
        conference = self.of(host)
        leg = guest.take_out(talks)
        guest.destination = Destination("conference", conference.name)
        guest.take(str(guest.destination), SEATED)
        absent = guest.replace_caller(leg)
        absent.end()
        absent.free()
        self.seat(conference, guest, host)

    def of(self, call: Call) -> Conference:
        """The conference that a call takes part in, or that it becomes."""
        if call.conference is not None:
            return call.conference
        name = call.switch.ids.token()
        conference = self._live[name] = Conference(call.switch, name)
        return conference

    def decided(self, guest: Call, host: Call) -> None:
        """Nobody is called any more by this call."""
        guests = self._guests.get(host.id, [])
        if guest in guests:
            guests.remove(guest)
        if not guests:
            self._guests.pop(host.id, None)


class _Invitation:
    """The errand of a call into a conference, until somebody has answered."""

    __slots__ = ("_hears", "_host", "_rooms")

    def __init__(self, rooms: Rooms, host: Call, hears: Hears | None) -> None:
        self._rooms, self._host, self._hears = rooms, host, hears

    def _tell(self, status: int, reason: str) -> None:
        if self._hears is not None:
            self._hears.tell(status, reason)

    def on_ringing(self, call: Call) -> None:
        self._tell(180, "Ringing")

    def on_left(self, call: Call, attempt: object) -> bool:
        return False

    def on_reached(self, call: Call) -> None:
        self._tell(200, "OK")
        self._rooms.answered(call, self._host)

    def on_refused(self, call: Call, status: int, cause: str) -> bool:
        self._rooms.decided(call, self._host)
        self._tell(status, cause)
        call.answered = False  # the call is told of with this status
        return False

    def on_over(self, call: Call, cause: str) -> None:
        self._rooms.decided(call, self._host)
        self._tell(487, cause)


class _Knock:
    """A caller who types a PIN."""

    __slots__ = ("name", "room", "typed")

    def __init__(self, name: str, room: Room, typed: TypedKeys) -> None:
        self.name, self.room, self.typed = name, room, typed


class Door(Passive):
    """In charge of calls until their callers have typed the PIN."""

    def __init__(self, admit: Callable[[Call, str], None]) -> None:
        self._admit = admit
        self._knocks: dict[str, _Knock] = {}  # by call id

    def ask(self, call: Call, name: str, room: Room) -> None:
        call.controller = self
        call.on_over = self._gone
        self._knocks[call.id] = _Knock(name, room, TypedKeys(call, self._too_long))
        say(call, room.ask_pin)

    def on_digit(self, call: Call, digit: str) -> None:
        knock = self._knocks.get(call.id)
        if knock is None or knock.room.pin is None:
            return
        keys = knock.typed.take(call, digit)
        if keys is None:
            return
        if same(keys, knock.room.pin.get_secret_value()):
            self._gone(call)
            self._admit(call, knock.name)
        elif knock.typed.again():
            say(call, (*knock.room.wrong_pin, *knock.room.ask_pin))
        else:
            call.switch.counters["conference_pins_refused"] += 1
            self._gone(call)
            call.hang_up("wrong PIN")

    def _too_long(self, call: Call) -> None:
        if call.id in self._knocks:
            self._gone(call)
            call.hang_up("no PIN")

    def on_taken(self, call: Call, to: str) -> None:
        self._gone(call)

    def _gone(self, call: Call) -> None:
        knock = self._knocks.pop(call.id, None)
        if knock is not None:
            knock.typed.stop()
            call.on_over = None


def _say_focus(leg: Leg, name: str) -> None:
    """RFC 4579 4.3: our Contact in the conference is its URI, and says that we are its focus."""
    contact = leg.dialog.contact
    if "isfocus" not in contact and _SPEAKABLE.fullmatch(name):
        leg.dialog.contact = contact.replace("plateau@", f"{_URI}{name}@") + ";isfocus"
