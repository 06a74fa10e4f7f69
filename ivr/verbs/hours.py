"""`hours`: one way when a calendar is open, another when it is closed. The line is not needed for it."""

from __future__ import annotations

from config.schema import ByHours
from ivr.run import Phase, Rows, Run, keep_key, stale
from ivr.signals import AskHours, Digit, IsOpen, Played, TimedOut


def enter(run: Run, hours: ByHours) -> None:
    run.phase = Phase.ASKING
    run.out.append(AskHours(hours.hours))


def decided(run: Run, hours: ByHours, answer: IsOpen) -> None:
    run.go(hours.open if answer.open else hours.closed)


ROWS: Rows = {
    (Phase.ASKING, IsOpen): decided,
    (Phase.ASKING, Digit): keep_key,
    (Phase.ASKING, Played): stale,
    (Phase.ASKING, TimedOut): stale,
}
