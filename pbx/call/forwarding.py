"""Calls to an extension: rung, or forwarded, as the phone's user and the site want it.

Each forward is put into `Call.diversions`; an extension that has forwarded a call never gets it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from config.schema import Destination
from pbx.call import events
from pbx.call.bridge import RING_S, DirectBridge
from pbx.call.diversion import MOST_FORWARDS, Diversion
from pbx.call.phone_settings import Behaviour, PhoneSettings
from pbx.routing.dial_plan import Caller
from pbx.sip.address import Address
from pbx.sip.errors import SipError

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call

#: What a phone or a forward may send a call to: not what acts in the name of who dials.
LEADS_TO: Final = frozenset(("extension", "group", "ivr", "park", "queue", "refuse", "trunk", "uri"))
_NO_ANSWER: Final = (408,)
_BUSY: Final = (486, 600, 603)
_AWAY: Final = (404, 410, 480, 503, 604)


class Forwarding(DirectBridge):
    """Handler of destinations `extension NAME` and `number NUMBER`. Holds nothing of a call."""

    def __init__(self, settings: PhoneSettings, registered: Callable[[str, float], bool]) -> None:
        super().__init__("extension")
        self._settings = settings
        self._registered = registered

    def start(self, call: Call, name: str) -> None:
        call.controller = self
        phone = self._settings.of(name)
        if any(one.number == name for one in call.diversions):
            call.switch.counters["forwards_in_a_circle"] += 1
            call.refuse(482, f"forwarded back to {name}")
        elif phone.always is not None:
            self._forward(call, name, phone.always, "unconditional")
        elif phone.dnd:
            self._forward_or(call, name, phone.busy, "do-not-disturb", 486)
        elif phone.max_calls is not None and call.switch.extension_legs(name) >= phone.max_calls:
            self._forward_or(call, name, phone.busy, "user-busy", 486)
        elif phone.unregistered is not None and not self._registered(name, call.clock.now()):
            self._forward(call, name, phone.unregistered, "unavailable")
        else:
            ring_s = RING_S if phone.no_answer is None else phone.after_s
            call.dial(Destination("extension", name), ring_s=ring_s)

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        name = attempt.destination.name
        phone = self._settings.of(name)
        if 300 <= status < 400 and phone.follows and (number := first_number(attempt)):
            self._forward(call, name, Destination("number", number), "deflection")
            return
        to, reason = _reaction(phone, status)
        if to is not None:
            self._forward(call, name, to, reason)
        else:
            super().on_failed(call, attempt, status, cause)

    def _forward_or(self, call: Call, name: str, to: Destination | None, reason: str, status: int) -> None:
        if to is not None:
            self._forward(call, name, to, reason)
        else:
            call.refuse(status, reason.replace("-", " "))

    @staticmethod
    def _forward(call: Call, name: str, to: Destination, reason: str) -> None:
        if len(call.diversions) >= MOST_FORWARDS:
            call.switch.counters["forwards_in_a_circle"] += 1
            call.refuse(482, "forwarded too often")
            return
        call.diversions += (Diversion(name, reason),)
        call.switch.counters["calls_forwarded"] += 1
        call.switch.emit(events.CallForwarded(call.clock.now(), call.id, name, str(to), reason))
        call.route(to)

    @staticmethod
    def number(call: Call, number: str) -> None:
        """Handler of destinations `number NUMBER`: where the dial plan sends our phones that dial it; who forwarded, or
        calls, dials."""
        who = call.diversions[-1].number if call.diversions else call.caller.extension
        follow(call, Caller("extension", who or ""), number)


class TrunkCalls(DirectBridge):
    """Handler of destinations `trunk NAME`: a trunk's redirections are followed only if the site says so."""

    def __init__(self) -> None:
        super().__init__("trunk")

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        name = attempt.destination.name
        trunk = call.switch.rules.site.trunks.get(name)
        follows = trunk is not None and trunk.redirects == "follow" and len(call.diversions) < MOST_FORWARDS
        if 300 <= status < 400 and follows and (number := first_number(attempt)):
            call.diversions += (Diversion(call.dialled, "deflection"),)
            follow(call, Caller("trunk", name), number)
        else:
            super().on_failed(call, attempt, status, cause)


def follow(call: Call, caller: Caller, number: str) -> None:
    """Send a call where the dial plan sends who dials that number."""
    route = call.switch.rules.dial_plan.resolve(caller, number)
    if route is None or route.destination.kind not in LEADS_TO:
        call.refuse(404, f"nothing at {number}")
        return
    call.dialled = route.dial or route.number
    call.route(route.destination)


def first_number(attempt: Attempt) -> str:
    """The user part of the best Contact of a redirection that has one (RFC 3261 8.1.3.4: by q)."""
    found: list[tuple[float, str]] = []
    for contact in attempt.contacts:
        try:
            address = Address.parse(contact)
            q = float(address.param("q") or 1.0)
        except (SipError, ValueError):
            continue
        if address.uri.username:
            found.append((-q, address.uri.username))
    return min(found, key=lambda one: one[0])[1] if found else ""


def _reaction(phone: Behaviour, status: int) -> tuple[Destination | None, str]:
    if status in _NO_ANSWER:
        return phone.no_answer, "no-answer"
    if status in _BUSY:
        return phone.busy, "user-busy"
    if status in _AWAY:
        return phone.unregistered, "unavailable"
    return None, ""
