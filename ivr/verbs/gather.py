"""`gather`: collect digits, until there are enough, or `#`, or a pause. `*` begins the entry again; A-D mean nothing.

```
            Played                       `digits` of them, `#`, or TimedOut: enough
  PROMPT ------------> DIGITS (timer) ---------------------------------------------> then
   |  ^                 |  ^ Digit: timer anew
   |  |                 |  +--+
   |  +-- too few ------+ -- no attempts left --> otherwise
   +-- Digit: stops the prompt, then as in DIGITS
```
"""

from __future__ import annotations

from config.schema import Gather
from ivr.run import Phase, Rows, Run, stale
from ivr.signals import Digit, Gathered, Keyed, NoInput, Played, TimedOut


def enter(run: Run, gather: Gather) -> None:
    run.attempts_left = gather.retries
    run.digits = ""
    if not run.typed:
        run.play(gather.gather, Phase.GATHER_PROMPT)
        return
    while run.typed:
        if _take(run, gather, run.typed.pop(0)):
            return
    run.set_timer(gather.timeout_s, Phase.GATHER_DIGITS)


def barge_in(run: Run, gather: Gather, digit: Digit) -> None:
    run.stop_play()
    collect(run, gather, digit)


def begin(run: Run, gather: Gather, _: Played) -> None:
    run.set_timer(gather.timeout_s, Phase.GATHER_DIGITS)


def collect(run: Run, gather: Gather, digit: Digit) -> None:
    if not _take(run, gather, digit.key):
        run.set_timer(gather.timeout_s, Phase.GATHER_DIGITS)


def finish(run: Run, gather: Gather, _: TimedOut) -> None:
    _finish(run, gather)


def _take(run: Run, gather: Gather, key: str) -> bool:
    """One key; True if the entry is over by it, for good or ill."""
    if key == "#":
        _finish(run, gather, key)
        return True
    if key == "*":
        run.digits = ""
    elif key in "0123456789":
        run.digits += key
    if len(run.digits) < gather.digits:
        return False
    run.hash_due = True
    _finish(run, gather)
    return True


def _finish(run: Run, gather: Gather, key: str = "") -> None:
    """`key`: the one that ended it, if it is not part of the entry."""
    run.stop_timer()
    digits, run.digits = run.digits, ""
    enough = len(digits) >= (gather.digits if gather.min_digits is None else gather.min_digits)
    keyed = digits or key
    run.out.append(Keyed(run.state, keyed, enough) if keyed else NoInput(run.state))
    if enough:
        run.out.append(Gathered(gather.into, digits))
        run.go(gather.then)
        return
    run.again(gather.invalid + gather.gather, Phase.GATHER_PROMPT, gather.otherwise)


ROWS: Rows = {
    (Phase.GATHER_PROMPT, Played): begin,
    (Phase.GATHER_PROMPT, Digit): barge_in,
    (Phase.GATHER_PROMPT, TimedOut): stale,
    (Phase.GATHER_DIGITS, Played): stale,
    (Phase.GATHER_DIGITS, Digit): collect,
    (Phase.GATHER_DIGITS, TimedOut): finish,
}
