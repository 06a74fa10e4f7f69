"""Flows on a call, in virtual time: who is told what, when, and that nothing is left behind."""

from __future__ import annotations

import datetime as dt
import gc
from collections import Counter
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from config.schema import Destination, Site
from ivr.events import IvrDigits, IvrEnded, IvrNoInput, IvrStateEntered
from ivr.session import IvrHandler, IvrSession
from media.fake import FakePlane
from tests.virtual_clock import VirtualClock, VirtualTimer

if TYPE_CHECKING:
    from pbx.call.call import Call

WEDNESDAY_10H = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC).timestamp()  # 11:00 in Paris
PROMPT_S = 3.0


class FakeCall:
    """Does what `pbx.call.call.Call` promises to a controller, and writes it down."""

    def __init__(self, clock: VirtualClock, prompts: set[str]) -> None:
        self.id = "call-1"
        self.clock = clock
        self.done: list[str] = []
        self.attributes: dict[str, str | int | float] = {}
        self.answered = False
        self.menu_s = 0.0
        self.controller: Any = None
        self.destination = Destination("ivr", "")
        self.routed: Destination | None = None
        self.plane = FakePlane(prompts=prompts)
        self.switch = SimpleNamespace(plane=self.plane)
        self._playing: VirtualTimer | None = None
        self._play_id = 0
        self._unknown_id = 0

    def answer(self) -> None:
        if not self.answered:
            self.answered = True
            self.done.append("answer")

    def play(self, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
        self._stop()
        self.done.append(f"play {' '.join(prompts)}")
        if not all(map(self.plane.has_prompt, prompts)):
            self._unknown_id -= 1
            self._playing = self.clock.after(0, self._played, self._unknown_id)
            return self._unknown_id
        self._play_id += 1
        self._playing = self.clock.after(PROMPT_S * len(prompts), self._played, self._play_id)
        return self._play_id

    def _played(self, play_id: int) -> None:
        self.controller.on_played(self, play_id)

    def _stop(self) -> None:
        if self._playing is not None:
            self._playing.cancel()

    def silence(self) -> None:
        self._stop()
        self.done.append("silence")

    def echo(self) -> None:
        self._stop()
        self.done.append("echo")

    def set_attributes(self, new: Mapping[str, str | int | float]) -> None:
        self.attributes.update(new)

    def route(self, destination: Destination) -> None:
        self._stop()
        self.done.append(f"route {destination}")

    def hang_up(self, cause: str) -> None:
        self._stop()
        self.done.append(f"hang up: {cause}")

    def refuse(self, status: int, cause: str) -> None:
        self.done.append(f"refuse {status} {cause}")

    def press(self, keys: str) -> None:
        for key in keys:
            self.controller.on_digit(self, key)


FLOWS: dict[str, Any] = {
    "welcome": {
        "opening": {"hours": "shop", "open": "where", "closed": "sorry"},
        "where": {
            "menu": ["welcome", "where-to"], "keys": {"1": "asia", "2": "code", "3": "test", "4": "hold"},
            "invalid": "pardon", "otherwise": "asia", "retries": 1, "timeout_s": 5,
        },
        "code": {"gather": "type-code", "digits": 4, "into": "web_code", "then": "asia"},
        "asia": {"enqueue": "asia", "set": {"destination": "asia", "weight": 2}},
        "test": {"echo": True},
        "hold": {"wait_s": 30},
        "sorry": {"say": "closed"},
    },
    "tape": {
        "t": {"record": "start", "announce": "closed", "then": "u"}, "u": {"record": "stop", "then": "v"},
        "v": {"echo": True},
    },
    "direct": {"d": {"connect": "extension 101"}},
    "chained": {"c": {"connect": "ivr welcome"}},
    "ping": {"p": {"connect": "ivr pong"}},
    "pong": {"p": {"connect": "ivr ping"}},
    "hours": {"a": {"hours": "shop", "open": "b", "closed": "b"}, "b": {"hours": "shop", "open": "a", "closed": "a"}},
    "nothing": {"n": {"say": "no-such-prompt", "then": "n"}},
    "spoken": {
        "s": {"say": ["welcome", {"text": "Hello {name}.", "instead": "closed"}, "{number:age}"], "then": "m"},
        "m": {"menu": {"text": "Press {digits:key}."}, "keys": {"1": "x"}}, "x": {"hang_up": True},
    },
    "no-calendar": {"n": {"hours": "gone", "open": "x", "closed": "y"}, "x": {"hang_up": True}, "y": {"say": "closed"}},
}  # fmt: skip
PROMPTS = {"welcome", "where-to", "pardon", "type-code", "closed"}


def site(flows: dict[str, Any] = FLOWS) -> Site:
    return Site.model_validate({
        "site": "test",
        "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "hours": {"shop": {"open": {"mon-sat": "09:00-21:00"}}},
        "ivr": flows,
    })


class Line:
    """One caller, one handler, everything written down."""

    def __init__(self) -> None:
        self.clock = VirtualClock(WEDNESDAY_10H)
        self.events: list[object] = []
        self.counters: Counter[str] = Counter()
        self.gathered: list[tuple[str, str, dict[str, Any]]] = []
        self.handler = IvrHandler(site(), self.clock, self.events.append, self._on_gathered, self.counters)
        self.call = FakeCall(self.clock, PROMPTS)

    def _on_gathered(self, call: Call, name: str, digits: str) -> None:
        self.gathered.append((name, digits, dict(call.attributes)))

    def start(self, flow: str = "welcome") -> FakeCall:
        self.handler.start(cast("Call", self.call), flow)
        return self.call

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, IvrStateEntered)]

    @property
    def outcomes(self) -> list[str]:
        return [event.outcome for event in self.events if isinstance(event, IvrEnded)]

    def nothing_left(self) -> None:
        assert self.clock.pending() == 0
        assert self.handler.live == 0


