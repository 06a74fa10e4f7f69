"""Supervision: who hears whom, who may, and when it is over."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.call.originate import ClickToDial
from pbx.call.supervision import NotSupervised, Supervision

from .office import SITE, Office, Talk
from .test_transfer import talking

FLOOR = SITE.replace(
    "\ngroups:",
    """
agents:
  ben: {extension: 102}
  carl: {extension: 103}
supervision:
  beep: tone:beep
  supervisors:
    104: {}
    105: {agents: carl, modes: [monitor, whisper]}
groups:""",
    1,
).replace("dial_plan:", 'dial_plan:\n  - {match: "*5XXX", to: "supervise monitor {number:2}"}', 1)


class Floor(Office):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, FLOOR)
        self.clicks = ClickToDial(self.switch, self.location.is_registered)
        self.supervision = Supervision(self.switch, self.rooms, self.clicks)
        self.switch.handlers["supervise"] = self.supervision.start
        self.plane.prompts.add("tone:beep")

    def beeped(self, talk: Talk) -> None:
        """He hears it, and what was before when it is over."""
        assert self.plane.playing[talk.port].prompts == ("tone:beep",)
        self.plane.finish(self.plane.port_of(talk.port))

    def begin(self, agent: str, supervisor: str, mode: str) -> Talk:
        self.supervision.begin(agent, supervisor, mode)
        self.settle()
        return self.people[f"192.0.2.{supervisor}", 5060].rings.answer()


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    floor = Floor(tmp_path)
    yield floor
    floor.over()
    floor.plane.check_no_leaks()


def served(floor: Floor) -> tuple[Talk, Talk]:
    """101 talks with the agent ben; 104 and 105 are there."""
    floor.telephone("104")
    floor.telephone("105")
    return talking(floor.telephone("101"), floor.telephone("102"))


@pytest.mark.parametrize(
    ("mode", "agent_hears", "caller_hears"),
    [("monitor", False, False), ("whisper", True, False), ("barge", True, True)],
)
def test_who_hears_whom(floor: Floor, mode: str, agent_hears: bool, caller_hears: bool) -> None:
    a, b = served(floor)
    s = floor.begin("ben", "104", mode)
    floor.beeped(b)
    hears = floor.plane.hears
    assert hears(s.port) == {a.port, b.port}
    assert hears(b.port) == {a.port} | ({s.port} if agent_hears else set())
    assert hears(a.port) == {b.port} | ({s.port} if caller_hears else set())
    (told,) = floor.named("SupervisionStarted")
    assert (told.agent, told.supervisor, told.mode) == ("ben", "104", mode)
    assert not floor.named("ConferenceJoined") and floor.rooms.view() == []
    assert [one["mode"] for one in floor.supervision.view("ben")] == [mode]
    s.bye()
    assert floor.hear_each_other(a, b) and not floor.plane.conferences
    (ended,) = floor.named("SupervisionEnded")
    assert ended.mode == mode and floor.supervision.view("ben") == []


def test_the_agents_own_call_out(floor: Floor) -> None:
    floor.telephone("104")
    b, a = talking(floor.telephone("102"), floor.telephone("101"))
    s = floor.begin("ben", "104", "whisper")
    floor.beeped(b)
    assert floor.plane.hears(b.port) == {a.port, s.port} and floor.plane.hears(a.port) == {b.port}


def test_the_mode_changes_by_program_and_by_key(floor: Floor) -> None:
    a, b = served(floor)
    s = floor.begin("ben", "104", "monitor")
    floor.beeped(b)
    floor.supervision.change("ben", "104", "whisper")
    floor.beeped(b)
    assert floor.plane.hears(b.port) == {a.port, s.port} and floor.plane.hears(a.port) == {b.port}
    floor.plane.press(floor.plane.port_of(s.port), "6")
    assert floor.all_hear_each_other(a, b, s)
    floor.plane.press(floor.plane.port_of(s.port), "4")
    assert floor.plane.hears(b.port) == {a.port}
    assert [event.mode for event in floor.named("SupervisionChanged")] == ["whisper", "barge", "monitor"]
    floor.supervision.end("ben", "104")
    floor.settle()
    assert s.ended and floor.hear_each_other(a, b)


def test_by_feature_code(floor: Floor) -> None:
    a, b = served(floor)
    s = floor.people["192.0.2.104", 5060].dial("*5102")
    floor.beeped(b)
    assert s.status == 200 and floor.plane.hears(s.port) == {a.port, b.port}
    assert floor.people["192.0.2.105", 5060].dial("*5102").status == 403
    assert floor.people["192.0.2.104", 5060].dial("*5103").status == 480
    assert a.phone.dial("*5102").status == 403


@pytest.mark.parametrize("first", [0, 1])
def test_over_with_the_agents_call(floor: Floor, first: int) -> None:
    talks = served(floor)
    s = floor.begin("ben", "104", "barge")
    talks[first].bye()
    assert s.ended and talks[1 - first].ended  # a supervisor is nobody's caller
    assert len(floor.named("SupervisionEnded")) == 1


def test_over_when_the_agent_gives_his_call_on(floor: Floor) -> None:
    a, b = served(floor)
    carl = floor.telephone("103")
    s = floor.begin("ben", "104", "monitor")
    floor.beeped(b)
    b.refer("103")
    assert not s.ended and floor.plane.hears(s.port) == set()
    carl.rings.refuse()
    assert floor.plane.hears(s.port) == {a.port, b.port}  # it goes on with the call
    b.refer("103")
    c = carl.rings.answer()
    assert s.ended and floor.hear_each_other(a, c) and not floor.plane.conferences


def test_over_when_the_agent_parks_his_call(floor: Floor) -> None:
    a, b = served(floor)
    s = floor.begin("ben", "104", "monitor")
    b.refer("700")
    assert s.ended and not a.ended


def test_in_a_conference(floor: Floor) -> None:
    a, b = served(floor)
    s = floor.begin("ben", "104", "whisper")
    floor.beeped(b)
    c_phone = floor.telephone("103")
    b.refer("*3103")
    c = c_phone.rings.answer()
    assert floor.plane.hears(s.port) == {a.port, b.port, c.port}
    assert floor.plane.hears(c.port) == {a.port, b.port}
    a.bye()
    assert floor.plane.hears(s.port) == {b.port, c.port}  # it is the agent who is listened to
    b.bye()
    assert s.ended and c.ended


def test_two_listen(floor: Floor) -> None:
    a, b = served(floor)
    floor.site.supervision.supervisors["105"] = floor.site.supervision.supervisors["104"]
    s = floor.begin("ben", "104", "whisper")
    t = floor.begin("ben", "105", "monitor")
    floor.beeped(b)
    assert floor.plane.hears(b.port) == {a.port, s.port} and floor.plane.hears(t.port) == {a.port, b.port}
    s.bye()
    assert floor.plane.hears(t.port) == {a.port, b.port}


def test_a_supervisor_gives_his_place_to_nobody(floor: Floor) -> None:
    a, b = served(floor)
    s = floor.begin("ben", "104", "monitor")
    floor.beeped(b)
    s.refer("103")
    second, d = talking(s.phone, floor.telephone("106"))
    second.refer_to(s)
    assert s.told == [603] and second.frags[-1].startswith("603") and floor.hear_each_other(second, d)
    assert floor.plane.hears(s.port) == {a.port, b.port}


@pytest.mark.parametrize(
    ("agent", "supervisor", "mode", "why"),
    [
        ("dora", "104", "monitor", "unknown"), ("ben", "105", "monitor", "forbidden"),
        ("carl", "105", "barge", "forbidden"), ("carl", "104", "monitor", "idle"), ("ben", "101", "barge", "forbidden"),
    ],
)  # fmt: skip
def test_what_may_not_be(floor: Floor, agent: str, supervisor: str, mode: str, why: str) -> None:
    served(floor)
    with pytest.raises(NotSupervised) as error:
        floor.begin(agent, supervisor, mode)
    assert error.value.why == why and floor.switch.live == 1


def test_once_at_a_time(floor: Floor) -> None:
    served(floor)
    floor.begin("ben", "104", "monitor")
    with pytest.raises(NotSupervised) as error:
        floor.begin("ben", "104", "barge")
    assert error.value.why == "listening"
    with pytest.raises(NotSupervised):
        floor.supervision.end("carl", "104")


def test_no_mix_to_be_had(floor: Floor) -> None:
    a, b = served(floor)
    floor.plane.conferences_most = 0
    s = floor.begin("ben", "104", "monitor")
    assert s.ended and floor.hear_each_other(a, b) and not floor.named("SupervisionStarted")


def test_nothing_is_left_for_the_collector(floor: Floor) -> None:
    served(floor)
    anna, ben = (floor.people[f"192.0.2.{name}", 5060] for name in ("101", "102"))

    def flow() -> None:
        for first in (0, 1, 2):
            a, b = talking(anna, ben)
            s = floor.begin("ben", "104", "monitor")
            floor.supervision.change("ben", "104", "barge")
            (a, b, s)[first].bye()
            a.bye()
        floor.pass_time(100)

    gc.disable()
    try:
        flow()
        gc.collect()
        flow()
        assert gc.collect() == 0
    finally:
        gc.enable()
