"""Calls that outlive the server: what is kept of each that stands, and the call made again from it.

A call stands once its caller is answered. Kept are the dialogs and what was agreed for the sound, as JSON has it; no
keys of encrypted sound, no headers of the INVITE. In the next server its legs are there again: two who talked talk on,
a caller who waited goes where he waited from the beginning. Of a call that only rings phones nothing is kept but these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from config.schema import Destination
from media.plane import PortStats
from pbx.call import events
from pbx.call.bridge import JOINED
from pbx.call.call import Call
from pbx.call.controller import NOBODY
from pbx.call.kept_dialog import dialog_of, keep_dialog, login_of
from pbx.call.left_behind import keep_called, let_go
from pbx.call.leg import Leg, Party
from pbx.call.origin import Origin
from pbx.call.reanchor import Reanchor
from pbx.call.session_timer import Agreed
from pbx.routing import tolls
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.switch import Switch

Kept = dict[str, Any]
FORM: Final = 1  # of what is kept; another server may know another one


class StandingLeg(Leg):
    """An answered leg of the last server. `login` is what we answer a challenge with."""

    __slots__ = ("_login", "_there")

    def __init__(self, switch: Switch, call: Call, kept: Kept) -> None:
        super().__init__(
            switch, call, kept["number"], dialog_of(kept["dialog"]), kept["extension"], kept["trunk"]
        )  # fmt: skip
        self.party = Party(*kept["party"])
        self.can(None if kept["methods"] is None else frozenset(kept["methods"]))
        self.confirmed = True
        self._login = login_of(switch, kept["trunk"]) if kept["called"] else None
        bill = kept.get("bill")
        self.bill = None if bill is None else tolls.bill_of(bill)
        self.audio.take_up(kept["audio"])
        self._there = self.audio.port is not None  # else the peer has to say so
        self.watch(None if kept["session"] is None else Agreed(*kept["session"]))

    def let_go(self) -> None:
        """The call can't be made again: nobody has this leg."""
        self.watch(None)
        self.audio.release()

    def hear(self, message: Request | Response, hop: Hop) -> None:
        self._there = True
        super().hear(message, hop)

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self._there = True
        super().on_request(request, transaction, now)

    def free(self, on_stats: Callable[[PortStats], None] | None = None) -> None:
        if self.bill is not None and not self._there:
            self.switch.targets.tolls.lost(self.bill, self.switch.clock.now())
        super().free(on_stats)

    @property
    def login(self) -> tuple[str, str] | None:
        return self._login

    def _phase(self) -> str:
        return "confirmed"


def keep(call: Call) -> Kept | None:
    """What is to be known of a call for it to outlive the server, or for those who are called in it to be let go of;
    None if there is nothing."""
    if call.ended:
        return None
    attempt, stands = call.connected, _stands(call.caller)
    talks = None if attempt is None or attempt.winner is None or not _stands(attempt.winner) else attempt.winner
    left = [keep_called(leg) for leg in call.called() if leg is not talks or not stands]
    if not stands:
        return {"form": FORM, "caller": None, "left": left} if left else None
    talking = None
    if attempt is not None and talks is not None:
        talking = {
            "leg": _keep_leg(talks), "number": attempt.number, "agent": attempt.agent,
            "destination": list(attempt.destination),
        }  # fmt: skip
    room = call.conference
    listens = room is not None and room.part_of(call) is not None
    return {
        "form": FORM, "left": left, "conference": None if room is None or listens else [room.name, room.room],
        "id": call.id, "direction": call.direction, "from": call.from_number, "name": call.from_name,
        "to": call.to_number, "dialled": call.dialled, "destination": list(call.destination),
        "attributes": dict(call.attributes), "started_at": call.started_at, "connected_at": call.connected_at,
        "waited_s": call.waited_s, "max_forwards": call.max_forwards, "is_sips": call.is_sips,
        "caller": _keep_leg(call.caller), "talking": talking,
    }  # fmt: skip