@pytest.fixture
def line() -> Line:
    return Line()


def test_menu_to_queue(line: Line) -> None:
    call = line.start()
    assert call.done == ["answer", "play welcome where-to"]
    call.press("1")
    assert call.done[2:] == ["silence", "route queue asia"]
    assert call.attributes == {"destination": "asia", "weight": 2}
    at, where = WEDNESDAY_10H, ("call-1", "welcome")
    assert line.events == [
        IvrStateEntered(at, *where, "opening"),
        IvrStateEntered(at, *where, "where"),
        IvrDigits(at, *where, "where", "1"),
        IvrStateEntered(at, *where, "asia"),
        IvrEnded(at, *where, "queue asia"),
    ]
    line.nothing_left()


def test_closed_at_night_by_the_clock_of_the_site(line: Line) -> None:
    line.clock.run(9.5 * 3600)  # 20:30 in Paris, still open
    line.start()
    assert line.states == ["opening", "where"]
    night = Line()
    night.clock.run(10 * 3600)  # 21:00
    call = night.start()
    assert call.done == ["answer", "play closed"]
    night.clock.run(PROMPT_S)
    assert call.done[2:] == ["hang up: end of flow"]
    assert cast("IvrEnded", night.events[-1]).hung_up_by == "flow"
    night.nothing_left()


def test_timeout_counts_from_the_end_of_the_prompt(line: Line) -> None:
    call = line.start()
    line.clock.run(2 * PROMPT_S + 4.9)
    assert call.done == ["answer", "play welcome where-to"]
    line.clock.run(0.1)
    assert call.done[2:] == ["play pardon welcome where-to"]
    line.clock.run(3 * PROMPT_S + 5)
    assert call.done[3:] == ["route queue asia"]
    line.nothing_left()


def test_gather(line: Line) -> None:
    call = line.start()
    call.press("212")
    line.clock.run(4.9)
    call.press("3")
    line.clock.run(4.9)
    assert line.gathered == []
    call.press("4")
    assert line.gathered == [("web_code", "1234", {"web_code": "1234"})]  # the attribute is set when we are told
    assert call.done[-1] == "route queue asia"
    assert IvrDigits(line.clock.now(), "call-1", "welcome", "code", "1234") in line.events
    line.nothing_left()


