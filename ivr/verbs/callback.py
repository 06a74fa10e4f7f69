"""`callback`: ask for a call from a queue, for who does not want to wait; one way if it is noted, another if not.

The caller keeps the line: the flow tells him, or goes on with something else.
"""

from __future__ import annotations

from config.schema import CallBack as CallBackState
from ivr.run import Phase, Rows, Run, keep_key, stale
from ivr.signals import AskCallback, CallbackNoted, Digit, Played, TimedOut


def enter(run: Run, state: CallBackState) -> None:
    run.phase = Phase.NOTING
    run.out.append(AskCallback(state.callback, state.number, state.after_s, state.set))


def noted(run: Run, state: CallBackState, answer: CallbackNoted) -> None:
    run.go(state.then if answer.noted else state.otherwise)


ROWS: Rows = {
    (Phase.NOTING, CallbackNoted): noted,
    (Phase.NOTING, Digit): keep_key,
    (Phase.NOTING, Played): stale,
    (Phase.NOTING, TimedOut): stale,
}
