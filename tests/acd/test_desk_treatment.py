"""How callers are treated while they wait, through the desk: hours, keys, kept places, announcements, whispers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from acd import events
from acd.desk.whisper import AT_MOST_S
from acd.errors import ItemCommandError, UnknownDestination, UnknownItem, UnknownQueue
from config.schema import Destination, Site
from tests.acd.conftest import T1, FakeCall
from tests.acd.test_announcer import FakeVoice

Open = Callable[..., Any]


def overflows(floor: Any) -> list[tuple[str, str]]:
    return [(e.item_id, e.reason) for e in floor.events if isinstance(e, events.ItemOverflowed)]


# --- hours, emergency ------------------------------------------------------------------------------------------------


def at(floor: Any, text: str) -> None:
    floor.clock.time = dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Paris")).timestamp()


def test_opening_hours_and_holidays(floor: Open, make_site: Callable[..., Site]) -> None:
    f = floor()
    bare = Site.model_validate({
        "site": "test", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "agents": {"ann": {"extension": "x-ann"}},
        "hours": {"office": {"open": {"mon-fri": "09:00-18:00"}, "holidays": "FR", "closed": ["2026-12-24"]}},
        "queues": {"sales": {"hours": "office", "closed": "extension 9", "music": "m"}},
    })  # fmt: skip
    f.desk.reconfigure(bare)
    for n, (when, heard) in enumerate([
        ("2026-12-22 08:59:59", "route extension 9"), ("2026-12-22 09:00", "play m looped"),
        ("2026-12-22 17:59:59", "play m looped"), ("2026-12-22 18:00", "route extension 9"),
        ("2026-12-24 12:00", "route extension 9"), ("2026-12-25 12:00", "route extension 9"),
        ("2026-12-28 12:00", "play m looped"),
    ]):  # fmt: skip
        at(f, when)
        f.call(f"c{n}")
        assert f.what()[-1] == f"c{n} {heard}"
    assert {reason for _, reason in overflows(f)} == {"closed"}


def test_closed_and_nowhere_to_go(floor: Open) -> None:
    f = floor(sales={"music": "m", "enter": [{"when": "agents == 0", "to": "queue other"}]}, other={"music": "o"})
    f.call("c1")
    assert f.what() == ["c1 route queue other", "c1 play o looped"]
    f.desk.set_emergency("sales", True)
    f.call("c2", answered=True)
    assert f.what()[2:] == ["c2 hang up emergency in queue sales"]


def test_the_emergency_switch(floor: Open) -> None:
    f = floor(sales={"music": "m", "emergency": "extension 9"})
    f.agents("ann")
    f.call("talks").phone_answers()
    f.call("waits")
    mark = len(f.diary)
    f.desk.set_emergency("sales", True)
    assert f.what(mark) == ["waits route extension 9"]
    f.call("late")
    assert f.what(mark)[1:] == ["late route extension 9"]
    assert f.desk.queues()[0]["emergency"] is True
    with pytest.raises(UnknownQueue):
        f.desk.set_emergency("nowhere", True)


# --- ways out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["waiting", "ringing", "talking"])
def test_exit_key(floor: Open, when: str) -> None:
    f = floor(sales={"music": "m", "keys": {"0": "extension 9", "2": "queue other"}}, other={"music": "o"})
    if when != "waiting":
        f.agents("ann")
    c1 = f.call("c1")
    if when == "talking":
        c1.phone_answers()
    mark = len(f.diary)
    f.desk.on_digit(c1, "5")
    f.desk.on_digit(c1, "0")
    if when == "talking":
        assert f.what(mark) == []
        return
    ended = ["c1 drop withdrawn", "c1 retract ann withdrawn"] if when == "ringing" else []
    assert f.what(mark) == [*ended, "c1 route extension 9"]
    assert overflows(f) == [("c1", "key 0")]


def test_exit_to_another_queue_keeps_the_age(floor: Open) -> None:
    f = floor(sales={"keys": {"2": "queue other"}}, other={})
    c1 = f.call("c1")
    f.clock.run(30)
    f.call("c2", "other")
    f.clock.run(1)
    f.desk.on_digit(c1, "2")
    f.agents("ann")
    assert "c1 offer ann other" in f.what()


def test_an_exit_into_a_queue_that_takes_nobody(floor: Open) -> None:
    """It is sent on from there while it is still being sent there."""
    f = floor(sales={"keys": {"2": "queue other"}}, other={"enter": [{"when": "agents == 0", "to": "queue third"}]},
              third={})  # fmt: skip
    c1 = f.call("c1")
    f.clock.run(30)
    f.desk.on_digit(c1, "2")
    assert f.what()[-3:] == ["c1 route queue other", "c1 route queue third", "c1 silence"]
    assert f.desk._engine.floor.items["c1"].age_from == T1 and f.desk._ages == {}


def test_moved_and_withdrawn_from_outside(floor: Open) -> None:
    f = floor(sales={}, other={})
    f.call("c1")
    f.call("c2")
    f.desk.move("sales", "c1", Destination("queue", "other"))
    f.desk.withdraw("sales", "c2")
    assert f.what()[-3:] == ["c1 route queue other", "c1 silence", "c2 hang up withdrawn from queue sales"]
    assert overflows(f) == [("c1", "moved"), ("c2", "withdrawn")]
    with pytest.raises(UnknownItem):
        f.desk.move("sales", "c1", Destination("queue", "other"))
    with pytest.raises(UnknownQueue):
        f.desk.withdraw("nowhere", "c1")
    for nowhere in (Destination("queue", "nowhere"), Destination("extension", "9"), Destination("pickup", "group")):
        with pytest.raises(UnknownDestination):
            f.desk.move("other", "c1", nowhere)
    f.agents("ann")
    f.calls["c1"].phone_answers()
    with pytest.raises(ItemCommandError) as caught:
        f.desk.move("other", "c1", Destination("queue", "sales"))
    assert caught.value.state == "CONNECTED"


def test_time_in_other_queues_and_in_menus_counts(floor: Open) -> None:
    f = floor(sales={"keys": {"9": "ivr menu"}}, other={"ivr_credit": 0.5})
    c1 = f.call("c1")
    f.clock.run(30)
    f.desk.on_digit(c1, "9")
    f.clock.run(40)
    c1.menu_s = 40.0
    f.desk.enter(cast(Any, c1), "other")
    item = f.desk._engine.floor.items["c1"]
    assert f.clock.time - item.age_from == 30 + 20 and c1.menu_s == 0


def test_priorities_changed_live(floor: Open) -> None:
    """asterisk#202: a changed priority orders the queue anew."""
    f = floor(sales={}, other={"priority": 5})
    f.call("c1")
    f.call("c2")
    f.call("c3", "other")
    f.desk.set_priority("sales", "c2", 100)
    assert [one["call_id"] for one in f.desk.queues()[0]["waiting"]] == ["c2", "c1"]
    f.desk.set_queue_priority("other", 200)
    shown = [(one["name"], one["priority"], one["priority_set"]) for one in f.desk.queues()]
    assert shown == [("sales", 0, None), ("other", 200, 200)]
    f.agents("ann")
    assert "c3 offer ann other" in f.what()
    f.desk.set_priority("sales", "c2", None)
    assert [one["call_id"] for one in f.desk.queues()[0]["waiting"]] == ["c1", "c2"]
    with pytest.raises(UnknownItem):
        f.desk.set_priority("sales", "c3", 1)


