"""Calls of ours to customers: as in click to dial the caller's place is empty at first, but it is the customer's.

    queue                       agent's phone                         customer's phone
      | begin                        |                                       |
      | call.dial  (agent first) --->| rings, shows the customer's number    |
      |                              | answers, hears ringing                |
      | dial --------------------------------------------------------------->| rings, shows ours
      | answered                     |                                       | answers: he is the caller
      | call.bridge ---------------->|<------------------------------------->|
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import phonenumbers

from config.schema import Destination
from media.plane import UnknownPrompt
from pbx.call.call import Call
from pbx.call.leg import Party
from pbx.call.origin import Origin
from pbx.call.originate import MAX_FORWARDS, NotDialled
from pbx.routing.admission import Refuse
from pbx.routing.dial_plan import Caller

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.controller import Controller
    from pbx.call.switch import Switch

Attribute = str | int | float
#: What a customer's number may lead to: not to a phone, a queue or a flow of ours.
OUTSIDE: Final = frozenset(("trunk", "uri"))
NOBODY: Final = "anonymous"


class CustomerCalls:
    """Makes them."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    def new_id(self) -> str:
        """Nobody can guess it: who knows it may cancel what it names."""
        ids = self._switch.ids
        return f"{ids.call_id(self._switch.clock.now())[:11]}{ids.token()}"

    def check(self, number: str, through: str | None) -> None:
        """Raises NotDialled if no way leads to a number (E.164)."""
        self._way(number, through)

    def begin(
        self, call_id: str, number: str, called: str, attributes: Mapping[str, Attribute], controller: Controller
    ) -> Call:
        """A call in which nobody is yet. Raises NotDialled: no calls are taken now."""
        switch = self._switch
        now = switch.clock.now()
        verdict = switch.admission.admit(None, None, now)
        if isinstance(verdict, Refuse):
            raise NotDialled("refused", verdict.reason)
        call = Call(switch, Origin(called or self._ours(), "", number, None, None, MAX_FORWARDS))
        call.id = call_id
        call.direction = "outbound"
        call.controller = controller
        call.attributes.update(attributes)
        switch.counters["calls_originated"] += 1
        switch.begin(call, now)
        return call

    def dial(self, call: Call, number: str, through: str | None, ring_s: float) -> Attempt:
        """Ring the customer. Raises NotDialled."""
        destination, dialled = self._way(number, through)
        call.destination = destination
        call.dialled = dialled
        return call.dial(destination, ring_s=ring_s)

    def comfort(self, attempt: Attempt) -> None:
        """Whoever answered hears the site's ringing tone."""
        call, leg = attempt.call, attempt.winner
        port = None if leg is None else leg.audio.port
        tone = self._switch.rules.site.media.ringing
        if call is None or port is None or tone is None:
            return
        try:
            self._switch.plane.play(port, (tone,), loop=True)
        except UnknownPrompt:
            self._switch.counters["media_unknown_prompts"] += 1

    def answered(self, call: Call, attempt: Attempt, number: str) -> None:
        """The customer becomes the caller; what he called is the number that he was shown."""
        ours = call.from_number
        leg = call.take_out(attempt)
        leg.party = Party("", number)
        absent = call.replace_caller(leg)
        absent.end()
        absent.free()
        call.to_number = ours

    def _way(self, number: str, through: str | None) -> tuple[Destination, str]:
        """Where a number leads, and what is dialled there."""
        rules = self._switch.rules
        if through is not None:
            if through not in rules.site.trunks:
                raise NotDialled("number", f"no trunk {through}")
            if rules.dial_plan.is_ours(number):  # the carrier would send the call back to us
                raise NotDialled("number", f"{number} is a number of ours")
            return Destination("trunk", through), number
        for form in _forms(number, rules.site.locale.country):
            route = rules.dial_plan.resolve(Caller("extension", ""), form)
            if route is None:
                continue
            if route.destination.kind not in OUTSIDE:
                raise NotDialled("number", f"{number} is a number of ours")
            return route.destination, route.dial or route.number
        raise NotDialled("number", f"no way leads to {number}")

    def _ours(self) -> str:
        """The number that a customer is shown who has called none of ours; a trunk may have its own."""
        return next(iter(self._switch.rules.site.numbers), NOBODY)


def _forms(number: str, country: str) -> list[str]:
    """A number as a dial plan may know it: E.164, as at home or from abroad, with 00."""
    forms = [number]
    parsed = phonenumbers.parse(number)
    if phonenumbers.region_code_for_number(parsed) == country:
        national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    else:
        national = phonenumbers.format_out_of_country_calling_number(parsed, country)
    forms.append("".join(c for c in national if c.isdigit()))
    forms.append(f"00{number[1:]}")
    return forms
