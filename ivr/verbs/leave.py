"""`enqueue`, `connect`, `hang_up`: the three ways out of a flow. Nothing is waited for, so they have no phase."""

from __future__ import annotations

from config.schema import Connect as ConnectState
from config.schema import Enqueue as EnqueueState
from config.schema import HangUp as HangUpState
from ivr.run import Phase, Rows, Run, stale, unheard
from ivr.signals import Connect, Digit, Enqueue, HangUp, Played, TimedOut


def enter_enqueue(run: Run, state: EnqueueState) -> None:
    run.end(Enqueue(state.enqueue, state.set))


def enter_connect(run: Run, state: ConnectState) -> None:
    run.end(Connect(state.connect))


def enter_hang_up(run: Run, _: HangUpState) -> None:
    run.end(HangUp("hang up"))


ROWS: Rows = {
    (Phase.ENDED, Digit): unheard,
    (Phase.ENDED, Played): stale,
    (Phase.ENDED, TimedOut): stale,
}
