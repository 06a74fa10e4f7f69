"""Flows joined to calls: one session a call, in charge from `start` until the flow leads elsewhere or the call ends."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from config.calendar import is_open
from config.sayings import Saying
from config.schema import Destination, Flow, Hours, Site
from config.speech import currency_of, voice_of
from ivr.events import IvrDigits, IvrEnded, IvrNoInput, IvrStateEntered
from ivr.flow import FlowMachine
from ivr.signals import (
    AskCallback,
    AskHours,
    CallbackNoted,
    Connect,
    Digit,
    Echo,
    Enqueue,
    Entered,
    Gathered,
    HangUp,
    Input,
    IsOpen,
    Keyed,
    NoInput,
    Output,
    Play,
    Played,
    Record,
    SetTimer,
    Silence,
    Start,
    StopPlay,
    StopTimer,
    TimedOut,
)
from ivr.utterance import Context, Utterance, plain, steps_of
from pbx.call.clock import Clock, Timer

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call

Emit = Callable[[object], None]
OnGathered = Callable[["Call", str, str], None]
OnRecord = Callable[["Call", str], None]
OnCallback = Callable[["Call", AskCallback], bool]


class _Plan:
    """What a session takes from the site when it starts; a reload makes another for the sessions to come."""

    __slots__ = ("_currency", "_hours", "_timezone", "_voice", "flows")

    def __init__(self, site: Site, now: float) -> None:
        self.flows: Mapping[str, Flow] = site.ivr
        self._hours: Mapping[str, Hours] = site.hours
        self._timezone = ZoneInfo(site.locale.timezone)
        self._voice = site.speech.voice or voice_of(site.locale.country)
        self._currency = currency_of(site.locale.country)
        for name in site.hours:  # computes the year's holidays, so that no call waits for it
            self.is_open(name, now)

    def is_open(self, name: str, now: float) -> bool | None:
        """None if there is no such calendar."""
        hours = self._hours.get(name)
        return None if hours is None else is_open(hours, dt.datetime.fromtimestamp(now, self._timezone)).open


    def context(self, call: Call, now: float) -> Context:
        """What a call's sayings are made of."""
        local = dt.datetime.fromtimestamp(now, self._timezone)
        return Context(call.attributes, local, self._voice, self._currency, call.switch.plane.has_prompt)


class IvrHandler:
    """The handler of destinations `ivr NAME`."""

    __slots__ = ("callback", "clock", "counters", "emit", "live", "on_gathered", "plan", "record")

    def __init__(
        self, site: Site, clock: Clock, emit: Emit, on_gathered: OnGathered, counters: Counter[str]
    ) -> None:
        """`on_gathered(call, name, digits)` is told of each gather, after the call has the attribute."""
        self.clock = clock
        self.emit = emit
        self.on_gathered = on_gathered
        self.record: OnRecord = self._not_recorded  # start, stop, mask or unmask a call's recording
        self.callback: OnCallback = lambda call, asked: False  # notes who is to be called; False if it can't be
        self.counters = counters
        self.live = 0  # sessions in charge of a call
        self.plan = _Plan(site, clock.now())

    def _not_recorded(self, call: Call, what: str) -> None:
        self.counters["ivr_not_recorded"] += 1

    def reconfigure(self, site: Site) -> None:
        """From now on calls get these flows; sessions that run keep theirs."""
        self.plan = _Plan(site, self.clock.now())

    def start(self, call: Call, flow: str) -> None:
        """Take the call over. It is answered when a state needs the line."""
        states = self.plan.flows.get(flow)
        if states is None:
            self.counters["ivr_unknown_flow"] += 1
            call.refuse(404, f"no ivr {flow}")
            return
        session = IvrSession(self, call, flow, states)
        call.controller = session
        session.feed(Start())


