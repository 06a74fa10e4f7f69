"""The engine and the calls: what happens to calls goes in, what the engine decides is done.

One desk controls all calls that are in queues. Each call has an entry from `enter` until it leaves, whichever way:

    waits  --offer-->  on an agent's screen  --then-->  rings  --answered-->  talks  --hang-up-->  (gone)
      ^                        |                          |
      +------ no answer, rejected, unreachable, withdrawn +
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from acd import view
from acd.commands import CloseWork, Command, OfferItem, OverflowItem, ShowWrapUp, WithdrawOffer
from acd.desk.entry import Entry
from acd.desk.ringing import Ringing, outcome_of
from acd.desk.screens import ScreenPops
from acd.desk.takeover import Takeover, entry_of
from acd.engine import Engine
from acd.floor import Floor
from acd.reservation import Outcome
from config.schema import Queue, Site

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.clock import Clock, Timer


class Desk:
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
        self._ringing = Ringing(self._calls, lambda reservation: self._engine.holds(reservation), pops)
        self._wrapping: dict[str, Call] = {}  # by agent: the call he notes down
        self._ages: dict[str, float] = {}  # calls between two queues: since when they wait
        self._todo: deque[Command] = deque()
        self._pumping = False
        self._takeover = Takeover() if waits else None
        self._timer: Timer | None = None
        self._timer_at = 0.0
        now = clock.now()
        # Reservation numbers start where no earlier run of the server got to.
        self._engine = Engine(site, now, first_reservation=int(now * 1000))
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
        entry = None if self._takeover is None else entry_of(self._engine, call, self._clock.now())
        if entry is None:
            return False
        call.controller = self
        self._calls[call.id] = entry
        if entry.talks is None:
            queue = self._queues.get(self._engine.floor.items[call.id].queue.name)
            if queue is not None:
                self._greet(call, queue)
        return True

    def open(self, site: Site) -> None:
        """All is told: whoever is not there any more is gone, and the work goes on."""
        takeover, self._takeover = self._takeover, None
        if takeover is None:
            return
        now = self._clock.now()
        takeover.over(self._engine, list(self._calls), now)
        if takeover.floor:
            self._engine.reconfigure(site, now)
        self._pump()

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
        self._greet(call, settings)
        self._calls[call.id] = Entry(call)
        now = self._clock.now()
        age_from = self._ages.get(call.id, now - call.waited_s)  # who is transferred back has waited before
        item = self._engine.enqueue(call.id, queue, call.attributes, now, age_from)
        if not item.eligible:
            self._counters["queue_nobody_fits"] += 1
        self._pump()

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
            self._engine.rescore(call.id, call.attributes, self._clock.now())
            self._pump()

    # --- controller -------------------------------------------------------------------------------------------------

    def on_digit(self, call: Call, digit: str) -> None:
        """Keys mean nothing here."""

    def on_played(self, call: Call, play_id: int) -> None:
        """Music is looped."""

    def on_early_media(self, call: Call, attempt: Attempt) -> None:
        """Who waits hears the queue's music."""

    def on_ringing(self, call: Call, attempt: Attempt) -> None:
        offer = self._ringing.offer_of(call.id, attempt)
        if offer is not None:
            offer.rang = True

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        offer = self._ringing.offer_of(call.id, attempt)
        if offer is None or not self._engine.answer(offer.reservation, self._clock.now()):
            self._counters["queue_late_answers"] += 1
            call.drop(attempt, "offer withdrawn")
            return
        entry = self._calls[call.id]
        del entry.offers[offer.reservation]  # those of others are withdrawn by the engine
        entry.talks, entry.agent = attempt, offer.agent
        call.bridge(attempt)
        self._pops.connected(call, offer.agent)
        self._pump()

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        offer = self._ringing.offer_of(call.id, attempt)
        if offer is None:
            return
        offer.attempt = None  # over: nothing to drop
        self._engine.fail(offer.reservation, outcome_of(status, rang=offer.rang), self._clock.now())
        self._pump()

    def on_ended(self, call: Call, attempt: Attempt) -> None:
        entry = self._calls.get(call.id)
        if entry is None or entry.talks is not attempt:
            return
        self._complete(entry, "agent")
        call.hang_up(call.lost or "agent hung up")
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
            for offer in entry.offers.values():  # the call itself has dropped the attempts
                self._pops.retract(call, offer.agent, Outcome.CALLER_HUNG_UP.value)
            self._engine.abandon(call.id, self._clock.now())
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
        if entry.talks is not None:
            self._complete(entry, "transfer", to)
            return
        del self._calls[call.id]
        self._ringing.take_all_back(entry, Outcome.WITHDRAWN)
        self._engine.withdraw(call.id, to, self._clock.now())

    # --- commands of agents; all raise `UnknownAgent`, or `AgentCommandError` (with `.state`) -----------------------

    def login(self, agent: str) -> None:
        """To NOT_READY; calls come after `ready`."""
        self._engine.login(agent, self._clock.now())
        self._pump()

    def logout(self, agent: str) -> None:
        """While talking: after the call and its wrap-up."""
        self._engine.logout(agent, self._clock.now())
        self._pump()

    def ready(self, agent: str) -> None:
        self._engine.ready(agent, self._clock.now())
        self._pump()

    def not_ready(self, agent: str, reason: str) -> None:
        """While talking: after the call and its wrap-up; while ringing: at once, the caller goes to the next agent."""
        self._engine.not_ready(agent, reason, self._clock.now())
        self._pump()

    def wrap_up_done(self, agent: str) -> None:
        self._engine.wrap_up_done(agent, self._clock.now())
        self._pump()

    # --- phones, site -----------------------------------------------------------------------------------------------

    def phone_registered(self, extension: str, registered: bool) -> None:
        if self._takeover is not None:
            self._takeover.registered[extension] = registered
            return
        self._engine.phone_registered(extension, registered, self._clock.now())
        self._pump()

    def phone_calls(self, extension: str, legs: int) -> None:
        if self._takeover is not None:
            self._takeover.legs[extension] = legs
            return
        self._engine.phone_calls(extension, legs, self._clock.now())
        self._pump()

    def reconfigure(self, site: Site) -> None:
        """A changed site: a diff. Raises `QueueNeedsError`, and then nothing has changed."""
        self._engine.reconfigure(site, self._clock.now())
        self._read(site)
        self._pump()

    def _read(self, site: Site) -> None:
        self._queues = site.queues
        self._ringing.reconfigure(site)

    def close_intervals(self) -> None:
        """Asked now and then: quarters of an hour of statistics end though nothing happens."""
        now = self._clock.now()
        if self._engine.floor.statistics.is_due(now):
            self._engine.close_intervals(now)
            self._pump()

    # --- views ------------------------------------------------------------------------------------------------------

    def agents(self) -> list[dict[str, object]]:
        """See `view.agents`."""
        return view.agents(self._engine.floor)

    def queues(self) -> list[dict[str, object]]:
        """See `view.queues`."""
        return view.queues(self._engine.floor, self._clock.now())

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
        finally:
            self._pumping = False
            self._arm()

    def _do(self, command: Command) -> None:
        if isinstance(command, OfferItem):
            self._ringing.offer(command)
        elif isinstance(command, WithdrawOffer):
            self._ringing.withdraw(command)
        elif isinstance(command, OverflowItem):
            self._overflow(command)
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
        if command.destination is None:
            call.hang_up(f"waited too long in queue {command.queue}")
            return
        self._ages[call.id] = command.age_from
        try:
            call.route(command.destination)
        finally:
            del self._ages[call.id]

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