# --- kept places -----------------------------------------------------------------------------------------------------


def call_from(floor: Any, name: str, number: str) -> Any:
    from tests.acd.conftest import FakeCall

    call = floor.calls[name] = FakeCall(floor, name, {})
    call.from_number = number
    floor.desk.enter(cast(Any, call), "sales")
    return call


def test_who_calls_again_has_his_place_again(floor: Open) -> None:
    f = floor(sales={"resume_s": 60})
    c1 = call_from(f, "c1", "+33123")
    f.clock.run(5)
    call_from(f, "c2", "+33999")
    c1.caller_hangs_up()
    assert [one["state"] for one in f.desk.queues()[0]["waiting"]] == ["KEPT", "QUEUED"]
    f.clock.run(30)
    call_from(f, "c3", "+33123")
    f.agents("ann")
    assert "c3 offer ann sales" in f.what()


def test_a_withheld_number_has_no_place(floor: Open) -> None:
    f = floor(sales={"resume_s": 60})
    call_from(f, "c1", "anonymous").caller_hangs_up()
    assert f.desk.queues()[0]["waiting"] == []
    assert f.counters["queue_places_not_kept"] == 1


def test_a_kept_place_is_withdrawn_but_not_moved(floor: Open) -> None:
    f = floor(sales={"resume_s": 60})
    call_from(f, "c1", "+33123").caller_hangs_up()
    with pytest.raises(ItemCommandError) as caught:
        f.desk.move("sales", "c1", Destination("extension", "9"))
    assert caught.value.state == "KEPT"
    f.desk.withdraw("sales", "c1")
    assert f.desk.queues()[0]["waiting"] == []


# --- announcements ---------------------------------------------------------------------------------------------------


def test_place_in_line_is_told_over_the_music_which_goes_on(floor: Open) -> None:
    f = floor(sales={"music": "m", "announce": {"position": True, "every_s": 30}})
    f.desk.speaks(FakeVoice())
    c1, c2 = f.call("c1"), f.call("c2")
    f.clock.run(10)
    assert f.what()[2:] == ["c1 play [ place 1 ] m looped", "c2 play [ place 2 ] m looped"]
    c1.said()
    c2.said()
    c1.caller_hangs_up()
    f.clock.run(30)
    assert f.what()[-1] == "c2 play [ place 1 ] m looped"


