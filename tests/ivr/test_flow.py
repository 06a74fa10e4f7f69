"""Every phase x input of the flow machine, and what callers do in the order they do it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from config.schema import Destination, Flow
from ivr.flow import INPUTS, TABLE, FlowMachine
from ivr.run import KEYS_AHEAD, MOVES_AT_ONCE, MOVES_UNATTENDED, Phase
from ivr.signals import (
    AskCallback,
    AskHours,
    CallbackNoted,
    Connect,
    Digit,
    Echo,
    Enqueue,
    Entered,
    Gathered,
    HangUp,
    Input,
    IsOpen,
    Keyed,
    NoInput,
    Output,
    Play,
    Played,
    Record,
    SetTimer,
    Silence,
    Start,
    StopPlay,
    StopTimer,
    TimedOut,
)

FLOW = TypeAdapter(Flow)

SHOP = {
    "opening": {"hours": "shop", "open": "hello", "closed": "sorry"},
    "hello": {"say": "welcome", "then": "where"},
    "where": {
        "menu": "where-to", "keys": {"1": "asia", "2": "code", "3": "test", "4": "hold"}, "timeout_s": 5, "retries": 1,
        "invalid": "pardon", "otherwise": "agent",
    },
    "code": {"gather": "type-code", "digits": 3, "into": "web_code", "then": "where", "otherwise": "agent",
             "invalid": "wrong", "timeout_s": 4},
    "asia": {"enqueue": "asia", "set": {"destination": "asia"}},
    "agent": {"connect": "extension 101"},
    "sorry": {"say": "closed"},
    "test": {"echo": True},
    "hold": {"wait_s": 2, "then": "where"},
    "bye": {"hang_up": True},
    "later": {"callback": "asia", "number": "typed", "after_s": 60, "then": "hello", "otherwise": "sorry"},
    "tape": {"record": "start", "announce": "recorded", "then": "where"},
}  # fmt: skip


def flow(states: dict[str, Any]) -> Flow:
    return FLOW.validate_python(states)


def at(state: str, shop: dict[str, Any] = SHOP) -> FlowMachine:
    """A machine that has just entered `state`."""
    machine = FlowMachine(flow({"begin": {"hours": "x", "open": state, "closed": state}, **shop}))
    machine.feed(Start())
    machine.feed(IsOpen(True))
    assert machine.state == state
    return machine


def feed(machine: FlowMachine, *inputs: Input | str) -> list[Output]:
    """Feed them in order (a string is keys); what came out of the last."""
    out: list[Output] = []
    for one in inputs:
        if isinstance(one, str):
            for key in one:
                out = machine.feed(Digit(key))
        else:
            out = machine.feed(one)
    return out


# --- every phase x input --------------------------------------------------------------------------------------------

PROMPT = Play(("where-to",))
AGAIN = Play(("pardon", "where-to"))
CODE = Play(("type-code",))
CODE_AGAIN = Play(("wrong", "type-code"))
LEAVE_ASIA: list[Output] = [Entered("asia"), Enqueue("asia", {"destination": "asia"})]

#: how to get into each phase: a machine factory
INTO = {
    Phase.NEW: lambda: FlowMachine(flow(SHOP)),
    Phase.SAYING: lambda: at("hello"),
    Phase.MENU_PROMPT: lambda: at("where"),
    Phase.MENU_KEY: lambda: _after(at("where"), Played()),
    Phase.GATHER_PROMPT: lambda: at("code"),
    Phase.GATHER_DIGITS: lambda: _after(at("code"), Played()),
    Phase.ASKING: lambda: _after(FlowMachine(flow(SHOP)), Start()),
    Phase.NOTING: lambda: at("later"),
    Phase.WAITING: lambda: at("hold"),
    Phase.ECHOING: lambda: at("test"),
    Phase.ENDED: lambda: at("bye"),
}
ONE = Digit("1")
#: what each input gives there; what is not listed gives nothing
GIVES: dict[tuple[Phase, Input], list[Output]] = {
    (Phase.NEW, Start()): [Entered("opening"), AskHours("shop")],
    (Phase.SAYING, Played()): [Entered("where"), PROMPT],
    (Phase.MENU_PROMPT, Played()): [SetTimer(5)],
    (Phase.MENU_PROMPT, ONE): [StopPlay(), Keyed("where", "1", True), *LEAVE_ASIA],
    (Phase.MENU_KEY, ONE): [Keyed("where", "1", True), StopTimer(), *LEAVE_ASIA],
    (Phase.MENU_KEY, TimedOut()): [NoInput("where"), AGAIN],
    (Phase.GATHER_PROMPT, Played()): [SetTimer(4)],
    (Phase.GATHER_PROMPT, ONE): [StopPlay(), SetTimer(4)],
    (Phase.GATHER_DIGITS, ONE): [SetTimer(4)],
    (Phase.GATHER_DIGITS, TimedOut()): [NoInput("code"), CODE_AGAIN],
    (Phase.ASKING, IsOpen(True)): [Entered("hello"), Play(("welcome",))],
    (Phase.ASKING, IsOpen(False)): [Entered("sorry"), Play(("closed",))],
    (Phase.NOTING, CallbackNoted(True)): [Entered("hello"), Play(("welcome",))],
    (Phase.NOTING, CallbackNoted(False)): [Entered("sorry"), Play(("closed",))],
    (Phase.WAITING, TimedOut()): [Entered("where"), PROMPT],
}


def _after(machine: FlowMachine, what: Input) -> FlowMachine:
    machine.feed(what)
    return machine


EVERY = [Start(), ONE, Played(), TimedOut(), IsOpen(True), IsOpen(False), CallbackNoted(True), CallbackNoted(False)]


@pytest.mark.parametrize("what", EVERY, ids=str)
@pytest.mark.parametrize("phase", list(Phase), ids=lambda p: p.name)
def test_every_phase_and_input(phase: Phase, what: Input) -> None:
    machine = INTO[phase]()
    assert machine._run.phase is phase
    assert machine.feed(what) == GIVES.get((phase, what), [])


def test_the_table_is_complete() -> None:
    assert set(TABLE) == {(phase, kind) for phase in Phase for kind in INPUTS}


# --- menu -----------------------------------------------------------------------------------------------------------


def test_menu_retries_then_otherwise() -> None:
    machine = at("where")
    assert feed(machine, Played(), TimedOut()) == [NoInput("where"), AGAIN]
    assert feed(machine, Played(), TimedOut()) == [
        NoInput("where"), Entered("agent"), Connect(Destination("extension", "101")),
    ]  # fmt: skip
    assert machine.ended


def test_wrong_key_counts_as_an_attempt() -> None:
    machine = at("where")
    assert feed(machine, "9") == [StopPlay(), Keyed("where", "9", False), AGAIN]
    assert feed(machine, "8")[-1] == Connect(Destination("extension", "101"))


def test_wrong_key_after_the_prompt_stops_the_timer() -> None:
    assert feed(at("where"), Played(), "9") == [Keyed("where", "9", False), StopTimer(), AGAIN]


def test_attempts_are_new_each_time_the_menu_is_entered() -> None:
    machine = at("where")
    feed(machine, "9", "4", TimedOut())
    assert machine.state == "where"
    assert feed(machine, "9")[-1] == AGAIN


def test_menu_without_otherwise_hangs_up() -> None:
    machine = at("m", {"m": {"menu": "p", "keys": {"1": "m"}, "retries": 0}})
    assert feed(machine, Played(), TimedOut()) == [NoInput("m"), HangUp("end of flow")]


def test_menu_without_invalid_repeats_itself() -> None:
    machine = at("m", {"m": {"menu": ["p", "q"], "keys": {"1": "m"}, "retries": 1}})
    assert feed(machine, "7")[-1] == Play(("p", "q"))


# --- gather ---------------------------------------------------------------------------------------------------------


def test_gather_full_length() -> None:
    assert feed(at("code"), "123") == [
        StopTimer(), Keyed("code", "123", True), Gathered("web_code", "123"), Entered("where"), PROMPT,
    ]  # fmt: skip


def test_gather_counts_from_the_last_key() -> None:
    machine = at("code")
    assert feed(machine, "1") == [StopPlay(), SetTimer(4)]
    assert feed(machine, "2") == [SetTimer(4)]


@pytest.mark.parametrize(("keys", "digits"), [("12#", "12"), ("#", ""), ("9*12#", "12"), ("A1B#", "1")])
def test_gather_of_variable_length(keys: str, digits: str) -> None:
    shop = {"g": {"gather": "p", "digits": 8, "min_digits": 0, "into": "n", "then": "b"}, "b": {"hang_up": True}}
    assert Gathered("n", digits) in feed(at("g", shop), keys)


def test_gather_pause_is_enough_when_min_digits_allows() -> None:
    shop = {"g": {"gather": "p", "digits": 8, "min_digits": 2, "into": "n", "then": "b"}, "b": {"hang_up": True}}
    machine = at("g", shop)
    feed(machine, "12")
    assert feed(machine, TimedOut())[:2] == [Keyed("g", "12", True), Gathered("n", "12")]


def test_too_few_digits_again_then_otherwise() -> None:
    machine = at("code")
    assert feed(machine, "12#") == [StopTimer(), Keyed("code", "12", False), CODE_AGAIN]
    feed(machine, "3")
    assert feed(machine, TimedOut()) == [
        Keyed("code", "3", False), Entered("agent"), Connect(Destination("extension", "101")),
    ]  # fmt: skip


def test_hash_alone_is_an_input_and_a_pause_is_none() -> None:
    assert feed(at("code"), Played(), "#") == [StopTimer(), Keyed("code", "#", False), CODE_AGAIN]
    assert feed(at("code"), "1*", TimedOut())[0] == NoInput("code"), "what was erased is none"
    shop = {"g": {"gather": "p", "digits": 8, "min_digits": 0, "into": "n", "then": "b"}, "b": {"hang_up": True}}
    assert feed(at("g", shop), "#")[1:3] == [Keyed("g", "#", True), Gathered("n", "")]
    assert feed(at("g", shop), Played(), TimedOut())[:2] == [NoInput("g"), Gathered("n", "")]


def test_hash_out_of_habit_is_not_an_answer() -> None:
    machine = at("code")
    feed(machine, "123")
    assert machine.state == "where"
    assert feed(machine, "#") == []
    assert feed(machine, "#")[-1] == AGAIN  # but only one


def test_hash_out_of_habit_is_forgotten_after_the_prompt() -> None:
    machine = at("code")
    feed(machine, "123", Played())
    assert feed(machine, "#")[-1] == AGAIN


@pytest.mark.parametrize("ahead", [False, True])
def test_hash_is_an_answer_where_the_menu_has_one(ahead: bool) -> None:
    shop = {
        "s": {"say": "p", "then": "g"},
        "g": {"gather": "p", "digits": 2, "into": "n", "then": "m"},
        "m": {"menu": "p", "keys": {"#": "b"}},
        "b": {"hang_up": True},
    }
    machine = at("s" if ahead else "g", shop)
    out = feed(machine, "12#", *([Played()] if ahead else []))
    assert out[-1] == HangUp("hang up")


# --- keys typed ahead -----------------------------------------------------------------------------------------------


def test_keys_typed_ahead_skip_the_prompts() -> None:
    machine = at("hello")
    assert feed(machine, "2123#1") == []
    assert feed(machine, Played()) == [
        Entered("where"), Keyed("where", "2", True),
        Entered("code"), Keyed("code", "123", True), Gathered("web_code", "123"),
        Entered("where"), Keyed("where", "1", True), *LEAVE_ASIA,
    ]  # fmt: skip


def test_part_of_a_code_typed_ahead() -> None:
    machine = at("hello")
    feed(machine, "212")
    assert feed(machine, Played())[-2:] == [Entered("code"), SetTimer(4)]
    assert Gathered("web_code", "123") in feed(machine, "3")


def test_a_wrong_key_typed_ahead_forgets_the_others() -> None:
    machine = at("hello")
    feed(machine, "911")
    assert feed(machine, Played())[-1] == AGAIN


def test_keys_typed_ahead_are_bounded() -> None:
    shop = {
        "s": {"say": "p", "then": "g"},
        "g": {"gather": "p", "digits": 32, "min_digits": 1, "into": "n", "then": "g"},
    }
    machine = at("s", shop)
    feed(machine, "1" * 100)
    assert len(machine._run.typed) == KEYS_AHEAD
    assert Gathered("n", "1" * KEYS_AHEAD) in feed(machine, Played())


def test_keys_typed_ahead_go_on_into_the_next_flow() -> None:
    first = at("s", {"s": {"say": "p", "then": "c"}, "c": {"connect": "ivr shop"}})
    assert feed(first, "1", Played())[-1] == Connect(Destination("ivr", "shop"))
    second = FlowMachine(flow({"where": SHOP["where"], "asia": SHOP["asia"]}), after=first)
    assert second.feed(Start())[-1] == Enqueue("asia", {"destination": "asia"})


# --- the rest -------------------------------------------------------------------------------------------------------


def test_say_without_then_hangs_up() -> None:
    assert feed(at("sorry"), Played()) == [HangUp("end of flow")]


def test_wait_and_echo() -> None:
    assert FlowMachine(flow({"w": {"wait_s": 30}})).feed(Start()) == [Entered("w"), Silence(), SetTimer(30)]
    machine = FlowMachine(flow({"w": {"wait_s": 30}}))
    assert feed(machine, Start(), TimedOut()) == [HangUp("end of flow")]
    assert FlowMachine(flow({"e": {"echo": True}})).feed(Start()) == [Entered("e"), Echo()]


def test_empty_flow_and_missing_state_hang_up() -> None:
    assert FlowMachine({}).feed(Start()) == [HangUp("empty flow")]
    assert feed(FlowMachine(flow({"s": {"say": "p", "then": "nowhere"}})), Start(), Played()) == [
        HangUp("no state nowhere")
    ]


# --- flows that go round --------------------------------------------------------------------------------------------


def _run_dry(machine: FlowMachine, answer: Input) -> int:
    """Feed the same answer until the flow ends; how often."""
    machine.feed(Start())
    for n in range(10_000):
        if machine.ended:
            return n
        last = machine.feed(answer)
    raise AssertionError(last)


def test_hours_going_round_are_cut_off() -> None:
    states = {"a": {"hours": "h", "open": "b", "closed": "b"}, "b": {"hours": "h", "open": "a", "closed": "a"}}
    machine = FlowMachine(flow(states))
    assert _run_dry(machine, IsOpen(True)) == MOVES_AT_ONCE


def test_prompts_the_site_lacks_do_not_make_an_endless_loop() -> None:
    machine = FlowMachine(flow({"a": {"say": "nothing", "then": "a"}}))
    assert _run_dry(machine, Played(heard=False)) == MOVES_AT_ONCE


def test_an_announcement_loop_runs_long_but_not_forever() -> None:
    machine = FlowMachine(flow({"a": {"say": "music", "then": "a"}}))
    assert _run_dry(machine, Played()) == MOVES_UNATTENDED


def test_a_key_shows_that_somebody_is_there() -> None:
    machine = FlowMachine(flow({"a": {"say": "music", "then": "a"}}))
    machine.feed(Start())
    for _ in range(3 * MOVES_UNATTENDED):
        machine.feed(Digit("5"))
        machine.feed(Played())
    assert not machine.ended


def test_the_count_goes_on_in_the_next_flow() -> None:
    machine = FlowMachine(flow({"a": {"connect": "ivr a"}}))
    for n in range(1, MOVES_AT_ONCE + 1):
        assert machine.feed(Start())[-1] == Connect(Destination("ivr", "a")), n
        machine = FlowMachine(flow({"a": {"connect": "ivr a"}}), after=machine)
    assert machine.feed(Start()) == [HangUp("flow goes round", looping=True)]


def test_recording_begins_before_it_is_announced() -> None:
    states = {"r": {"record": "start", "announce": "recorded", "then": "m"}, "m": {"record": "mask"}}
    machine = FlowMachine(flow(states))
    assert machine.feed(Start()) == [Entered("r"), Record("start"), Play(("recorded",))]
    assert machine.feed(Played()) == [Entered("m"), Record("mask"), HangUp("end of flow")]


def test_a_callback_is_asked_for_with_what_the_state_says() -> None:
    states = {"c": {"callback": "asia", "set": {"destination": "asia"}, "then": "bye"}, "bye": {"hang_up": True}}
    machine = FlowMachine(flow(states))
    assert machine.feed(Start()) == [Entered("c"), AskCallback("asia", None, None, {"destination": "asia"})]
    assert machine.feed(CallbackNoted(False)) == [HangUp("end of flow")]  # nothing is said of that
