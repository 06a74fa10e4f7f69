"""Click to dial: a program asks for a call between a phone of ours and a number (RFC 3725, flow I, but for the offer:
it is ours, and our media plane stands between the phone and whoever answers later).

    program            phone X                              number Y
      | dial X, Y         |                                     |
      |------> INVITE --->| rings, From: Y                      |
      |<-- call id        | 200, ACK                            |
      |                   | becomes the caller, hears ringing   |
      |                   |             route, as if X had dialled: INVITE ---> ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from config.schema import Destination
from pbx.call.call import Call
from pbx.call.controller import NOBODY, Passive
from pbx.call.leg import Party
from pbx.call.origin import Origin
from pbx.routing.admission import Refuse
from pbx.routing.dial_plan import Caller

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.switch import Switch

RING_S: Final = 30.0  # the phone of who clicked
MAX_FORWARDS: Final = 70


class NotDialled(Exception):
    """No call was made: `why` is `unknown` (no such extension), `number` (nothing there), `unregistered`, `ringing` (he
    has clicked already) or `refused` (so many calls, or so fast)."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


def call_from(switch: Switch, number: str, shown: str, extension: str | None, now: float) -> Call:
    """A call of nobody yet, in the name of `number`: who is dialled in it may become its caller. His phone shows
    `shown`. `extension` is whose calls are counted. Raises NotDialled if there may be no more of them."""
    verdict = switch.admission.admit(None, extension, now)
    if isinstance(verdict, Refuse):
        raise NotDialled("refused", verdict.reason)
    name = "" if extension is None else switch.rules.screening.name_of(extension)
    call = Call(switch, Origin(number, name, shown, None, extension, MAX_FORWARDS))
    switch.counters["calls_originated"] += 1
    return call


def becomes_caller(call: Call, attempt: Attempt) -> None:
    """Who answered takes the place of nobody."""
    leg = call.take_out(attempt)
    leg.party = Party(call.from_name, call.from_number)
    absent = call.replace_caller(leg)
    absent.end()
    absent.free()


class ClickToDial(Passive):
    """In charge of a call until its phone has answered. One click at a time for each phone."""

    def __init__(self, switch: Switch, is_registered: Callable[[str, float], bool]) -> None:
        self._switch = switch
        self._is_registered = is_registered
        self._ringing: dict[str, tuple[Destination, str]] = {}  # by extension: where its call goes, what a trunk dials

    def dial(self, extension: str, number: str) -> Call:
        """Ring the phones of `extension`; then dial `number` in its name. Raises NotDialled."""
        rules = self._switch.rules
        if extension not in rules.site.extensions:
            raise NotDialled("unknown", f"no extension {extension}")
        route = rules.dial_plan.resolve(Caller("extension", extension), number)
        if route is None:
            raise NotDialled("number", f"nothing at {number}")
        return self.ring(extension, number, route.destination, route.dial or route.number)

    def ring(self, extension: str, number: str, destination: Destination, dialled: str) -> Call:
        """Ring the phones of `extension`, which show `number`; then send its call to a destination."""
        switch = self._switch
        now = switch.clock.now()
        if extension in self._ringing:
            raise NotDialled("ringing", f"the phone of {extension} rings already")
        if not self._is_registered(extension, now):
            raise NotDialled("unregistered", f"no phone of {extension} is registered")
        call = call_from(switch, extension, number, extension, now)
        if destination.kind == "trunk":
            call.direction = "outbound"
        self._ringing[extension] = (destination, dialled)
        call.destination = destination
        call.controller = self
        call.on_over = self._over
        switch.begin(call, now)
        call.dial(Destination("extension", extension), ring_s=RING_S)
        return call

    def _over(self, call: Call) -> None:
        call.on_over = None
        self._ringing.pop(call.from_number, None)

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        destination, dialled = self._ringing[call.from_number]
        self._over(call)
        becomes_caller(call, attempt)
        call.controller = NOBODY
        call.dialled = dialled
        call.route(destination)

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        call.refuse(status, cause)
