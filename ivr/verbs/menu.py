"""`menu`: one key shows the way. A wrong key or none: `invalid` and the menu again, `retries` times; then `otherwise`.

```
            Played                    Digit, known
  PROMPT ------------> KEY (timer) ------------------> that state
   |  ^                 | Digit, wrong; TimedOut
   |  +-----------------+ -- no attempts left --> otherwise
   +-- Digit: stops the prompt, then as in KEY
```
"""

from __future__ import annotations

from config.schema import Menu
from ivr.run import Phase, Rows, Run, stale
from ivr.signals import Digit, Keyed, NoInput, Played, TimedOut


def enter(run: Run, menu: Menu) -> None:
    run.attempts_left = menu.retries
    if run.typed:
        choose(run, menu, Digit(run.typed.pop(0)))
    else:
        run.play(menu.menu, Phase.MENU_PROMPT)


def barge_in(run: Run, menu: Menu, digit: Digit) -> None:
    run.stop_play()
    choose(run, menu, digit)


def prompted(run: Run, menu: Menu, _: Played) -> None:
    run.set_timer(menu.timeout_s, Phase.MENU_KEY)


def choose(run: Run, menu: Menu, digit: Digit) -> None:
    state = menu.keys.get(digit.key)
    run.out.append(Keyed(run.state, digit.key, state is not None))
    if state is None:
        _again(run, menu)
    else:
        run.go(state)


def unkeyed(run: Run, menu: Menu, _: TimedOut) -> None:
    run.out.append(NoInput(run.state))
    _again(run, menu)


def _again(run: Run, menu: Menu) -> None:
    run.stop_timer()
    run.again(menu.invalid + menu.menu, Phase.MENU_PROMPT, menu.otherwise)


ROWS: Rows = {
    (Phase.MENU_PROMPT, Played): prompted,
    (Phase.MENU_PROMPT, Digit): barge_in,
    (Phase.MENU_PROMPT, TimedOut): stale,
    (Phase.MENU_KEY, Played): stale,
    (Phase.MENU_KEY, Digit): choose,
    (Phase.MENU_KEY, TimedOut): unkeyed,
}
