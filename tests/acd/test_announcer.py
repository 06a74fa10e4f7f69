"""What callers hear beside music, in virtual time: when, in which order, and that music follows without a gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from acd.desk.announcer import ASKED_MOST, SAID_MOST, SPOKEN_AT_MOST_S, Announcer
from config.sayings import Spoken
from config.schema import Queue
from tests.virtual_clock import VirtualClock

Sayings = tuple[Any, ...]


class FakeVoice:
    """Says `place 3`, `wait 120`, `grown 180` and prompts by name; at once, or when told (`slow`)."""

    def __init__(self) -> None:
        self.slow = False
        self.waiting: list[Callable[[], None]] = []
        self.cancelled = 0

    def position(self) -> Sayings:
        return (Spoken(text="place {position}"),)

    def wait(self) -> Sayings:
        return (Spoken(text="wait {wait}"),)

    def wait_grown(self) -> Sayings:
        return (Spoken(text="grown {wait}"),)

    def prepare(
        self, sayings: Sayings, attributes: Mapping[str, Any], on_ready: Callable[[tuple[str, ...]], None]
    ) -> FakeVoice:
        names = tuple(one if isinstance(one, str) else one.text.format(**attributes) for one in sayings)
        names = tuple(name for name in names if name != "unsayable")
        if self.slow:
            self.waiting.append(lambda: on_ready(names))
        else:
            on_ready(names)
        return self

    def cancel(self) -> None:
        self.cancelled += 1


class FakeCall:
    def __init__(self, name: str = "c1") -> None:
        self.id = name
        self.answered = True
        self.attributes: dict[str, Any] = {"name": "Eve"}
        self.heard: list[str] = []

    def play(self, prompts: Any, *, loop: bool = False, once: int = 0) -> int:
        then = f" then {' '.join(prompts[once:])}" if loop else ""
        self.heard.append(", ".join(prompts[:once] if loop else prompts) + then)
        return len(self.heard)


class Stage:
    def __init__(self, announce: dict[str, Any], music: str | None = "music") -> None:
        self.clock = VirtualClock(1_000.0)
        self.facts: tuple[int, float | None] = (3, 100.0)
        self.counters: Counter[str] = Counter()
        self.queues = {"sales": Queue.model_validate({"announce": announce, "music": music})}
        self.announcer = Announcer(self.clock, lambda call: self.facts, self.counters)
        self.announcer.voice = self.voice = FakeVoice()
        self.announcer.reconfigure(self.queues, [])
        self.call = FakeCall()

    def begin(self) -> Stage:
        self.announcer.begin(cast(Any, self.call), "sales")
        return self

    def over(self) -> None:
        """What is heard once ends."""
        self.announcer.played(cast(Any, self.call), len(self.call.heard))

    def run(self, seconds: float) -> list[str]:
        before = len(self.call.heard)
        self.clock.run(seconds)
        return self.call.heard[before:]

    def say(self, *sayings: Any, **attributes: Any) -> None:
        self.announcer.say(cast(Any, self.call), "sales", sayings, attributes)


def test_place_first_after_a_while_then_at_most_so_often() -> None:
    s = Stage({"position": True, "first_after_s": 10, "every_s": 60}).begin()
    assert s.run(9.9) == []
    assert s.run(0.2) == ["place 3 then music"]
    s.run(5)
    s.over()
    s.facts = (2, None)
    assert s.run(54) == []
    assert s.run(1.1) == ["place 2 then music"]


def test_place_and_wait_are_said_in_one() -> None:
    s = Stage({"position": True, "wait": True}).begin()
    assert s.run(10) == ["place 3, wait 120 then music"]


def test_place_only_up_to_a_number() -> None:
    s = Stage({"position": 2, "every_s": 10}).begin()
    assert s.run(10) == []
    s.facts = (2, None)
    assert s.run(10) == ["place 2 then music"]


@pytest.mark.parametrize("ewt_s", [None, 1801.0])
def test_a_wait_that_nobody_knows_or_wants_told(ewt_s: float | None) -> None:
    s = Stage({"wait": True}).begin()
    s.facts = (1, ewt_s)
    assert s.run(300) == []


def test_a_wait_is_said_to_have_grown_only_when_it_has() -> None:
    s = Stage({"wait": True, "first_after_s": 1, "every_s": 10}).begin()
    for ewt_s in (100.0, 110.0, 60.0, 61.0, 300.0, 290.0):
        s.facts = (1, ewt_s)
        s.run(5)
        s.over()
        s.run(5)
    assert s.call.heard == [
        "wait 120 then music", "wait 120 then music", "wait 60 then music", "grown 120 then music",
        "grown 300 then music", "wait 300 then music",
    ]  # fmt: skip


def test_words_of_the_site() -> None:
    s = Stage({
        "position": True, "wait": True, "first_after_s": 0, "every_s": 10,
        "your_position": ["you-are", {"text": "no. {position}"}], "your_wait": "soon", "wait_grown": "sorry",
    }).begin()  # fmt: skip
    assert s.run(0) == ["you-are, no. 3, soon then music"]
    s.over()
    s.facts = (3, 600.0)
    assert s.run(10) == ["you-are, no. 3, sorry then music"]


def test_messages_in_turn() -> None:
    s = Stage({"messages": ["one", "two"], "messages_every_s": 45}).begin()
    heard = []
    for _ in range(3):
        assert s.run(44.9) == []
        heard += s.run(0.1)
        s.over()
    assert heard == ["one then music", "two then music", "one then music"]


def test_nothing_is_said_over_something_else() -> None:
    """A message of 20 s; the place falls due meanwhile and follows."""
    s = Stage({"position": True, "first_after_s": 10, "messages": ["long"], "messages_every_s": 5}).begin()
    assert s.run(5) == ["long then music"]
    assert s.run(20) == []
    s.over()
    assert s.call.heard[1:] == ["place 3, long then music"]


def test_a_text_that_takes_its_time_to_be_made() -> None:
    s = Stage({"position": True, "messages": ["m"], "messages_every_s": 11}).begin()
    s.voice.slow = True
    s.run(12)
    assert s.call.heard == []
    s.voice.waiting.pop()()
    assert s.call.heard == ["place 3 then music"]
    s.over()
    s.voice.waiting.pop()()
    assert s.call.heard[1:] == ["m then music"]


def test_a_caller_who_leaves_hears_no_more() -> None:
    s = Stage({"position": True, "messages": ["m"]}).begin()
    s.voice.slow = True
    s.run(10)
    s.announcer.end("c1")
    s.announcer.end("c1")
    assert s.voice.cancelled == 1
    s.voice.waiting.pop()()
    s.run(500)
    s.over()
    assert s.call.heard == [] and len(s.announcer) == 0 and s.clock.pending() == 0


def test_no_music() -> None:
    s = Stage({"position": True}, music=None).begin()
    assert s.run(10) == ["place 3"]


def test_what_can_not_be_said_is_counted_and_the_rest_goes_on() -> None:
    s = Stage({"messages": ["unsayable", "m"], "messages_every_s": 5}).begin()
    assert s.run(10) == ["m then music"]
    assert s.counters["queue_announcements_unsaid"] == 1


def test_the_end_of_a_prompt_that_was_never_told() -> None:
    s = Stage({"messages": ["m"], "messages_every_s": 5}).begin()
    assert s.run(5) == ["m then music"]
    assert s.run(SPOKEN_AT_MOST_S - 1) == []
    assert s.run(2) == ["m then music"]


def test_others_have_something_to_say() -> None:
    """A callback is offered."""
    s = Stage({"position": True}).begin()
    s.say("offer {key}", Spoken(text="press {key}"), key=1)
    assert s.call.heard == ["offer {key}, press 1 then music"]
    s.say("more")
    assert len(s.call.heard) == 1
    s.over()
    assert s.call.heard[1:] == ["more then music"]
    for _ in range(ASKED_MOST + 2):
        s.say("x")
    assert s.counters["queue_announcements_dropped"] == 2


def test_others_may_speak_where_the_queue_announces_nothing() -> None:
    s = Stage({})
    s.say("offer")
    s.over()
    assert s.call.heard == ["offer then music"]
    s.call.answered = False
    s.say("offer")
    assert len(s.call.heard) == 1


def test_who_hears_ringing_hears_no_announcement() -> None:
    s = Stage({"position": True})
    s.call.answered = False
    s.begin()
    assert s.run(100) == [] and len(s.announcer) == 0


def test_a_playlist_has_room_for_the_music() -> None:
    s = Stage({})
    s.say(*(f"p{n}" for n in range(40)))
    assert s.call.heard[0].count(",") == SAID_MOST - 1 and s.call.heard[0].endswith("then music")


def test_a_reload_changes_what_is_said_to_those_who_wait() -> None:
    s = Stage({"position": True, "every_s": 60}).begin()
    s.run(10)
    s.over()
    s.announcer.reconfigure(s.queues, [(cast(Any, s.call), "sales")])
    assert s.run(59) == [], "the same settings: no new beginning"
    queues = {"sales": Queue.model_validate({"announce": {"messages": ["m"], "messages_every_s": 5}, "music": "jazz"})}
    s.announcer.reconfigure(queues, [(cast(Any, s.call), "sales")])
    assert s.run(5) == ["m then jazz"]
    silent = {"sales": Queue.model_validate({})}
    s.over()
    s.announcer.reconfigure(silent, [(cast(Any, s.call), "sales")])
    assert s.run(500) == []
    other = FakeCall("c2")
    s.announcer.reconfigure(queues, [(cast(Any, other), "sales")])
    s.run(5)
    assert other.heard == ["m then jazz"]
