"""The agent's states as a table: (state, input) -> what follows. The figure is in README.md."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What an agent is doing."""

    LOGGED_OUT = "LOGGED_OUT"
    NOT_READY = "NOT_READY"  # logged in, on a break or after a refusal; has a reason
    READY = "READY"  # wants calls (available only if the phone is, too)
    RESERVED = "RESERVED"  # an item is held for him; the phone rings
    BUSY = "BUSY"  # talks with a caller from a queue
    WRAP_UP = "WRAP_UP"  # notes down the last call


class Input(StrEnum):
    """What can happen to an agent. The first five are commands of his own."""

    LOGIN = "login"
    LOGOUT = "logout"
    READY = "ready"
    NOT_READY = "not ready"
    WRAP_UP_DONE = "wrap-up done"
    RESERVE = "reserve"
    ANSWER = "answer"
    RELEASE = "release"  # the item was taken away; not the agent's doing
    REFUSE = "refuse"  # did not answer, rejected, busy
    MISS = "miss"  # the phone could not be reached
    HANG_UP = "hang up"  # the call is over, wrap-up follows
    HANG_UP_NO_WRAP_UP = "hang up, no wrap-up"
    WRAP_UP_OVER = "wrap-up over"  # its time is up


class Rule(StrEnum):
    """What follows, when it is not simply a next state."""

    IGNORED = "ignored"
    REFUSED = "refused"  # AgentCommandError
    LATER = "later"  # becomes the wish
    WISHED = "wished"  # to the state wished for: READY unless a wish was remembered
    IMPOSSIBLE = "-"  # AcdError: the engine's own mistake


_S, _I, _R = State, Input, Rule

# Pairs not listed are refused (commands) or impossible (all others).
_TABLE: dict[State, dict[Input, State | Rule]] = {
    _S.LOGGED_OUT: {
        _I.LOGIN: _S.NOT_READY,
        _I.LOGOUT: _R.IGNORED,
    },
    _S.NOT_READY: {
        _I.LOGIN: _R.IGNORED,
        _I.LOGOUT: _S.LOGGED_OUT,
        _I.READY: _S.READY,
        _I.NOT_READY: _S.NOT_READY,  # another reason
    },
    _S.READY: {
        _I.LOGIN: _R.IGNORED,
        _I.LOGOUT: _S.LOGGED_OUT,
        _I.READY: _S.READY,  # ends a rest after failures
        _I.NOT_READY: _S.NOT_READY,
        _I.RESERVE: _S.RESERVED,
    },
    _S.RESERVED: {
        _I.LOGIN: _R.IGNORED,
        _I.LOGOUT: _S.LOGGED_OUT,
        _I.READY: _R.IGNORED,
        _I.NOT_READY: _S.NOT_READY,
        _I.ANSWER: _S.BUSY,
        _I.RELEASE: _S.READY,
        _I.REFUSE: _S.NOT_READY,
        _I.MISS: _S.READY,
    },
    _S.BUSY: {
        _I.LOGIN: _R.IGNORED,
        _I.LOGOUT: _R.LATER,
        _I.READY: _R.LATER,
        _I.NOT_READY: _R.LATER,
        _I.HANG_UP: _S.WRAP_UP,
        _I.HANG_UP_NO_WRAP_UP: _R.WISHED,
    },
    _S.WRAP_UP: {
        _I.LOGIN: _R.IGNORED,
        _I.LOGOUT: _S.LOGGED_OUT,
        _I.READY: _S.READY,
        _I.NOT_READY: _S.NOT_READY,
        _I.WRAP_UP_DONE: _R.WISHED,
        _I.WRAP_UP_OVER: _R.WISHED,
    },
}

COMMANDS = (Input.LOGIN, Input.LOGOUT, Input.READY, Input.NOT_READY, Input.WRAP_UP_DONE)

TABLE: dict[tuple[State, Input], State | Rule] = {
    (state, what): _TABLE[state].get(what, Rule.REFUSED if what in COMMANDS else Rule.IMPOSSIBLE)
    for state in State
    for what in Input
}

AT_WORK = (State.RESERVED, State.BUSY)  # the agent's phone is taken by the queue


def as_markdown() -> str:
    """The table as README.md shows it."""
    head = ["| input | " + " | ".join(State) + " |", "|---" * (len(State) + 1) + "|"]
    rows = [f"| {what} | " + " | ".join(TABLE[state, what] for state in State) + " |" for what in Input]
    return "\n".join(head + rows)