def test_keys_that_are_of_no_use_and_none_are_told(line: Line) -> None:
    call = line.start()
    call.press("9")
    at, where = line.clock.now(), ("call-1", "welcome", "where")
    assert line.events[-1] == IvrDigits(at, *where, "9", matched=False)
    line.clock.run(3 * PROMPT_S + 5)
    assert IvrNoInput(at + 3 * PROMPT_S + 5, *where) in line.events and call.done[-1] == "route queue asia"


def test_wait_holds_the_line_in_silence(line: Line) -> None:
    call = line.start()
    call.press("4")
    assert call.done[2:] == ["silence", "silence"]
    line.clock.run(29.9)
    assert call.done[4:] == []
    line.clock.run(0.1)
    assert call.done[4:] == ["hang up: end of flow"]
    line.nothing_left()


def test_echo_until_the_caller_is_gone(line: Line) -> None:
    call = line.start()
    call.press("3")
    assert call.done[-1] == "echo"
    line.clock.run(3600)
    call.controller.on_caller_gone(call, "caller hung up")
    assert line.outcomes == ["caller hung up"]
    line.nothing_left()


@pytest.mark.parametrize("after_s", [0.0, 2 * PROMPT_S + 1])
def test_caller_gone_leaves_no_timer(line: Line, after_s: float) -> None:
    call = line.start()
    line.clock.run(after_s)
    call._stop()
    call.controller.on_caller_gone(call, "caller hung up")
    done = list(call.done)
    call.press("1")
    call.controller.on_played(call, 1)
    call.controller.on_caller_gone(call, "twice")
    line.clock.run(60)
    assert call.done == done
    assert line.outcomes == ["caller hung up"]
    line.nothing_left()


def test_the_end_of_a_replaced_prompt_is_not_heard(line: Line) -> None:
    call = line.start()
    call.press("9")  # `pardon` plays now
    call.controller.on_played(call, 1)  # the report crossed
    line.clock.run(6)
    assert call.done[-1] == "play pardon welcome where-to"  # no timer was started by the stale report


def test_connect_does_not_answer(line: Line) -> None:
    assert line.start("direct").done == ["route extension 101"]
    assert line.outcomes == ["extension 101"]
    line.nothing_left()


def test_a_flow_in_a_flow(line: Line) -> None:
    call = line.start("chained")
    assert call.done == ["answer", "play welcome where-to"]
    assert call.destination == Destination("ivr", "welcome")
    assert line.outcomes == ["ivr welcome"]
    call.press("1")
    assert [type(e).__name__ for e in line.events].count("IvrEnded") == 2
    line.nothing_left()


@pytest.mark.parametrize("flow", ["ping", "hours"])
def test_circles_are_cut_off(line: Line, flow: str) -> None:
    call = line.start(flow)
    assert call.done == ["hang up: flow goes round"]
    assert line.counters["ivr_loops_cut"] == 1
    line.nothing_left()


def test_circle_of_unknown_prompts_is_cut_off(line: Line) -> None:
    call = line.start("nothing")
    line.clock.run(1)
    assert call.done[-1] == "hang up: flow goes round"
    line.nothing_left()


def test_unknown_flow_and_calendar(line: Line) -> None:
    assert line.start("no-such").done == ["refuse 404 no ivr no-such"]
    assert line.counters["ivr_unknown_flow"] == 1
    assert Line().handler.live == 0
    other = Line()
    assert other.start("no-calendar").done == ["answer", "play closed"]
    assert other.counters["ivr_unknown_hours"] == 1


def test_reload_leaves_running_sessions_alone(line: Line) -> None:
    call = line.start()
    line.handler.reconfigure(site({"welcome": {"s": {"say": "closed"}}}))
    call.press("1")
    assert call.done[-1] == "route queue asia"
    other = FakeCall(line.clock, PROMPTS)
    line.handler.start(cast("Call", other), "welcome")
    assert other.done == ["answer", "play closed"]