def _stands(leg: Leg) -> bool:
    return leg.phase == "confirmed" and leg.confirmed and leg.audio.codec is not None


def _keep_leg(leg: Leg) -> Kept:
    return {
        "number": leg.number, "extension": leg.extension, "trunk": leg.trunk, "party": list(leg.party),
        "methods": None if leg.methods is None else sorted(leg.methods), "called": leg.login is not None,
        "session": None if leg.agreed is None else list(leg.agreed), "audio": leg.audio.keep(),
        "bill": tolls.kept(leg.bill), "dialog": keep_dialog(leg.dialog),
    }  # fmt: skip


def revive(switch: Switch, kept: Kept, now: float) -> Call | None:
    """The call again, and in its controller's hands, if it has one; `go_on`, then, once all are there. None: it does
    not stand. Who was called and does not talk is let go of. What nobody goes on with is paid. Raises KeyError,
    TypeError or ValueError for what was kept by another server and makes no sense here."""
    try:
        return _revive(switch, kept, now)
    except (KeyError, TypeError, ValueError):
        _settle(switch, kept, now)
        raise


def _settle(switch: Switch, kept: object, now: float) -> None:
    """All bills in what was kept, whatever else that is."""
    if isinstance(kept, list):
        for one in kept:
            _settle(switch, one, now)
    elif isinstance(kept, dict):
        for one in kept.values():
            _settle(switch, one, now)
        try:
            switch.targets.tolls.settle(kept["dialog"]["local_tag"], tolls.bill_of(kept["bill"]), now)
        except (KeyError, TypeError, ValueError):
            return  # no leg, or none that is billed


def _revive(switch: Switch, kept: Kept, now: float) -> Call | None:
    if kept["form"] != FORM:
        raise ValueError(f"form {kept['form']}")
    let_go(switch, kept.get("left", ()), now)
    _settle(switch, kept.get("left"), now)
    leg = kept["caller"]
    if leg is None:
        return None
    origin = Origin(
        kept["from"], kept["name"], kept["to"], leg["trunk"], leg["extension"], kept["max_forwards"], kept["is_sips"]
    )
    call = Call(switch, origin)
    call.caller = caller = StandingLeg(switch, call, leg)
    call.id, call.direction, call.dialled = kept["id"], kept["direction"], kept["dialled"]
    call.answered = True
    talking = kept["talking"]
    try:
        call.started_at, call.waited_s = kept["started_at"], kept["waited_s"]
        call.destination = Destination(*kept["destination"])
        call.attributes.update(kept["attributes"])
        callee = None if talking is None else StandingLeg(switch, call, talking["leg"])
    except (KeyError, TypeError, ValueError):
        caller.let_go()
        raise
    legs = [caller] if callee is None else [caller, callee]
    for one in legs:
        if one.bill is not None:
            switch.targets.tolls.begin(one.bill)
    switch.take_up(call, legs)
    switch.emit(events.CallRevived(now, call.id))
    if callee is not None:
        call.controller = JOINED
        call.goes_on(callee, Destination(*talking["destination"]), talking["agent"])
        call.connected_at = kept["connected_at"]
    switch.on_revived(call)
    return call


def go_on(switch: Switch, revived: list[tuple[Call, Kept]]) -> None:
    """All calls are there: who was in a conference is there again with the others, who talks with nobody goes where he
    was, and a leg whose port no media worker kept alive gets another."""
    rooms: dict[str, tuple[bool, list[Call]]] = {}
    for call, kept in revived:
        room = kept.get("conference")
        if room is not None:
            rooms.setdefault(room[0], (room[1], []))[1].append(call)
    for name, (is_room, calls) in rooms.items():
        switch.meet_again(name, is_room, calls)
    for call, _ in revived:
        if call.controller is NOBODY:
            call.route(call.destination)
    for call, _ in revived:
        for leg in call.legs():
            if leg.audio.port is None:
                Reanchor(leg)
