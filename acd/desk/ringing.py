"""From the offer to the answer: the agent's screen first, then his phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from acd.commands import OfferItem, WithdrawOffer
from acd.desk.entry import Entry, Offer
from acd.desk.screens import ScreenPops
from acd.reservation import Outcome
from config.schema import Destination
from pbx.call.reason import ELSEWHERE

if TYPE_CHECKING:
    from acd.desk.lines import Lines
    from acd.desk.whisper import Whisper
    from pbx.call.attempt import Attempt

# What a final response to the agent's INVITE says (RFC 3261 21, RFC 3261 8.3.1.4 for 408).
_OUTCOMES = {
    408: Outcome.NO_ANSWER, 487: Outcome.NO_ANSWER,
    486: Outcome.BUSY, 600: Outcome.BUSY,
    433: Outcome.REJECTED, 603: Outcome.REJECTED, 607: Outcome.REJECTED, 608: Outcome.REJECTED,
    404: Outcome.UNREGISTERED, 410: Outcome.UNREGISTERED, 430: Outcome.UNREGISTERED, 480: Outcome.UNREGISTERED,
    604: Outcome.UNREGISTERED,
}  # fmt: skip


def outcome_of(status: int, *, rang: bool) -> Outcome:
    """Why an agent's phone did not take the call. A phone that rang and then says *busy* was made to: a rejection."""
    outcome = _OUTCOMES.get(status, Outcome.FAILED)
    return Outcome.REJECTED if outcome is Outcome.BUSY and rang else outcome


class Ringing:
    """Asks agents. `calls` are the desk's, `holds` tells whether a reservation is live, `phone_of` where an agent
    sits."""

    __slots__ = ("_calls", "_holds", "_phone_of", "_pops", "keeps_waiting", "lines")

    def __init__(
        self, calls: Mapping[str, Entry], holds: Callable[[int], bool], phone_of: Callable[[str], str | None],
        pops: ScreenPops,
    ) -> None:  # fmt: skip
        self._calls = calls
        self._holds = holds
        self._phone_of = phone_of
        self._pops = pops
        self.lines: Lines | None = None  # of nailed-up agents
        self.keeps_waiting: Callable[[Entry], bool] = lambda entry: False  # the agent is not to be rung yet

    def offer_of(self, call_id: str, attempt: Attempt) -> Offer | None:
        """The offer by which an attempt rings, if it is live."""
        entry = self._calls.get(call_id)
        offers = () if entry is None else entry.offers.values()
        return next((offer for offer in offers if offer.attempt is attempt), None)

    def offer(self, command: OfferItem, whisper: Callable[[Entry, OfferItem], Whisper | None]) -> None:
        entry = self._calls.get(command.item_id)
        if entry is None or not self._holds(command.reservation):
            return  # over before it was told
        offer = entry.offers[command.reservation] = Offer(command.agent, command.reservation, command.ring_s)
        offer.whisper = whisper(entry, command)
        then = partial(self._ring, command.item_id, command.reservation)
        self._pops.offer(entry.call, command.agent, command.queue, command.reservation, then)

    def _ring(self, call_id: str, reservation: int) -> None:
        """The agent's screen has it. Nothing happens if the offer is over by now."""
        entry = self._calls.get(call_id)
        offer = None if entry is None or entry.talks is not None else entry.offers.get(reservation)
        if entry is None or offer is None or offer.attempt is not None:
            return
        offer.held = self.keeps_waiting(entry)
        if offer.held:
            return
        phone = self._phone_of(offer.agent)
        if phone is None or not self._holds(reservation):  # the withdrawal is on its way
            return
        if self.lines is not None and self.lines.stands(offer.agent):
            offer.attempt = self.lines.join(offer.agent, entry.call, place_of(phone))
            entry.call.attempt_answered(offer.attempt)
        else:
            attempt = entry.call.dial(place_of(phone), ring_s=offer.ring_s, agent=offer.agent)
            if entry.offers.get(reservation) is offer:
                offer.attempt = attempt
            else:  # withdrawn while dialling: the phone's connection turned out to be gone
                entry.call.drop(attempt, "withdrawn")

    def ring_held(self, entry: Entry) -> None:
        """Agents who were not to be rung yet are rung."""
        for offer in [offer for offer in entry.offers.values() if offer.held]:
            self._ring(entry.call.id, offer.reservation)

    def withdraw(self, command: WithdrawOffer) -> None:
        entry = self._calls.get(command.item_id)
        offer = None if entry is None else entry.offers.pop(command.reservation, None)
        if entry is not None and offer is not None:
            self._take_back(entry, offer, Outcome(command.outcome))

    def take_all_back(self, entry: Entry, outcome: Outcome) -> None:
        while entry.offers:
            self._take_back(entry, entry.offers.popitem()[1], outcome)

    def _take_back(self, entry: Entry, offer: Offer, outcome: Outcome) -> None:
        """Off the phone and off the screen."""
        if offer.whisper is not None:
            offer.whisper.cancel()
        if offer.attempt is not None and not (self.lines and self.lines.back(entry.call, offer.attempt)):
            # RFC 3326: whose colleague was quicker finds no missed call on his phone.
            reason = ELSEWHERE if outcome is Outcome.ANSWERED_ELSEWHERE else ""
            entry.call.drop(offer.attempt, outcome.replace("_", " "), reason)
        shown = Outcome.UNREGISTERED if outcome is Outcome.FAILED else outcome  # screens know no more of phones
        self._pops.retract(entry.call, offer.agent, shown.value)


def place_of(phone: str) -> Destination:
    """An extension, or a SIP URI."""
    return Destination("uri" if phone.startswith(("sip:", "sips:")) else "extension", phone)
