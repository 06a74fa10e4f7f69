"""`say`: play prompts to the end, then go on. Keys pressed meanwhile are kept for the next menu or gather."""

from __future__ import annotations

from config.schema import Say
from ivr.run import Phase, Rows, Run, keep_key, stale
from ivr.signals import Digit, Played, TimedOut


def enter(run: Run, say: Say) -> None:
    run.play(say.say, Phase.SAYING)


def played(run: Run, say: Say, _: Played) -> None:
    run.go(say.then)


ROWS: Rows = {
    (Phase.SAYING, Played): played,
    (Phase.SAYING, Digit): keep_key,
    (Phase.SAYING, TimedOut): stale,
}
