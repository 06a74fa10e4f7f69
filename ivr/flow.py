"""The flow machine: (input) -> outputs, by one table. Knows no call, no clock, no calendar.

    machine = FlowMachine(flow)
    machine.feed(Start())           # [Entered("opening"), AskHours("shop")]
    machine.feed(IsOpen(True))      # [Entered("where"), Play(("welcome", "where-to"))]
    machine.feed(Digit("1"))        # [StopPlay(), Keyed("where", "1", True), Entered("asia"), Enqueue("asia", {...})]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from config import schema
from ivr.run import MOVES_AT_ONCE, MOVES_UNATTENDED, Phase, Rows, Run, stale
from ivr.signals import CallbackNoted, Digit, Entered, HangUp, Input, IsOpen, Output, Played, Start, TimedOut
from ivr.verbs import callback, echo, gather, hours, leave, menu, record, say, wait

INPUTS: tuple[type[Input], ...] = (Start, Digit, Played, TimedOut, IsOpen, CallbackNoted)


def _start(run: Run, spec: object, _: Start) -> None:
    if run.flow:
        run.go(next(iter(run.flow)))
    else:
        run.end(HangUp("empty flow"))


def _complete(*parts: Rows) -> Rows:
    """One table of every (phase, input). Start comes once, answers only when asked; any other gap is a mistake here."""
    table: Rows = {(phase, kind): stale for phase in Phase for kind in (Start, IsOpen, CallbackNoted)}
    table |= {(Phase.NEW, kind): stale for kind in (Digit, Played, TimedOut)}
    table[Phase.NEW, Start] = _start
    for rows in parts:
        table |= rows
    missing = [(phase, kind) for phase in Phase for kind in INPUTS if (phase, kind) not in table]
    assert not missing, missing
    return table


TABLE = _complete(say.ROWS, menu.ROWS, gather.ROWS, hours.ROWS, callback.ROWS, wait.ROWS, echo.ROWS, leave.ROWS)

ENTER: dict[type[schema._State], Callable[[Run, Any], None]] = {
    schema.Say: say.enter,
    schema.Menu: menu.enter,
    schema.Gather: gather.enter,
    schema.ByHours: hours.enter,
    schema.Enqueue: leave.enter_enqueue,
    schema.Connect: leave.enter_connect,
    schema.Wait: wait.enter,
    schema.Echo: echo.enter,
    schema.Record: record.enter,
    schema.CallBack: callback.enter,
    schema.HangUp: leave.enter_hang_up,
}


def _wants_hash(spec: object) -> bool:
    return isinstance(spec, schema.Menu) and "#" in spec.keys


class FlowMachine:
    """One caller in one flow. `feed` never raises and always ends."""

    __slots__ = ("_run",)

    def __init__(self, flow: Mapping[str, schema.State], *, after: FlowMachine | None = None) -> None:
        """`after`: the flow that led here, whose keys typed ahead and count of moves go on."""
        self._run = Run(flow)
        if after is not None:
            self._run.at_once, self._run.unattended = after._run.at_once, after._run.unattended
            self._run.typed = after._run.typed

    @property
    def state(self) -> str:
        """The name of the state we are in; "" before `Start`."""
        return self._run.state

    @property
    def ended(self) -> bool:
        return self._run.phase is Phase.ENDED

    def feed(self, what: Input) -> list[Output]:
        run = self._run
        out: list[Output] = []
        run.out = out
        if not self._attended(what):
            return out
        TABLE[run.phase, type(what)](run, run.spec, what)
        while run.moving:
            self._move()
        run.out = []
        return out

    def _attended(self, what: Input) -> bool:
        """Note that time passed or the caller is there. False: a `#` out of habit, not to be seen by the flow."""
        run = self._run
        if isinstance(what, Digit):
            run.at_once = run.unattended = 0
            habit = run.hash_due and what.key == "#" and not _wants_hash(run.spec)
            run.hash_due = False
            return not habit
        if isinstance(what, TimedOut):
            run.at_once = 0
            run.ticking = False
        elif isinstance(what, Played) and what.heard:
            run.at_once = 0
            run.hash_due = False
        return True

    def _move(self) -> None:
        run = self._run
        assert run.next is not None
        run.moving = False
        run.at_once += 1
        run.unattended += 1
        if run.at_once > MOVES_AT_ONCE or run.unattended > MOVES_UNATTENDED:
            run.end(HangUp("flow goes round", looping=True))
            return
        spec = run.flow.get(run.next)
        if spec is None:
            run.end(HangUp(f"no state {run.next}"))
            return
        run.state, run.spec = run.next, spec
        run.out.append(Entered(run.state))
        if run.hash_due and run.typed and run.typed[0] == "#":
            run.hash_due = False
            if not _wants_hash(spec):
                del run.typed[0]
        ENTER[type(spec)](run, spec)