def test_a_caller_lost_while_being_answered(line: Line) -> None:
    """The call may end from inside of what the session asks of it."""

    class Fragile(FakeCall):
        def answer(self) -> None:
            self.controller.on_caller_gone(self, "media lost")

    line.call = Fragile(line.clock, PROMPTS)
    line.start()
    line.clock.run(60)
    assert line.outcomes == ["media lost"]
    line.clock.run(60)
    assert line.handler.live == 0


def test_a_key_from_within_is_taken_in_order(line: Line) -> None:
    class Hasty(FakeCall):
        def play(self, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
            play_id = super().play(prompts)
            self.controller.on_digit(self, "1")
            return play_id

    line.call = Hasty(line.clock, PROMPTS)
    assert line.start().done == ["answer", "play welcome where-to", "silence", "route queue asia"]
    line.nothing_left()


@pytest.mark.parametrize("keys", ["1", "21234", "99", "hang up"])
def test_no_reference_cycles(keys: str) -> None:
    line = Line()
    line.start("direct")  # imports and caches are made before counting
    gc.collect()
    gc.disable()
    try:
        line.call = call = FakeCall(line.clock, PROMPTS)
        line.start()
        if keys == "hang up":
            call._stop()
            call.controller.on_caller_gone(call, "caller hung up")
        else:
            call.press(keys)
        line.clock.run(60)
        assert line.handler.live == 0
        line.call = FakeCall(line.clock, PROMPTS)
        call.controller = None  # as a call that ended has it
        del call
        assert not [o for o in gc.get_objects() if isinstance(o, IvrSession) and o._flow == "welcome"]
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_recording(line: Line) -> None:
    line.start("tape")
    assert line.counters["ivr_not_recorded"] == 1  # nobody records here
    told: list[str] = []
    other = Line()
    other.handler.record = lambda call, what: told.append(what)
    call = other.start("tape")
    assert told == ["start"] and call.done == ["answer", "play closed"]
    other.clock.run(PROMPT_S)
    assert told == ["start", "stop"]


# --- texts and values --------------------------------------------------------------------------------------------


def test_values_and_texts_are_spoken(line: Line) -> None:
    call = line.call
    call.attributes |= {"name": "Anne", "age": 21, "key": "1"}
    line.start("spoken")
    hello = "say:Hello Anne."
    assert call.plane.commands == [("speak", "Hello Anne.", "fr"), ("speak", "vingt et un", "fr")]
    assert call.done == ["answer", f"play welcome {hello} say:vingt et un"]
    line.clock.run(PROMPT_S * 3)
    assert call.done[-1] == "play say:Press un."
    call.press("1")
    assert call.done[-1] == "hang up: hang up"


def test_the_caller_waits_in_silence_for_speech(line: Line) -> None:
    call = line.call
    call.attributes |= {"name": "Anne", "age": 21}
    call.plane.slow_speech = True
    line.start("spoken")
    assert call.done == ["answer", "silence"]
    call.plane.spoken(well=False)
    call.plane.spoken()
    assert call.done[2:] == ["play welcome closed say:vingt et un"]  # closed is played instead


def test_a_value_that_is_missing_is_left_out_and_counted(line: Line) -> None:
    line.start("spoken")
    assert line.call.done == ["answer", "play welcome closed"]
    assert line.counters["ivr_values_missing"] == 1


def test_nothing_can_be_said_so_the_flow_goes_on(line: Line) -> None:
    line.call.attributes["key"] = "1"
    line.call.plane.slow_speech = True
    line.start("spoken")
    line.clock.run(PROMPT_S * 2)
    assert line.call.done[-1] == "silence"
    line.call.plane.spoken(well=False)
    assert line.counters["ivr_texts_unsaid"] == 1
    line.call.press("1")  # the menu waits for its key
    assert line.call.done[-1] == "hang up: hang up"


def test_a_key_does_not_wait_for_speech(line: Line) -> None:
    line.call.attributes["key"] = "1"
    line.call.plane.slow_speech = True
    line.start("spoken")
    line.clock.run(PROMPT_S * 2)
    line.call.press("1")
    done = list(line.call.done)
    assert done[-1] == "hang up: hang up"
    line.call.plane.spoken()
    assert line.call.done == done