class IvrSession:
    """One call in a flow: a `Controller`. Holds the call only while it is in charge, so no cycle outlives it."""

    __slots__ = (
        "_begun_at", "_call", "_feeding", "_flow", "_handler", "_inputs", "_machine", "_plan", "_play_id", "_timer",
        "_utterance",
    )  # fmt: skip

    def __init__(self, handler: IvrHandler, call: Call, flow: str, states: Flow) -> None:
        self._handler = handler
        self._call: Call | None = call
        self._flow = flow
        self._machine = FlowMachine(states)
        self._plan = handler.plan
        self._timer: Timer | None = None
        self._play_id: int | None = None  # of what is heard now
        self._utterance: Utterance | None = None  # on its way to be heard
        self._inputs: list[Input] = []
        self._feeding = False
        self._begun_at = handler.clock.now()
        handler.live += 1

    # --- Controller -------------------------------------------------------------------------------------------------

    def on_digit(self, call: Call, digit: str) -> None:
        self.feed(Digit(digit))

    def on_played(self, call: Call, play_id: int) -> None:
        if play_id == self._play_id:  # else it crossed with what replaced it
            self._play_id = None
            self.feed(Played(heard=play_id >= 0))  # negative: there was no such prompt

    def on_caller_gone(self, call: Call, cause: str) -> None:
        self._end(cause, hung_up_by="caller")

    def on_returned(self, call: Call, attempt: Attempt) -> None:
        """Nobody talks with a flow."""

    def on_taken(self, call: Call, to: str) -> None:
        self._end(to)

    def on_ringing(self, call: Call, attempt: Attempt) -> None:
        """A flow dials nobody: never called, as those below."""

    def on_early_media(self, call: Call, attempt: Attempt) -> None: ...

    def on_answered(self, call: Call, attempt: Attempt) -> None: ...

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None: ...

    def on_ended(self, call: Call, attempt: Attempt) -> None: ...

    # --- the machine ------------------------------------------------------------------------------------------------

    def feed(self, what: Input) -> None:
        """Give the machine an input, do what it says, give it the answers, until it waits."""
        self._inputs.append(what)
        if self._feeding:  # a callback from within `_do`
            return
        self._feeding = True
        try:
            while self._inputs and self._call is not None:
                for output in self._machine.feed(self._inputs.pop(0)):
                    if self._call is None:  # the caller is gone
                        break
                    self._do(self._call, output)
        finally:
            self._feeding = False

    def _do(self, call: Call, output: Output) -> None:
        match output:
            case Entered(state):
                self._emit(IvrStateEntered(self._handler.clock.now(), call.id, self._flow, state))
            case Play(sayings):
                self._say(call, sayings)
            case StopPlay():
                self._hush()
                call.silence()
            case SetTimer(after_s):
                self._stop_timer()
                self._timer = self._handler.clock.after(after_s, self._timed_out)
            case StopTimer():
                self._stop_timer()
            case AskHours(hours):
                self._inputs.append(IsOpen(self._is_open(hours)))
            case AskCallback():
                self._inputs.append(CallbackNoted(self._handler.callback(call, output)))
            case Keyed(state, digits, matched):
                self._emit(IvrDigits(self._handler.clock.now(), call.id, self._flow, state, digits, matched))
            case NoInput(state):
                self._emit(IvrNoInput(self._handler.clock.now(), call.id, self._flow, state))
            case Gathered(name, digits):
                call.set_attributes({name: digits})
                self._handler.on_gathered(call, name, digits)
            case Silence():
                call.answer()
                call.silence()
            case Record(what):
                call.answer()
                self._handler.record(call, what)
            case Echo():
                call.answer()
                call.echo()
            case Enqueue() | Connect() | HangUp():
                self._leave(call, output)

    def _say(self, call: Call, sayings: tuple[Saying, ...]) -> None:
        call.answer()
        self._hush()
        if plain(sayings):
            self._play(cast("tuple[str, ...]", sayings), 0)
            return
        steps, left_out = steps_of(sayings, self._plan.context(call, self._handler.clock.now()))
        self._handler.counters["ivr_values_missing"] += left_out
        utterance = Utterance(steps, call.switch.plane.speak, self._play)
        if utterance.waits:
            call.silence()
            self._utterance = utterance

    def _play(self, prompts: tuple[str, ...], unsaid: int) -> None:
        """All is said that can be; if that is nothing, the flow goes on at once."""
        self._utterance = None
        self._handler.counters["ivr_texts_unsaid"] += unsaid
        if self._call is None:
            return
        if prompts:
            self._play_id = self._call.play(prompts)
        else:
            self.feed(Played(heard=False))

    def _hush(self) -> None:
        self._play_id = None
        if self._utterance is not None:
            self._utterance.cancel()
            self._utterance = None

    def _is_open(self, name: str) -> bool:
        answer = self._plan.is_open(name, self._handler.clock.now())
        if answer is None:
            self._handler.counters["ivr_unknown_hours"] += 1
        return answer or False

    def _leave(self, call: Call, way: Enqueue | Connect | HangUp) -> None:
        match way:
            case Enqueue(queue, attributes):
                if attributes:
                    call.set_attributes(attributes)
                self._end(f"queue {queue}")
                call.route(Destination("queue", queue))
            case Connect(destination) if destination.kind == "ivr" and destination.name in self._plan.flows:
                self._go_on_in(call, destination.name)
            case Connect(destination):
                self._end(str(destination))
                call.route(destination)
            case HangUp(cause, looping):
                if looping:
                    self._handler.counters["ivr_loops_cut"] += 1
                self._end(cause, hung_up_by="flow")
                call.hang_up(cause)

    def _go_on_in(self, call: Call, flow: str) -> None:
        """Another flow, by the same session: flows that connect to each other in a circle share one count of moves."""
        self._emit(IvrEnded(self._handler.clock.now(), call.id, self._flow, f"ivr {flow}"))
        call.destination = Destination("ivr", flow)
        self._flow = flow
        self._machine = FlowMachine(self._plan.flows[flow], after=self._machine)
        self._inputs.append(Start())

    # --- timer, end -------------------------------------------------------------------------------------------------

    def _timed_out(self) -> None:
        self._timer = None
        self.feed(TimedOut())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, outcome: str, hung_up_by: str = "") -> None:
        call, self._call = self._call, None
        if call is None:
            return
        self._stop_timer()
        self._hush()
        self._inputs.clear()
        self._handler.live -= 1
        call.menu_s += self._handler.clock.now() - self._begun_at
        self._emit(IvrEnded(self._handler.clock.now(), call.id, self._flow, outcome, hung_up_by))

    def _emit(self, event: object) -> None:
        self._handler.emit(event)
