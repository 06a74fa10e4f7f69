"""One caller's place in a flow, and the few moves that verbs make: play, wait, go on, end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from config.sayings import Saying
from config.schema import State
from ivr.signals import HangUp, Input, Output, Play, SetTimer, StopPlay, StopTimer

KEYS_AHEAD = 32  # keys kept for the menus and gathers to come
MOVES_AT_ONCE = 100  # states entered without waiting for anything: more is a circle
MOVES_UNATTENDED = 1000  # states entered since the last key: more is a line left off the hook


class Phase(Enum):
    """What a state is waiting for."""

    NEW = auto()  # Start
    SAYING = auto()  # the end of the prompts
    MENU_PROMPT = auto()  # the end of the prompts, or a key that interrupts them
    MENU_KEY = auto()  # a key
    GATHER_PROMPT = auto()  # the end of the prompts, or a key that interrupts them
    GATHER_DIGITS = auto()  # more keys
    ASKING = auto()  # whether it is open
    NOTING = auto()  # whether a callback is noted
    WAITING = auto()  # the timer
    ECHOING = auto()  # nothing: the caller ends it
    ENDED = auto()  # nothing


class Run:
    """Mutable, one a call. Verbs write `out` through the methods below and never touch each other."""

    __slots__ = (
        "at_once", "attempts_left", "digits", "flow", "hash_due", "moving", "next", "out", "phase", "spec", "state",
        "ticking", "typed", "unattended",
    )  # fmt: skip

    def __init__(self, flow: Mapping[str, State]) -> None:
        self.flow = flow
        self.state = ""  # the name of the state we are in
        self.spec: Any = None  # and what the site file says of it
        self.phase = Phase.NEW
        self.moving = False  # a verb called `go`: the machine enters `next`
        self.next: str | None = None
        self.out: list[Output] = []
        self.typed: list[str] = []  # keys typed ahead
        self.digits = ""  # of the gather in progress
        self.attempts_left = 0
        self.hash_due = False  # a gather was filled to the brim: a `#` may follow from habit
        self.ticking = False
        self.at_once = 0
        self.unattended = 0

    def play(self, prompts: tuple[Saying, ...], phase: Phase) -> None:
        self.phase = phase
        self.out.append(Play(prompts))

    def again(self, prompts: tuple[Saying, ...], phase: Phase, otherwise: str | None) -> None:
        """Nothing usable came: ask once more while the state's retries last, then go on elsewhere. What was typed ahead
        goes: after a wrong key the others are likely wrong as well."""
        self.typed.clear()
        if self.attempts_left == 0:
            self.go(otherwise)
        else:
            self.attempts_left -= 1
            self.play(prompts, phase)

    def stop_play(self) -> None:
        self.out.append(StopPlay())

    def set_timer(self, after_s: float, phase: Phase) -> None:
        self.phase = phase
        self.ticking = True
        self.out.append(SetTimer(after_s))

    def stop_timer(self) -> None:
        if self.ticking:
            self.ticking = False
            self.out.append(StopTimer())

    def go(self, state: str | None) -> None:
        """To another state; None, where the flow says no more: hang up."""
        self.stop_timer()
        if state is None:
            self.end(HangUp("end of flow"))
        else:
            self.next, self.moving = state, True

    def end(self, last: Output) -> None:
        self.stop_timer()
        self.moving = False
        self.phase = Phase.ENDED
        self.out.append(last)


Action = Callable[[Run, Any, Any], None]  # (run, the state's spec, the input)
Rows = dict[tuple[Phase, type[Input]], Action]


def keep_key(run: Run, spec: object, digit: Any) -> None:
    """Typed ahead: for the next menu or gather. What exceeds the bound is lost, as on any keyboard."""
    if len(run.typed) < KEYS_AHEAD:
        run.typed.append(digit.key)


def stale(run: Run, spec: object, late: object) -> None:
    """The end of a prompt or timer that crossed with what ended it: nothing is due any more."""


def unheard(run: Run, spec: object, digit: object) -> None:
    """A key nobody will ever ask for."""
