"""Replaces (RFC 3891): which dialog is meant, and an INVITE that takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from config.schema import Destination
from pbx.call import events
from pbx.call.bridge import JOINED
from pbx.call.leg import Leg
from pbx.call.pickup import may_pick_up, pick_up
from pbx.call.transfer import hang_up_alone, number_of
from pbx.sip.errors import BadMessage
from pbx.sip.grammar import param, parse_params

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.switch import Switch


class Replaces(NamedTuple):
    """The header's value; Target-Dialog (RFC 4538) is written alike, with `local-tag` and `remote-tag`."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool

    @classmethod
    def parse(cls, text: str, to: str = "to-tag", origin: str = "from-tag") -> Replaces:
        """Raises BadMessage: one call-id, both tags (3891 6.1)."""
        call_id, semicolon, _ = text.partition(";")
        params = parse_params(text, len(call_id)) if semicolon else ()
        to_tag, from_tag = param(params, to), param(params, origin)
        if not call_id.strip() or not to_tag or not from_tag:
            raise BadMessage(f"bad dialog {text[:60]!r}")
        return cls(call_id.strip(), to_tag, from_tag, param(params, "early-only") is not None)

    def find(self, switch: Switch) -> Leg | None:
        """The leg whose dialog it is. Tags are taken either way round: who asks for the call of another phone, which he
        knows from its dialog-info (RFC 4235), names them as that phone does."""
        for ours, theirs in ((self.to_tag, self.from_tag), (self.from_tag, self.to_tag)):
            leg = switch.dialog(ours)
            if isinstance(leg, Leg) and leg.call is not None and leg.dialog.call_id == self.call_id:
                if leg.dialog.remote_tag in (None, theirs):  # None: it rings, and we keep no tags of those that do
                    return leg
        return None


def start(call: Call, text: str) -> None:
    """Handler of an INVITE with Replaces (3891 3), which is said once."""
    try:
        if sum(name.lower() == "replaces" for name, _ in call.headers) > 1:
            raise BadMessage("more than one Replaces")
        named = Replaces.parse(text)
    except BadMessage as error:
        call.refuse(400, error.reason)
        return
    leg = named.find(call.switch)
    if leg is None or leg.call is None:
        call.refuse(481, "no such call")
    else:
        _replace(call, leg, leg.call, named.early_only)


def _replace(call: Call, leg: Leg, other: Call, early_only: bool) -> None:
    if not _may(call, leg):
        call.refuse(403, "not his to replace")
    elif leg.attempt is not None and leg.attempt.winner is None:
        pick_up(call, leg.attempt, leg)
    elif leg.phase != "confirmed":
        call.refuse(481, "not ours to answer")  # an early dialog that the other side began
    elif early_only:
        call.refuse(486, "answered already")
    else:
        _take_place(call, leg, other)


def _may(call: Call, leg: Leg) -> bool:
    """The phone's own user on another device, who may pick up its calls, and with whom its user talks in another call:
    that is an attended transfer."""
    extension = call.caller.extension
    if extension is None or leg.extension is None:
        return False
    if extension == leg.extension or may_pick_up(call.switch.rules.site, extension, leg.extension):
        return True
    for mine in call.switch.legs_of(extension):
        partner = mine.call.partner_of(mine) if mine.call is not None else None
        if partner is not None and partner.extension == leg.extension:
            return True
    return False


def _take_place(call: Call, leg: Leg, other: Call) -> None:
    call.answer(leg.audio.codec)
    if not call.answered:
        return
    new = call.caller
    if leg is other.caller:
        other.replace_caller(new)
    else:
        attempt = leg.attempt
        assert attempt is not None
        if new.extension != leg.extension:
            other.take(f"extension {new.extension}", JOINED)
        if attempt.call is None:  # who was in charge wanted it gone
            attempt = other.adopt(new, Destination("extension", new.extension or ""))
            other.bridge(attempt)
        else:
            other.replace_winner(attempt, new)
    call.dissolve("replaced another")
    hang_up_alone(leg)
    if new.extension != leg.extension:
        to, now = f"extension {new.extension}", call.clock.now()
        call.switch.emit(events.CallTransferred(now, other.id, "replaced", number_of(leg), to))
