"""What the desk needs of whoever calls customers (`pbx.call.outbound`), and what it knows of one whom it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import phonenumbers

from acd.callback_errors import NotANumber

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.controller import Controller

_NOT_CALLED: Final = {
    phonenumbers.PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    phonenumbers.PhoneNumberType.SHARED_COST: "a shared-cost number",
    phonenumbers.PhoneNumberType.PAGER: "a pager",
}
# What a final response to the customer's INVITE says (RFC 3261 21).
_OUTCOMES: Final = {
    408: "no_answer", 480: "no_answer", 487: "no_answer", 486: "busy", 600: "busy",
    403: "refused", 433: "refused", 603: "refused", 607: "refused", 608: "refused",
    404: "no_such_number", 410: "no_such_number", 484: "no_such_number", 604: "no_such_number",
}  # fmt: skip


def outcome_of(status: int) -> str:
    """Why the customer was not reached, as in `CallbackMissed`."""
    return _OUTCOMES.get(status, "unreachable")


def customer_number(text: str, country: str) -> str:
    """E.164. Raises NotANumber: anybody may write it into a web page, and each call costs money."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise NotANumber(f"{text!r} is no telephone number") from None
    if not phonenumbers.is_valid_number(number):
        raise NotANumber(f"{text!r} is no telephone number that exists")
    kind = phonenumbers.number_type(number)
    if kind in _NOT_CALLED:
        raise NotANumber(f"{text!r} is {_NOT_CALLED[kind]}: it is not called")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class Dialler(Protocol):
    """Calls customers. All but `new_id` and `comfort` raise NotDialled."""

    def new_id(self) -> str:
        """Nobody can guess it, and nobody else has it."""

    def check(self, number: str, through: str | None) -> None:
        """Whether there is a way to a number, by the trunk `through` or the dial plan."""

    def begin(
        self, call_id: str, number: str, called: str, attributes: Mapping[str, str | int | float],
        controller: Controller,
    ) -> Call:  # fmt: skip
        """A call in which nobody is yet; `called` is the number of ours that the customer is shown."""

    def dial(self, call: Call, number: str, through: str | None, ring_s: float) -> Attempt:
        """Ring the customer."""

    def comfort(self, attempt: Attempt) -> None:
        """Let an agent who is on the line hear that the customer's phone rings."""

    def answered(self, call: Call, attempt: Attempt, number: str) -> None:
        """The customer becomes the caller."""


@dataclass(slots=True, eq=False)
class Customer:
    """Who is to be called, until he answers."""

    number: str
    agent_first: bool
    through: str | None
    ring_s: float
    attempt: Attempt | None = None  # while his phone rings
