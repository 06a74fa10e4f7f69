"""Nailed-up agents: a line that stays, callers who are joined to it after a beep, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from acd.audit import audit
from acd.checkpoint import keep, take_up
from acd.desk import Desk
from pbx.call.call import Call
from tests.call.office import SITE, Office, Talk
from tests.call.test_standing_rooms import next_office
from tests.call.test_transfer_queue import Screens

AGENTS = """
agents:
  nina: {extension: 101, nailed_up: true}
  code: {code: "77", nailed_up: true}
queues:
  sales: {ring_s: 10, wrap_up_s: 5}
"""
CODES = """dial_plan:
  - {match: "*45X.", to: "agent login {number:3}"}
  - {match: "81", to: queue sales, from: anyone}
"""


class Floor(Office):
    """`last`: the floor of a server that died."""

    def __init__(self, folder: Path, last: Floor | None = None) -> None:
        super().__init__(folder, SITE.replace("dial_plan:\n", CODES) + AGENTS)
        self.plane.prompts |= {"tone:beep", "tone:sit"}
        self.screens = Screens()
        waits = last is not None
        self.desk = Desk(self.site, self.clock, self.events.append, self.screens, self.counters, waits=waits)
        if last is not None:
            self.desk.take_up(take_up(keep(last.desk.engine.floor)))
            for aor, _ in last.location:
                self.location.replace(aor, last.location.contacts(aor, last.clock.time), last.clock.time)
        self.switch.on_revived = self._revived
        self.desk.lines.switch = self.switch
        self.switch.handlers |= self.desk.handlers
        self.switch.on_extension_legs = self.desk.phone_calls
        self.location.on_change = self.desk.phone_registered

    def _revived(self, call: Call) -> None:
        self.desk.revived(call)

    def next(self, folder: Path) -> Floor:
        """The server dies; the next one is at work."""
        new = next_office(self, folder, make=lambda: Floor(folder, self))
        assert isinstance(new, Floor)
        new.desk.open(new.site)
        new.settle()
        return new

    def state(self, agent: str = "nina") -> tuple[object, object]:
        assert audit(self.desk.engine.floor) == []
        found = self.desk.agent(agent)
        return found["state"], found["reason"]

    def beep(self, talk: Talk) -> None:
        assert tuple(self.plane.playing[talk.port].prompts) == ("tone:beep",)
        self.plane.finish(self.plane.port_of(talk.port))
        self.settle()

    def line(self) -> Talk:
        """Nina logs in, and her phone is connected."""
        phone = self.telephone("101")
        self.desk.login("nina")
        self.settle()
        line = phone.rings.answer()
        self.desk.ready("nina")
        assert self.state() == ("READY", None) and self.desk.agent("nina")["available"]
        return line


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    floor = Floor(tmp_path)
    yield floor
    for agent in ("nina", "code"):
        floor.desk.logout(agent)
    floor.settle()
    floor.pass_time(100)
    assert floor.leaks() == {}
    floor.plane.check_no_leaks()


def test_calls_come_one_after_the_other_to_the_same_line(floor: Floor) -> None:
    line = floor.line()
    for number in ("104", "105"):
        caller = floor.telephone(number).dial("81")
        assert len(line.phone.talks) == 1, "nothing rings"
        assert floor.state()[0] == "RESERVED" and not floor.hear_each_other(caller, line)
        floor.beep(line)
        assert floor.state()[0] == "BUSY" and floor.hear_each_other(caller, line)
        caller.bye()
        assert not line.ended and floor.state()[0] == "WRAP_UP"
        floor.pass_time(6)
        assert floor.state() == ("READY", None)
    assert [kind for kind, _ in floor.screens.told] == ["offer", "connected", "wrap_up", "ended"] * 2


def test_until_the_phone_is_connected_nobody_comes(floor: Floor) -> None:
    phone = floor.telephone("101")
    floor.desk.login("nina")
    floor.desk.ready("nina")
    floor.settle()
    caller = floor.telephone("104").dial("81")
    assert floor.state() == ("READY", "no line")
    line = phone.rings.answer()
    floor.beep(line)
    assert floor.hear_each_other(caller, line)
    caller.bye()


def test_the_agent_hangs_up_the_caller_by_his_desktop(floor: Floor) -> None:
    line = floor.line()
    caller = floor.telephone("104").dial("81")
    floor.beep(line)
    floor.desk.hang_up("nina")
    floor.settle()
    assert caller.ended and not line.ended and floor.state()[0] == "WRAP_UP"


def test_a_line_hung_up_is_not_ready_and_called_again_when_he_is(floor: Floor) -> None:
    line = floor.line()
    line.bye()
    assert floor.state() == ("NOT_READY", "line lost")
    floor.desk.ready("nina")
    floor.settle()
    line.phone.rings.answer()
    assert floor.desk.agent("nina")["available"]
    assert floor.counters["agent_lines_called"] == 2 and floor.counters["agent_lines_lost"] == 1


def test_a_line_hung_up_in_a_conversation_ends_both(floor: Floor) -> None:
    line = floor.line()
    caller = floor.telephone("104").dial("81")
    floor.beep(line)
    line.bye()
    assert caller.ended and floor.state()[0] == "WRAP_UP"
    floor.pass_time(6)
    assert floor.state() == ("NOT_READY", "line lost")


def test_a_line_hung_up_at_the_beep_leaves_the_caller_in_his_place(floor: Floor) -> None:
    line = floor.line()
    caller = floor.telephone("104").dial("81")
    line.bye()
    assert not caller.ended and floor.state()[0] == "NOT_READY"
    caller.bye()


def test_a_caller_who_hangs_up_at_the_beep(floor: Floor) -> None:
    line = floor.line()
    caller = floor.telephone("104").dial("81")
    caller.bye()
    assert not line.ended and floor.state() == ("READY", None)
    other = floor.telephone("105").dial("81")
    floor.beep(line)
    assert floor.hear_each_other(other, line)
    other.bye()


def test_logout_hangs_up_the_line(floor: Floor) -> None:
    line = floor.line()
    floor.desk.logout("nina")
    floor.settle()
    assert line.ended and floor.state()[0] == "LOGGED_OUT"


def test_a_phone_that_does_not_answer(floor: Floor) -> None:
    phone = floor.telephone("101")
    floor.desk.login("nina")
    floor.desk.ready("nina")
    floor.pass_time(31)
    assert floor.state() == ("NOT_READY", "no answer") and not phone.is_ringing
    floor.desk.ready("nina")
    floor.settle()
    phone.rings.refuse(486)
    assert floor.state() == ("NOT_READY", "rejected")


def test_another_call_on_the_phone(floor: Floor) -> None:
    line = floor.line()
    direct = line.phone.dial("105")
    assert floor.state() == ("READY", "on another call")
    direct.cancel() if direct.status < 200 else direct.bye()
    assert floor.desk.agent("nina")["available"]


def test_the_call_that_logs_in_is_the_line(floor: Floor) -> None:
    phone = floor.telephone("103")
    line = phone.dial("*4577")
    floor.desk.ready("code")
    assert floor.state("code") == ("READY", None) and floor.desk.agent("code")["available"]
    caller = floor.telephone("104").dial("81")
    floor.beep(line)
    assert floor.hear_each_other(caller, line)
    caller.bye()
    assert not line.ended
    floor.pass_time(6)
    assert floor.desk.agent("code")["available"]


def test_a_caller_given_on_takes_the_line_with_him(floor: Floor) -> None:
    line = floor.line()
    colleague = floor.telephone("105")
    caller = floor.telephone("104").dial("81")
    floor.beep(line)
    line.refer("105")
    there = colleague.rings.answer()
    assert floor.hear_each_other(caller, there)
    if not line.ended:
        line.bye()
    floor.pass_time(6)
    assert floor.state() == ("NOT_READY", "line lost")
    caller.bye()


def test_the_server_ends(floor: Floor) -> None:
    line = floor.line()
    caller = floor.telephone("104").dial("81")
    floor.beep(line)
    floor.desk.lines.close()
    floor.settle()
    assert floor.hear_each_other(caller, line), "who talks goes on"
    caller.bye()
    assert line.ended


@pytest.mark.parametrize("talks", [False, True])
def test_lines_outlive_the_server(tmp_path: Path, talks: bool) -> None:
    """With and without a caller: the next one comes to the same leg, and who logs out is hung up."""
    floor = Floor(tmp_path)
    line = floor.line()
    other = floor.telephone("104")
    if talks:
        caller = other.dial("81")
        floor.beep(line)
    floor = floor.next(tmp_path)
    if talks:
        assert floor.state() == ("BUSY", None) and floor.hear_each_other(caller, line)
        caller.bye()
        assert floor.state()[0] == "WRAP_UP" and not line.ended
        floor.pass_time(6)
    assert floor.state() == ("READY", None) and floor.desk.agent("nina")["available"]
    again = other.dial("81")
    floor.beep(line)
    assert floor.hear_each_other(again, line) and len(line.phone.talks) == 1
    floor.desk.hang_up("nina")
    floor.settle()
    floor = floor.next(tmp_path)
    floor.desk.logout("nina")
    floor.settle()
    assert again.ended and line.ended and floor.state() == ("LOGGED_OUT", None)
    floor.pass_time(100)
    assert floor.leaks() == {}
    floor.plane.check_no_leaks()


def test_a_line_that_is_lost_after_the_server_is_told(tmp_path: Path) -> None:
    line = Floor(tmp_path).line()
    assert isinstance(line.phone.office, Floor)
    floor = line.phone.office.next(tmp_path)
    line.bye()
    assert floor.state() == ("NOT_READY", "line lost")


def test_an_agent_who_heard_the_beep_when_the_server_died_is_called_again(tmp_path: Path) -> None:
    """His leg is in no call that stands: it is hung up."""
    floor = Floor(tmp_path)
    line = floor.line()
    caller = floor.telephone("104").dial("81")
    floor = floor.next(tmp_path)
    assert line.ended and not caller.ended
    again = line.phone.rings.answer()
    floor.beep(again)
    assert floor.hear_each_other(caller, again)
