"""`echo`: the caller hears himself until he hangs up."""

from __future__ import annotations

from config.schema import Echo as EchoState
from ivr.run import Phase, Rows, Run, stale, unheard
from ivr.signals import Digit, Echo, Played, TimedOut


def enter(run: Run, _: EchoState) -> None:
    run.phase = Phase.ECHOING
    run.out.append(Echo())


ROWS: Rows = {
    (Phase.ECHOING, Digit): unheard,
    (Phase.ECHOING, Played): stale,
    (Phase.ECHOING, TimedOut): stale,
}
