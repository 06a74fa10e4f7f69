"""Callbacks and their calls: customers are called when the engine holds an agent for them.

    agent first       offer --> his phone rings --> he answers, hears ringing --+
                                                                                +--> the customer's phone rings
    customer first    offer --> his screen has it ------------------------------+

        the customer answers: he is the caller from now on, in a queue's call like any other
        he does not, or the agent hangs up: the call is over, and the engine says what comes next

A call has the id of the engine's item. It exists from the offer on; one that has neither an agent nor a customer any
more is ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from acd.callback_errors import CallbackError, NotANumber
from acd.callbacks import rules_of, state_of
from acd.desk.asking import Asking
from acd.desk.customers import Customer, Dialler, customer_number, outcome_of
from acd.desk.entry import Entry
from acd.desk.goodbye import Goodbye
from acd.desk.opening import Calendars
from acd.errors import UnknownQueue
from acd.model import ItemState
from acd.reservation import Outcome
from config.schema import Site
from pbx.call.originate import NotDialled

if TYPE_CHECKING:
    from acd.callbacks import Callback
    from acd.commands import OfferItem
    from acd.desk.announcer import Announcer
    from acd.desk.ringing import Ringing
    from acd.desk.screens import ScreenPops
    from acd.engine import Engine
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.clock import Clock, Timer
    from pbx.call.controller import Controller

HOURS_S: Final = 20.0  # how often calendars are looked at while anybody waits for a call

Attributes = Mapping[str, str | int | float]


class Callbacks:
    """A part of the desk. `calls` are the desk's, `pump` tells and does what the engine left, `welcome` lets a caller
    hear the queue's music."""

    def __init__(
        self, controller: Controller, engine: Engine, calls: dict[str, Entry], ringing: Ringing, announcer: Announcer,
        pops: ScreenPops, clock: Clock, counters: Counter[str], pump: Callable[[], None],
        welcome: Callable[[Entry], None],
    ) -> None:  # fmt: skip
        self._controller = controller
        self._engine = engine
        self._calls = calls
        self._ringing = ringing
        self._announcer = announcer
        self._pops = pops
        self._clock = clock
        self._counters = counters
        self._pump = pump
        self._welcome = welcome
        self._live: dict[str, Entry] = {}  # those that nobody talks in yet
        self._asking: dict[str, Asking] = {}  # callers who type their number
        self._timer: Timer | None = None
        self._country = ""
        self._calendars = Calendars({}, "UTC")
        self.dialler: Dialler | None = None

    def reconfigure(self, site: Site) -> None:
        self._country = site.locale.country
        self._calendars = Calendars(site.hours, site.locale.timezone)
        self._look_at_hours()

    # --- asked for, by the web page, a supervisor or a flow ---------------------------------------------------------

    def ask(
        self, queue: str, number: str, attributes: Attributes, *, called: str = "", due_at: float | None = None,
        place_of: str | None = None,
    ) -> str:  # fmt: skip
        """Its id. Raises `UnknownQueue`, or one of `CallbackError`: NotANumber, NoCallbacks, DuplicateCallback,
        CallbacksFull."""
        of_queue = self._engine.floor.queues.get(queue)
        if of_queue is None or of_queue.closed:
            raise UnknownQueue(queue)
        e164 = customer_number(number, self._country)
        if self.dialler is None:
            raise NotANumber("nobody is called here")
        if of_queue.callback is not None:
            try:
                self.dialler.check(e164, of_queue.callback.through)
            except NotDialled as error:
                raise NotANumber(str(error)) from None
        callback_id = f"callback-{self.dialler.new_id()}"
        now = self._clock.now()
        self._hours_of(queue)
        self._engine.ask_callback(callback_id, queue, e164, attributes, now, called, due_at, place_of)
        self._counters["callbacks_asked"] += 1
        self._pump()
        self._arm()
        return callback_id

    def noted(
        self, call: Call, queue: str, number: str | None, after_s: float | None, attributes: Attributes
    ) -> bool:
        """A flow asks for the caller of a call; `number` is the call attribute that has his number. False: he can't be
        called."""
        given = call.from_number if number is None else str(call.attributes.get(number, ""))
        due_at = None if after_s is None else self._clock.now() + after_s
        try:
            self.ask(queue, given, {**call.attributes, **attributes}, called=call.to_number, due_at=due_at)
        except (CallbackError, UnknownQueue):
            self._counters["callbacks_refused"] += 1
            return False
        return True

    def cancel(self, callback_id: str) -> None:
        """Raises `UnknownCallback`, `CallbackStateError`."""
        self._engine.cancel_callback(callback_id, self._clock.now())
        self._pump()

    def reschedule(self, callback_id: str, due_at: float) -> None:
        """Raises `UnknownCallback`, `CallbackStateError`."""
        self._engine.reschedule_callback(callback_id, due_at, self._clock.now())
        self._pump()

    def known(self, session_id: str, attributes: Attributes) -> None:
        """The customer's web session says more than when he asked: the order of the queue follows."""
        for callback in tuple(self._engine.floor.callbacks.values()):
            known = {**callback.attributes, **attributes}
            if callback.attributes.get("web_session") == session_id and known != callback.attributes:
                self._engine.callback_known(callback.id, known, self._clock.now())
        self._pump()

    def views(self) -> list[dict[str, object]]:
        """All that are not over, next one first."""
        callbacks = sorted(self._engine.floor.callbacks.values(), key=lambda one: (one.due_at, one.order))
        return [self._view(one) for one in callbacks]

    def view(self, callback_id: str) -> dict[str, object] | None:
        callback = self._engine.floor.callbacks.get(callback_id)
        return None if callback is None else self._view(callback)

    def _view(self, callback: Callback) -> dict[str, object]:
        floor = self._engine.floor
        item = None if callback.item_id is None else floor.items[callback.item_id]
        held = None if item is None else item.agent or next((one.agent for one in item.reservations.values()), None)
        return {
            "id": callback.id, "queue": callback.queue, "number": callback.number,
            "state": state_of(floor, callback).value, "asked_at": callback.asked_at, "due_at": callback.due_at,
            "waiting_since": callback.age_from, "expires_at": callback.expires_at, "attempts": callback.attempts,
            "last_outcome": callback.outcome, "agent": held,
            "call_id": callback.item_id if callback.item_id in self._calls else None,
            "attributes": dict(callback.attributes),
        }  # fmt: skip

    # --- asked for by key, from the queue ---------------------------------------------------------------------------

    def digit(self, entry: Entry, digit: str) -> bool:
        """A key of a caller who waits; true if it was meant for this."""
        call = entry.call
        asking = self._asking.get(call.id)
        if asking is not None:
            asking.digit(digit)
            return True
        queue = self._engine.floor.queues.get(entry.queue)
        rules = None if queue is None or queue.closed else queue.callback
        if rules is None or digit != rules.key or entry.talks is not None:
            return False
        if rules.number == "caller" and self._take(entry, call.from_number):
            return True
        self._ask_number(entry)
        return True

    def _ask_number(self, entry: Entry) -> None:
        """The caller types it while he keeps his place; should an agent answer meanwhile, so much the better."""
        call, rules = entry.call, self._engine.floor.queues[entry.queue].callback
        assert rules is not None
        say = partial(self._announcer.say, call, entry.queue, rules.ask_number)
        typed, none_came = partial(self._typed, call.id), partial(self._no_number, call.id)
        self._asking[call.id] = Asking(self._clock, say, typed, none_came)

    def _typed(self, call_id: str, number: str) -> bool:
        entry = self._calls.get(call_id)
        return entry is None or entry.talks is not None or self._take(entry, number)

    def _no_number(self, call_id: str) -> None:
        """He waits on."""
        self._asking.pop(call_id, None)

    def stop_asking(self, call_id: str) -> None:
        """The call no longer waits here."""
        asking = self._asking.pop(call_id, None)
        if asking is not None:
            asking.cancel()

    def _take(self, entry: Entry, number: str) -> bool:
        """The caller's place becomes a callback's; he is told so, and hung up. False: he can't be called there."""
        call = entry.call
        item = self._engine.floor.items.get(call.id)
        if item is None or item.state not in (ItemState.QUEUED, ItemState.RESERVED) or item.picked_up:
            return True  # somebody has him just now
        rules = item.queue.callback
        try:
            self.ask(entry.queue, number, call.attributes, called=call.to_number, place_of=call.id)
        except CallbackError:
            self._counters["callbacks_refused"] += 1
            return False
        self.stop_asking(call.id)
        self._announcer.end(call.id)
        self._ringing.take_all_back(entry, Outcome.WITHDRAWN)
        self._calls.pop(call.id, None)
        Goodbye(call, self._announcer.voice, () if rules is None else rules.confirm, self._clock)
        return True

    # --- a call to a customer ---------------------------------------------------------------------------------------

    def prepare(self, command: OfferItem) -> None:
        """An item is to be offered: if it is one of a callback it needs a call."""
        item = self._engine.floor.items.get(command.item_id)
        if item is None or item.callback is None or item.id in self._calls:
            return
        callback, rules = self._engine.floor.callbacks[item.callback], rules_of(item.queue)
        try:
            if self.dialler is None:
                raise NotDialled("refused", "nobody is called here")
            call = self.dialler.begin(item.id, callback.number, callback.called, item.attributes, self._controller)
        except NotDialled:
            self._counters["callbacks_not_begun"] += 1
            self._engine.customer_missed(item.id, "no_line", self._clock.now())
            return
        call.on_over = self._over
        customer = Customer(callback.number, rules.order == "agent first", rules.through, rules.ring_s)
        self._calls[item.id] = self._live[item.id] = Entry(call, item.queue.name, customer=customer)

    def keeps_waiting(self, entry: Entry) -> bool:
        """Whether an agent whose screen has the offer is not to be rung yet: the customer is called first."""
        customer = entry.customer
        if customer is None or customer.agent_first:
            return False
        if customer.attempt is None:
            self._dial(entry, customer)
        return True

    def agent_answered(self, entry: Entry) -> None:
        """He hears ringing, as his customer is called."""
        assert self.dialler is not None and entry.customer is not None and entry.talks is not None
        self.dialler.comfort(entry.talks)
        self._dial(entry, entry.customer)

    def _dial(self, entry: Entry, customer: Customer) -> None:
        call, now = entry.call, self._clock.now()
        if self.dialler is None or not self._engine.customer_dialled(call.id, now):
            return  # no agent is held any more: `settle` ends it
        try:
            attempt = self.dialler.dial(call, customer.number, customer.through, customer.ring_s)
        except NotDialled:
            self._give_up(entry, "no_route")
            return
        if self._live.get(call.id) is entry:
            customer.attempt = attempt
        else:  # over while dialling
            call.drop(attempt, "callback over")

    def answered(self, call: Call, attempt: Attempt) -> bool:
        """True if it was the customer."""
        entry = self._customers(call, attempt)
        if entry is None or entry.customer is None or self.dialler is None:
            return False
        if not self._engine.customer_reached(call.id, self._clock.now()):
            call.drop(attempt, "callback over")
            self._pump()
            return True
        number, entry.customer = entry.customer.number, None
        self._counters["callbacks_reached"] += 1
        call.on_over = None
        self.dialler.answered(call, attempt, number)
        if entry.talks is not None and entry.agent is not None:
            self._live.pop(call.id, None)
            call.bridge(entry.talks)
            self._pops.connected(call, entry.agent)
        else:
            self._welcome(entry)
            self._ringing.ring_held(entry)
        self._pump()
        return True

    def failed(self, call: Call, attempt: Attempt, status: int) -> bool:
        """True if it was the customer."""
        entry = self._customers(call, attempt)
        if entry is None:
            return False
        self._give_up(entry, outcome_of(status))
        self._pump()
        return True

    def agent_hung_up(self, entry: Entry) -> None:
        """Before his customer answered."""
        self._give_up(entry, "agent_hung_up")
        self._pump()

    def settle(self) -> None:
        """End the calls of callbacks that are over, or in line again."""
        floor = self._engine.floor
        for call_id, entry in list(self._live.items()):
            item = floor.items.get(call_id)
            if self._calls.get(call_id) is not entry or (item is not None and item.state is ItemState.CONNECTED):
                del self._live[call_id]
            elif item is None:
                self._close(entry, "callback over")
            elif item.state is ItemState.QUEUED and entry.customer is not None:
                self._engine.callback_let_go(call_id, self._clock.now())

    def _customers(self, call: Call, attempt: Attempt) -> Entry | None:
        entry = self._live.get(call.id)
        customer = None if entry is None else entry.customer
        return entry if customer is not None and customer.attempt is attempt else None

    def _give_up(self, entry: Entry, outcome: str) -> None:
        """The customer is not reached by this call."""
        self._counters[f"callbacks_missed_{outcome}"] += 1
        self._close(entry, outcome.replace("_", " "))
        self._engine.customer_missed(entry.call.id, outcome, self._clock.now())

    def _close(self, entry: Entry, cause: str) -> None:
        call = entry.call
        self._forget(entry)
        call.on_over = None
        call.hang_up(cause)

    def _forget(self, entry: Entry) -> None:
        call = entry.call
        del self._live[call.id]
        self._calls.pop(call.id, None)
        self._announcer.end(call.id)
        self._ringing.take_all_back(entry, Outcome.WITHDRAWN)
        if entry.talks is not None and entry.agent is not None:
            self._pops.retract(call, entry.agent, "not_reached")

    def _over(self, call: Call) -> None:
        """Somebody else has ended it: a drain, a supervisor, a fault."""
        entry = self._live.get(call.id)
        if entry is not None:
            for offer in entry.offers.values():  # the call itself drops the attempts
                offer.attempt = None
            self._forget(entry)
            self._engine.callback_let_go(call.id, self._clock.now())
            self._pump()

    # --- hours ------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """After a restart: those who wait wait on."""
        self._look_at_hours()
        self._arm()

    def _hours_of(self, name: str) -> None:
        queue = self._engine.floor.queues[name]
        hours, now = rules_of(queue).hours, self._clock.now()
        is_open = hours is None or self._calendars.is_open(hours, now)
        if is_open is not queue.callbacks_open:
            self._engine.callback_hours(name, is_open, now)

    def _look_at_hours(self) -> None:
        for name, queue in list(self._engine.floor.queues.items()):
            if queue.callbacks or not queue.callbacks_open:
                self._hours_of(name)

    def _arm(self) -> None:
        """Calendars need be looked at only while somebody waits for a call."""
        queues = self._engine.floor.queues.values()
        waits = any(queue.callbacks and rules_of(queue).hours is not None for queue in queues)
        if waits and self._timer is None:
            self._timer = self._clock.after(HOURS_S, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._look_at_hours()
        self._pump()
        self._arm()