@pytest.mark.parametrize("how", ["answered", "moved", "hung up", "overflowed"])
def test_nobody_is_told_anything_who_waits_no_more(floor: Open, how: str) -> None:
    f = floor(sales={"announce": {"position": True}, "max_wait_s": 9, "overflow": "extension 9"})
    f.desk.speaks(FakeVoice())
    c1 = f.call("c1")
    if how == "answered":
        f.agents("ann")
        c1.phone_answers()
    elif how == "moved":
        f.desk.move("sales", "c1", Destination("uri", "sip:x@192.0.2.1"))
    elif how == "hung up":
        c1.caller_hangs_up()
    f.clock.run(60)
    assert not [line for line in f.what() if "place" in line]
    assert len(f.desk._announcer) == 0


# --- whisper ---------------------------------------------------------------------------------------------------------

WHISPER: dict[str, Any] = {"music": "m", "ring_s": 10, "whisper": [{"text": "to {land}"}]}


def test_the_agent_is_told_something_before_he_hears_the_caller(floor: Open) -> None:
    f = floor(sales=WHISPER)
    f.desk.speaks(FakeVoice())
    f.agents("ann")
    c1 = f.call("c1", land="asia")
    mark = len(f.diary)
    f.clock.run(5)
    c1.phone_answers()
    assert f.what(mark) == ["c1 whisper ann to asia"]
    f.clock.run(8)
    assert f.state("ann")[0] == "RESERVED", "the time to ring is over, but he is there"
    c1.attempts[0].heard()
    assert f.what(mark) == ["c1 whisper ann to asia", "c1 bridge ann", "c1 connected ann"]
    assert f.state("ann")[0] == "BUSY"
    f.clock.run(60)
    assert f.clock.pending() == 0


def test_a_whisper_that_is_not_ready_in_time_or_never(floor: Open) -> None:
    f = floor(sales=WHISPER)
    voice = FakeVoice()
    voice.slow = True
    f.desk.speaks(voice)
    f.agents("ann")
    c1 = f.call("c1", land="asia")
    c1.phone_answers()
    f.clock.run(2)
    voice.waiting.pop()()
    assert f.what()[-1] == "c1 whisper ann to asia"
    f.clock.run(AT_MOST_S)
    assert f.what()[-2:] == ["c1 bridge ann", "c1 connected ann"]


def test_a_whisper_that_can_not_be_heard(floor: Open) -> None:
    f = floor(sales={**WHISPER, "whisper": ["missing"]})
    f.desk.speaks(FakeVoice())
    f.agents("ann")
    f.call("c1").phone_answers()
    assert f.what()[-2:] == ["c1 bridge ann", "c1 connected ann"]


def test_an_agent_who_hangs_up_while_he_is_told_refuses(floor: Open) -> None:
    f = floor(sales=WHISPER)
    f.desk.speaks(FakeVoice())
    f.agents("ann", "bob")
    c1 = f.call("c1", land="asia")
    c1.phone_answers()
    mark = len(f.diary)
    c1.agent_hangs_up()
    assert f.what(mark) == ["c1 retract ann rejected", "c1 offer bob sales", "c1 dial extension x-bob"]
    assert f.state("ann") == ("NOT_READY", "rejected")
    c1.attempts[0].heard()
    assert f.what(mark)[3:] == []


def test_a_caller_who_hangs_up_while_the_agent_is_told(floor: Open) -> None:
    f = floor(sales=WHISPER)
    f.desk.speaks(FakeVoice())
    f.agents("ann")
    c1 = f.call("c1", land="asia")
    c1.phone_answers()
    mark = len(f.diary)
    c1.caller_hangs_up()
    c1.attempts[0].heard()
    f.clock.run(60)
    assert f.what(mark) == ["c1 retract ann caller_hung_up"]
    assert f.state("ann") == ("READY", None) and f.clock.pending() == 0


def test_an_offer_that_ends_while_its_whisper_is_made(floor: Open) -> None:
    f = floor(sales=WHISPER)
    voice = FakeVoice()
    voice.slow = True
    f.desk.speaks(voice)
    f.agents("ann")
    c1 = f.call("c1", land="asia")
    f.clock.run(10)
    assert f.state("ann") == ("NOT_READY", "no answer") and voice.cancelled == 1
    voice.waiting.pop()()
    c1.caller_hangs_up()
    assert not [line for line in f.what() if "whisper" in line]


def test_the_trunk_of_a_call_is_known_to_its_queue(floor: Open) -> None:
    """For statistics and rules; what a flow set comes first."""
    f = floor()
    for name, attributes in (("c1", {}), ("c2", {"trunk": "mine"})):
        call = f.calls[name] = FakeCall(f, name, attributes)
        call.trunk = "carrier"
        f.desk.enter(cast(Any, call), "sales")
    items = f.desk._engine.floor.items
    assert [items[name].attributes for name in ("c1", "c2")] == [{"trunk": "carrier"}, {"trunk": "mine"}]
    f.calls["c1"].attributes["basket"] = 7
    f.desk.attributes_changed(cast(Any, f.calls["c1"]))
    assert items["c1"].attributes == {"trunk": "carrier", "basket": 7}
