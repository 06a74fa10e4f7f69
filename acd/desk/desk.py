"""The engine and the calls: what happens to calls goes in, what the engine decides is done.

One desk controls all calls that are in queues. Each call has an entry from `enter` until it leaves, whichever way:

    waits  --offer-->  on an agent's screen  --then-->  rings  --answered-->  talks  --hang-up-->  (gone)
      ^                        |                          |
      +------ no answer, rejected, unreachable, withdrawn +
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from acd import statistics_view, view
from acd.commands import (
    CallLine,
    CloseWork,
    Command,
    DropLine,
    OfferItem,
    OverflowItem,
    ShowWrapUp,
    WithdrawOffer,
)
from acd.desk.announcer import Announcer
from acd.desk.callbacks import Callbacks
from acd.desk.entry import Entry
from acd.desk.expected_waits import ExpectedWaits
from acd.desk.lines import BEEP, Lines
from acd.desk.opening import Opening
from acd.desk.phone_codes import PhoneLogin
from acd.desk.queue_commands import QueueCommands
from acd.desk.ringing import Ringing, outcome_of
from acd.desk.screens import ScreenPops
from acd.desk.staff import Staff
from acd.desk.takeover import Takeover, entry_of
from acd.desk.voice import Voice
from acd.desk.whisper import AT_MOST_S, Whisper
from acd.engine import Engine
from acd.errors import AgentCommandError
from acd.events import AgentCommanded
from acd.explain import Moment, at_present
from acd.floor import Floor
from acd.report import Part
from acd.reservation import Outcome
from acd.rules import Facts
from config.numbers import normalise
from config.schema import Destination, Queue, Site

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.clock import Clock, Timer


class Desk(Staff, QueueCommands):
    """Controller of all queued calls; the agents' commands; what is shown of queues and agents."""

    def __init__(
        self, site: Site, clock: Clock, emit: Callable[[object], None], pops: ScreenPops, counters: Counter[str], *,
        waits: bool = False,
    ) -> None:  # fmt: skip
        """Nothing is done before `open`, if it `waits`. Raises `QueueNeedsError`."""
        self._clock = clock
        self._emit = emit
        self._pops = pops
        self._counters = counters
        self._calls: dict[str, Entry] = {}
        self._ringing = Ringing(
            self._calls, lambda reservation: self._engine.holds(reservation), self.phone_of, pops
        )  # fmt: skip
        self._wrapping: dict[str, Call] = {}  # by agent: the call he notes down
        self._announcer = Announcer(clock, self._told_to_caller, counters)
        self._ages: dict[str, float] = {}  # calls between two queues: since when they wait
        self._todo: deque[Command] = deque()
        self._pumping = False
        self._takeover = Takeover() if waits else None
        self._timer: Timer | None = None
        self._timer_at = 0.0
        now = clock.now()
        # Reservation numbers start where no earlier run of the server got to.
        self._engine = Engine(site, now, first_reservation=int(now * 1000))
        self._expected_waits = ExpectedWaits(self._engine, clock)
        self.phone_login = PhoneLogin(site, self)
        self.callbacks = Callbacks(
            self, self._engine, self._calls, self._ringing, self._announcer, pops, clock, counters, self._pump,
            self._welcome,
        )  # fmt: skip
        self.lines = self._ringing.lines = self.phone_login.lines = Lines(self, self.phone_of, counters)
        self._ringing.keeps_waiting = self.callbacks.keeps_waiting
        self._read(site)
        self._pump()

    # --- after the last server (see `takeover`) ---------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """For what is kept of it."""
        return self._engine

    def take_up(self, floor: Floor) -> None:
        """The last server's, for a desk that still waits."""
        assert self._takeover is not None
        self._takeover.floor = True
        self._engine.floor = floor

    def revived(self, call: Call) -> bool:
        """A call that outlived the last server, before it goes anywhere; true if it is in our hands again."""
        if self._takeover is None:
            return False
        if self.lines.revived(call):
            return True
        entry = entry_of(self._engine, call, self._clock.now())
        if entry is None:
            return False
        call.controller = self
        self._calls[call.id] = entry
        if entry.talks is None:
            self._welcome(entry)
        elif entry.agent is not None and self._engine.floor.roster.agents[entry.agent].line:
            self.lines.revived_away(entry.agent, call, entry.talks)
        return True

    def open(self, site: Site) -> None:
        """All is told: whoever is not there any more is gone, and the work goes on."""
        takeover, self._takeover = self._takeover, None
        if takeover is None:
            return
        now = self._clock.now()
        self._counters["clock_was_set_back"] += now < self._engine.floor.now
        takeover.over(self._engine, list(self._calls), self.lines.up, now)
        if takeover.floor:
            self._engine.reconfigure(site, now)
        self.callbacks.open()
        self._pump()

    def speaks(self, voice: Voice) -> None:
        """Who says what is to be said; without, there is nothing but prompts."""
        self._announcer.voice = voice

    @property
    def handlers(self) -> dict[str, Callable[[Call, str], None]]:
        """Of the kinds of destinations that are served here."""
        return {"queue": self.enter, "agent": self.phone_login.start}

    # --- calls come in ----------------------------------------------------------------------------------------------

    def enter(self, call: Call, queue: str) -> None:
        """Destination handler: the call waits in the queue from now on."""
        if call.id in self._calls:
            self._leave(call, f"queue {queue}")
        call.controller = self
        settings = self._queues.get(queue)
        if settings is None:  # removed by a reload since the caller was sent here
            self._counters["queue_unknown"] += 1
            call.refuse(480, f"no queue {queue}")
            return
        self._calls[call.id] = Entry(call, queue)
        now = self._clock.now()
        age_from = self._ages.get(call.id, now - call.waited_s)  # who is transferred back has waited before
        age_from -= settings.ivr_credit * call.menu_s
        call.menu_s = 0.0
        is_open = self._opening.is_open(queue, now)
        item = self._engine.enqueue(call.id, queue, _known_of(call), now, age_from, self._caller(call), is_open)
        if call.id in self._engine.floor.items:  # else the queue did not take it, and it is on its way elsewhere
            self._greet(call, settings)
            self._announcer.begin(call, queue)
            if not item.eligible:
                self._counters["queue_nobody_fits"] += 1
        self._pump()

    def _caller(self, call: Call) -> str:
        """The number by which he is known when he calls again; empty if it is withheld."""
        number = normalise(call.from_number, self._site.locale.country)
        return number if any(map(str.isdigit, number)) else ""

    @staticmethod
    def _greet(call: Call, queue: Queue) -> None:
        if not call.answered and queue.answer == "on agent":
            call.ring()
        elif queue.music is not None:
            call.play([queue.music], loop=True)
        elif call.answered:
            call.silence()
        else:
            call.answer()

    def attributes_changed(self, call: Call) -> None:
        """More is known of the caller (a web session was matched): the order of the queue follows."""
        entry = self._calls.get(call.id)
        if entry is not None and entry.talks is None:
            self._engine.rescore(call.id, _known_of(call), self._clock.now())
            self._pump()

    # --- controller -------------------------------------------------------------------------------------------------

    def on_digit(self, call: Call, digit: str) -> None:
        """While he waits, the caller may have a way out, or ask to be called."""
        entry = self._calls.get(call.id)
        if entry is not None and entry.talks is None and self.callbacks.digit(entry, digit):
            return
        settings = None if entry is None or entry.talks is not None else self._queues.get(entry.queue)
        to = None if settings is None else settings.keys.get(digit)
        if to is not None:
            self._send(call, to, f"key {digit}")

    def on_played(self, call: Call, play_id: int) -> None:
        self._announcer.played(call, play_id)

    def on_early_media(self, call: Call, attempt: Attempt) -> None:
        """Who waits hears the queue's music."""

    def on_ringing(self, call: Call, attempt: Attempt) -> None:
        offer = self._ringing.offer_of(call.id, attempt)
        if offer is not None:
            offer.rang = True

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        if self.callbacks.answered(call, attempt):
            return
        offer = self._ringing.offer_of(call.id, attempt)
        whisper = None if offer is None else offer.whisper
        at_most_s = AT_MOST_S + 5
        if offer is None or whisper is None:
            self._join(call, attempt)
        elif self._engine.picked_up(offer.reservation, at_most_s, self._clock.now()):
            whisper.begin(attempt, partial(self._join, call, attempt))
            self._pump()
        else:
            self._too_late(call, attempt)

    def _join(self, call: Call, attempt: Attempt) -> None:
        """The agent hears the caller."""
        offer = self._ringing.offer_of(call.id, attempt)
        if offer is None or not self._engine.answer(offer.reservation, self._clock.now()):
            self._too_late(call, attempt)
            return
        entry = self._calls[call.id]
        del entry.offers[offer.reservation]  # those of others are withdrawn by the engine
        entry.talks, entry.agent = attempt, offer.agent
        if entry.customer is not None:
            self.callbacks.agent_answered(entry)
            self._pump()
            return
        self._end_waiting(call.id)
        call.bridge(attempt)
        self._pops.connected(call, offer.agent)
        self._pump()

    def _too_late(self, call: Call, attempt: Attempt) -> None:
        self._counters["queue_late_answers"] += 1
        if not self.lines.back(call, attempt):
            call.drop(attempt, "offer withdrawn")

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        offer = self._ringing.offer_of(call.id, attempt)
        if offer is None:
            self.callbacks.failed(call, attempt, status)
            return
        offer.attempt = None  # over: nothing to drop
        self._engine.fail(offer.reservation, outcome_of(status, rang=offer.rang), self._clock.now())
        self._pump()

    def on_ended(self, call: Call, attempt: Attempt) -> None:
        entry = self._calls.get(call.id)
        if entry is None or entry.talks is not attempt:
            self._hung_up_before(call, attempt)
            return
        if entry.customer is not None:
            self.callbacks.agent_hung_up(entry)
            return
        self._complete(entry, "agent")
        call.hang_up(call.lost or "agent hung up")
        self._pump()

    def _hung_up_before(self, call: Call, attempt: Attempt) -> None:
        """The agent took up the phone and put it down before he heard the caller: that is a refusal."""
        offer = self._ringing.offer_of(call.id, attempt)
        if offer is not None:
            offer.attempt = None
            self._engine.fail(offer.reservation, Outcome.REJECTED, self._clock.now())
            self._pump()

    def hang_up(self, agent: str, *, by: str = "") -> None:
        """The agent ends his conversation, by his desktop: the line of one who is nailed up stays."""
        floor = self._engine.floor
        found = floor.roster.agent(agent)
        entry = self._calls.get(found.item_id or "")
        if entry is None or entry.talks is None or entry.agent != agent:
            raise AgentCommandError(agent, "hang up", found.state.value)
        if by:
            self._emit(AgentCommanded(self._clock.now(), agent, "hang_up", by))
        if entry.customer is not None:
            self.callbacks.agent_hung_up(entry)
            return
        self._complete(entry, "agent")
        entry.call.hang_up("agent hung up")
        self._pump()

    def on_returned(self, call: Call, attempt: Attempt) -> None:
        entry = self._calls.get(call.id)
        if entry is not None:
            entry.talks = attempt

    def on_taken(self, call: Call, to: str) -> None:
        if call.id in self._calls:
            self._leave(call, to)
            self._pump()

    def on_caller_gone(self, call: Call, cause: str) -> None:
        entry = self._calls.get(call.id)
        if entry is None:
            return
        if entry.talks is not None:
            self._complete(entry, "caller")
        else:
            del self._calls[call.id]
            self._end_waiting(call.id)
            for offer in entry.offers.values():  # the call itself has dropped the attempts
                offer.attempt = None
            self._ringing.take_all_back(entry, Outcome.CALLER_HUNG_UP)
            if not self._engine.abandon(call.id, self._clock.now()) and self._keeps(entry):
                self._counters["queue_places_not_kept"] += 1
        self._pump()

    def _complete(self, entry: Entry, by: str, to: str | None = None) -> None:
        if entry.agent is not None:
            self._wrapping[entry.agent] = entry.call
        self._ringing.take_all_back(entry, Outcome.ANSWERED_ELSEWHERE)  # should the end come before the engine's word
        del self._calls[entry.call.id]
        entry.call.waited_s = self._engine.waited_s(entry.call.id)
        self._engine.complete(entry.call.id, self._clock.now(), by, to)

    def _leave(self, call: Call, to: str) -> None:
        """Sent elsewhere while it was ours."""
        entry = self._calls[call.id]
        self.lines.given_on(call)
        if entry.talks is not None:
            self._complete(entry, "transfer", to)
            return
        self._take_out(entry)
        self._engine.withdraw(call.id, to, self._clock.now())

    def _take_out(self, entry: Entry) -> None:
        """A call that waits is ours no more; what it waited counts wherever it waits next."""
        call = entry.call
        del self._calls[call.id]
        self._end_waiting(call.id)
        self._ringing.take_all_back(entry, Outcome.WITHDRAWN)
        item = self._engine.floor.items.get(call.id)
        if item is not None:
            call.waited_s = self._clock.now() - item.age_from

    def _send(self, call: Call, to: Destination, reason: str) -> None:
        """A call that waits goes elsewhere by somebody's decision."""
        entry, now = self._calls[call.id], self._clock.now()
        age_from = self._engine.floor.items[call.id].age_from
        self._take_out(entry)
        self._engine.withdraw(call.id, str(to), now, reason)
        self._route(call, to, age_from)
        self._pump()

    def _end_waiting(self, call_id: str) -> None:
        """Nothing is said to him, or asked of him, any more."""
        self.callbacks.stop_asking(call_id)
        self._announcer.end(call_id)

    def _welcome(self, entry: Entry) -> None:
        """Who waits and did not just come: he hears what there is to hear."""
        settings = self._queues.get(entry.queue)
        if settings is not None:
            self._greet(entry.call, settings)
            self._announcer.begin(entry.call, entry.queue)

    def _keeps(self, entry: Entry) -> bool:
        settings = self._queues.get(entry.queue)
        return settings is not None and settings.resume_s > 0

    def _told_to_caller(self, call_id: str) -> tuple[int, float | None]:
        """Place in line and expected wait."""
        floor = self._engine.floor
        item = floor.items.get(call_id)
        if item is None:
            return 1, None
        facts = Facts(floor, item.queue, item)
        return int(facts.get("position") or 1), facts.get("ewt")


    # --- phones, site -----------------------------------------------------------------------------------------------

    def phone_registered(self, extension: str, registered: bool) -> None:
        if self._takeover is not None:
            self._takeover.registered[extension] = registered
        else:
            super().phone_registered(extension, registered)

    def phone_calls(self, extension: str, legs: int) -> None:
        if self._takeover is not None:
            self._takeover.legs[extension] = legs
        else:
            super().phone_calls(extension, legs)

    def reconfigure(self, site: Site) -> None:
        """A changed site: a diff. Raises `QueueNeedsError`, and then nothing has changed."""
        self._engine.reconfigure(site, self._clock.now())
        self._read(site)
        self._pump()

    def _read(self, site: Site) -> None:
        self._site, self._queues = site, site.queues
        self.phone_login.reconfigure(site)
        self._opening = Opening(site, self._clock.now())
        waiting = [(one.call, one.queue) for one in self._calls.values() if one.talks is None]
        self._announcer.reconfigure(site.queues, waiting)
        self.callbacks.reconfigure(site)

    def close_intervals(self) -> None:
        """Asked now and then: quarters of an hour of statistics end though nothing happens."""
        now = self._clock.now()
        if self._engine.floor.statistics.is_due(now):
            self._engine.close_intervals(now)
            self._pump()

    # --- views ------------------------------------------------------------------------------------------------------

    @property
    def last_agents_forgotten(self) -> int:
        """Numbers whose last agent is remembered no longer, because there were too many."""
        return self._engine.floor.talks.forgotten

    def at_present(self, call_id: str) -> Moment | None:
        """See `explain.at_present`."""
        return at_present(self._engine.floor, call_id, self._clock.now())

    def statistics(self, by: str) -> Iterable[dict[str, object]]:
        """See `statistics_view.live`."""
        expected = self._expected_waits.known() if by == "queue" else None
        return statistics_view.live(self._engine.floor, by, self._clock.now(), expected)

    def statistics_at_work(self, by: str) -> Iterable[Part]:
        """See `statistics_view.at_work`."""
        return statistics_view.at_work(self._engine.floor, by, self._clock.now())

    @property
    def timezone(self) -> str:
        """Whose midnights end the days of statistics."""
        return self._engine.floor.statistics.days.zone

    def wall_board(self) -> list[dict[str, object]]:
        """See `statistics_view.board`."""
        return statistics_view.board(self._engine.floor, self._clock.now(), self._expected_waits.known())

    def queues(self) -> list[dict[str, object]]:
        """See `view.queues`."""
        now = self._clock.now()
        return [
            {**one, "open": self._opening.is_open(str(one["name"]), now)}
            for one in view.queues(self._engine.floor, now)
        ]

    # --- outputs ----------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Tell and do all that the engine left, and what doing it brings about in the engine."""
        if self._pumping or self._takeover is not None:
            return
        self._pumping = True
        try:
            while True:
                events, commands = self._engine.take()
                if not events and not commands and not self._todo:
                    break
                self._todo.extend(commands)
                for event in events:
                    self._emit(event)
                while self._todo:
                    self._do(self._todo.popleft())
                self.callbacks.settle()
        finally:
            self._pumping = False
            self._arm()

    def _do(self, command: Command) -> None:
        if isinstance(command, OfferItem):
            self.callbacks.prepare(command)
            self._ringing.offer(command, self._whisper)
        elif isinstance(command, WithdrawOffer):
            self._ringing.withdraw(command)
        elif isinstance(command, OverflowItem):
            self._overflow(command)
        elif isinstance(command, CallLine):
            self.lines.call(command.agent)
        elif isinstance(command, DropLine):
            self.lines.drop(command.agent)
        elif isinstance(command, ShowWrapUp):
            if (call := self._wrapping.get(command.agent)) is not None:  # None: it died with the last server
                self._pops.wrap_up(call, command.agent)
        elif isinstance(command, CloseWork):
            if (call := self._wrapping.pop(command.agent, None)) is not None:
                self._pops.ended(call, command.agent)

    def _overflow(self, command: OverflowItem) -> None:
        entry = self._calls.pop(command.item_id, None)
        if entry is None:
            return
        call = entry.call
        self._end_waiting(call.id)
        call.waited_s = self._clock.now() - command.age_from
        if command.destination is None:
            why = "waited too long" if command.reason == "max_wait" else command.reason
            call.hang_up(f"{why} in queue {command.queue}")
        else:
            self._route(call, command.destination, command.age_from)

    def _route(self, call: Call, to: Destination, age_from: float) -> None:
        """Should it come to another queue by that, it is as old there."""
        self._ages[call.id] = age_from
        try:
            call.route(to)
        finally:
            self._ages.pop(call.id, None)  # the queue it came to may have sent it on: then it is gone already

    def _whisper(self, entry: Entry, command: OfferItem) -> Whisper | None:
        settings = self._queues.get(command.queue)
        told = () if settings is None else settings.whisper
        if self.lines.stands(command.agent):  # nothing rings: a beep says that somebody comes
            told = (BEEP, *told)
        return Whisper(self._clock, self._announcer.voice, told, entry.call.attributes) if told else None

    def _lost(self, item_id: str) -> None:
        """The watchdog freed its agent: nobody talks with the caller, if he is there."""
        entry = self._calls.pop(item_id, None)
        if entry is not None:
            self._end_waiting(item_id)
            entry.call.hang_up("agent lost")

    # --- time -------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """One timer. It may be early, when what it was set for is gone; it is never late."""
        at = self._engine.next_deadline()
        timer = self._timer
        if timer is not None and (at is None or at < self._timer_at):
            timer.cancel()
            timer = self._timer = None
        if at is not None and timer is None:
            self._timer_at = at
            self._timer = self._clock.after(max(0.0, at - self._clock.now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._engine.tick(self._clock.now())
        self._pump()


def _known_of(call: Call) -> Mapping[str, str | int | float]:
    """A call's attributes, and the trunk that it came by."""
    return call.attributes if call.trunk is None else {"trunk": call.trunk, **call.attributes}
