"""The table of agent states: every pair, and the copy in README.md."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

import acd.agent_state
from acd.agent_state import COMMANDS, TABLE, Input, Rule, State, as_markdown


@pytest.mark.parametrize(("state", "what"), list(product(State, Input)))
def test_every_pair_has_its_rule(state: State, what: Input) -> None:
    rule = TABLE[state, what]
    if what in COMMANDS:
        assert rule is not Rule.IMPOSSIBLE  # agents may send anything
    else:
        assert rule not in (Rule.REFUSED, Rule.IGNORED, Rule.LATER)  # the engine knows what it does


@pytest.mark.parametrize(
    ("what", "states"),
    [
        (Input.RESERVE, [State.READY]),
        (Input.ANSWER, [State.RESERVED]),
        (Input.RELEASE, [State.RESERVED]),
        (Input.REFUSE, [State.RESERVED]),
        (Input.MISS, [State.RESERVED]),
        (Input.HANG_UP, [State.BUSY]),
        (Input.HANG_UP_NO_WRAP_UP, [State.BUSY]),
        (Input.WRAP_UP_OVER, [State.WRAP_UP]),
    ],
)
def test_where_the_engine_may_say_what(what: Input, states: list[State]) -> None:
    assert [state for state in State if TABLE[state, what] is not Rule.IMPOSSIBLE] == states


def test_every_state_can_be_reached_and_left() -> None:
    steps = {(a, b) for (a, _), b in TABLE.items() if isinstance(b, State)}
    steps |= {(a, b) for (a, _), rule in TABLE.items() if rule is Rule.WISHED
              for b in (State.READY, State.NOT_READY, State.LOGGED_OUT)}  # fmt: skip
    assert {b for _, b in steps} == set(State) == {a for a, _ in steps}


def test_only_a_call_defers_a_command() -> None:
    assert {state for (state, _), rule in TABLE.items() if rule is Rule.LATER} == {State.BUSY}


def test_readme_shows_this_table() -> None:
    readme = Path(acd.agent_state.__file__).with_name("README.md")
    assert as_markdown() in readme.read_text(encoding="utf-8")
