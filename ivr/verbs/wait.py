"""`wait_s`: silence on the line for a while. Keys pressed meanwhile are kept for the next menu or gather."""

from __future__ import annotations

from config.schema import Wait
from ivr.run import Phase, Rows, Run, keep_key, stale
from ivr.signals import Digit, Played, Silence, TimedOut


def enter(run: Run, wait: Wait) -> None:
    run.out.append(Silence())
    run.set_timer(wait.wait_s, Phase.WAITING)


def over(run: Run, wait: Wait, _: TimedOut) -> None:
    run.go(wait.then)


ROWS: Rows = {
    (Phase.WAITING, TimedOut): over,
    (Phase.WAITING, Digit): keep_key,
    (Phase.WAITING, Played): stale,
}
