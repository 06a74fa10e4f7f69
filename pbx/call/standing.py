"""Calls that outlive the server: what is kept of each that stands, and the call made again from it.

A call stands once its caller is answered. Kept are the dialogs and what was agreed for the sound, as JSON has it; no
keys of encrypted sound, no headers of the INVITE. In the next server its legs are there again: two who talked talk on,
a caller who waited goes where he waited from the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from config.schema import Destination
from pbx.call import events
from pbx.call.bridge import JOINED
from pbx.call.call import Call
from pbx.call.controller import NOBODY
from pbx.call.leg import Leg, Party
from pbx.call.origin import Origin
from pbx.call.reanchor import Reanchor
from pbx.call.session_timer import Agreed
from pbx.routing import tolls
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop

if TYPE_CHECKING:
    from pbx.call.switch import Switch

Kept = dict[str, Any]
FORM: Final = 1  # of what is kept; another server may know another one
CSEQ_AHEAD: Final = 1000  # more requests than a dialog has sent since it was kept (RFC 3261 12.2.1.1: it only grows)


class StandingLeg(Leg):
    """An answered leg of the last server. `login` is what we answer a challenge with."""

    __slots__ = ("_login",)

    def __init__(self, switch: Switch, call: Call, kept: Kept) -> None:
        dialog = dict(kept["dialog"])
        dialog["hop"] = Hop(*dialog["hop"])
        dialog["route_set"] = tuple(dialog["route_set"])
        dialog["local_cseq"] += CSEQ_AHEAD
        super().__init__(switch, call, kept["number"], Dialog(**dialog), kept["extension"], kept["trunk"])
        self.party = Party(*kept["party"])
        self.can(None if kept["methods"] is None else frozenset(kept["methods"]))
        self.confirmed = True
        trunk = switch.rules.site.trunks.get(kept["trunk"] or "")
        login = None if trunk is None or trunk.login is None or not kept["called"] else trunk.login
        self._login = None if login is None else (login.username, login.password.get_secret_value())
        bill = kept.get("bill")
        self.bill = None if bill is None else switch.targets.tolls.resumed(bill)
        self.audio.take_up(kept["audio"])
        self.watch(None if kept["session"] is None else Agreed(*kept["session"]))

    def let_go(self) -> None:
        """The call can't be made again: nobody has this leg."""
        self.watch(None)
        self.audio.release()

    @property
    def login(self) -> tuple[str, str] | None:
        return self._login

    def _phase(self) -> str:
        return "confirmed"


def keep(call: Call) -> Kept | None:
    """What is to be known of a call for it to outlive the server; None if it does not stand."""
    if call.ended or not call.answered or not _stands(call.caller):
        return None
    attempt = call.connected
    talking = None
    if attempt is not None and attempt.winner is not None and _stands(attempt.winner):
        talking = {
            "leg": _keep_leg(attempt.winner), "number": attempt.number, "agent": attempt.agent,
            "destination": list(attempt.destination),
        }  # fmt: skip
    return {
        "form": FORM, "id": call.id, "direction": call.direction, "from": call.from_number, "name": call.from_name,
        "to": call.to_number, "dialled": call.dialled, "destination": list(call.destination),
        "attributes": dict(call.attributes), "started_at": call.started_at, "connected_at": call.connected_at,
        "waited_s": call.waited_s, "max_forwards": call.max_forwards, "is_sips": call.is_sips,
        "caller": _keep_leg(call.caller), "talking": talking,
    }  # fmt: skip


def _stands(leg: Leg) -> bool:
    return leg.phase == "confirmed" and leg.confirmed and leg.audio.codec is not None


def _keep_leg(leg: Leg) -> Kept:
    dialog = leg.dialog
    return {
        "number": leg.number, "extension": leg.extension, "trunk": leg.trunk, "party": list(leg.party),
        "methods": None if leg.methods is None else sorted(leg.methods), "called": leg.login is not None,
        "session": None if leg.agreed is None else list(leg.agreed), "audio": leg.audio.keep(),
        "bill": tolls.kept(leg.bill),
        "dialog": {
            "call_id": dialog.call_id, "local": dialog.local, "remote": dialog.remote, "local_tag": dialog.local_tag,
            "remote_tag": dialog.remote_tag, "remote_target": dialog.remote_target, "contact": dialog.contact,
            "hop": list(dialog.hop), "route_set": list(dialog.route_set), "local_cseq": dialog.local_cseq,
            "remote_cseq": dialog.remote_cseq, "max_forwards": dialog.max_forwards,
        },
    }  # fmt: skip


def revive(switch: Switch, kept: Kept, now: float) -> Call:
    """The call again. A leg whose port no media worker kept alive gets another, and its peer is told. Raises KeyError,
    TypeError or ValueError for what was kept by another server and makes no sense here."""
    if kept["form"] != FORM:
        raise ValueError(f"form {kept['form']}")
    leg = kept["caller"]
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
    switch.take_up(call, [caller] if callee is None else [caller, callee])
    switch.emit(events.CallRevived(now, call.id))
    if callee is not None:
        call.controller = JOINED
        call.goes_on(callee, Destination(*talking["destination"]), talking["agent"])
        call.connected_at = kept["connected_at"]
    switch.on_revived(call)
    if call.controller is NOBODY:
        call.route(call.destination)
    for one in (caller, callee):
        if one is not None and one.audio.port is None:
            Reanchor(one)
    return call
