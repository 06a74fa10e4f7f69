"""Agents who speak to the desk by telephone: log-in with code and PIN at any phone, ready, not ready, logout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from acd.desk import Desk
from tests.call.office import SITE, Office, Talk, Telephone
from tests.call.test_transfer_queue import Screens

AGENTS = """
acd: {not_ready_reasons: [lunch, training]}
agents:
  ann: {extension: 101}
  bob: {code: "4712", pin: "1234"}
  cy: {code: "4713"}
  dee: {extension: 102, pin: "99"}
queues:
  sales: {ring_s: 10, wrap_up_s: 0}
"""
CODES = """dial_plan:
  - {match: "*450", to: agent login}
  - {match: "*45X.", to: "agent login {number:3}"}
  - {match: "*46", to: agent logout}
  - {match: "*47", to: agent ready}
  - {match: "*481", to: agent not-ready lunch}
  - {match: "*482", to: agent not-ready sleep}
  - {match: "81", to: queue sales, from: anyone}
"""


class Floor(Office):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SITE.replace("dial_plan:\n", CODES) + AGENTS)
        self.plane.prompts |= {"tone:beep", "tone:sit"}
        self.desk = Desk(self.site, self.clock, self.events.append, Screens(), Counter())
        self.switch.handlers |= self.desk.handlers
        self.switch.on_extension_legs = self.desk.phone_calls
        self.location.on_change = self.desk.phone_registered

    def state(self, agent: str) -> tuple[object, object, object]:
        found = self.desk.agent(agent)
        return found["state"], found["reason"], found["phone"]

    def heard(self, talk: Talk) -> tuple[str, ...]:
        """What he hears; it is over, then."""
        prompts = tuple(self.plane.playing[talk.port].prompts)
        self.plane.finish(self.plane.port_of(talk.port))
        self.settle()
        return prompts

    def press(self, talk: Talk, keys: str) -> None:
        for key in keys:
            self.plane.press(self.plane.port_of(talk.port), key)
        self.settle()

    def dial(self, phone: Telephone, number: str) -> Talk:
        talk = phone.dial(number)
        assert talk.status == 200
        return talk

    def done(self, phone: Telephone, number: str) -> bool:
        """Dial a code; whether it was obeyed."""
        talk = self.dial(phone, number)
        prompts = self.heard(talk)
        assert talk.ended
        return prompts == ("tone:beep", "tone:beep")


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    floor = Floor(tmp_path)
    yield floor
    floor.pass_time(100)
    assert floor.leaks() == {}
    floor.plane.check_no_leaks()


def test_who_has_no_code_is_known_by_his_phone(floor: Floor) -> None:
    phone = floor.telephone("101")
    assert floor.done(phone, "*450")
    assert floor.state("ann") == ("NOT_READY", "logged in", "101")
    assert floor.done(phone, "*47") and floor.state("ann")[0] == "READY"
    assert floor.done(phone, "*481") and floor.state("ann")[:2] == ("NOT_READY", "lunch")
    assert floor.done(phone, "*46") and floor.state("ann")[0] == "LOGGED_OUT"


def test_free_seating_calls_ring_at_the_phone_that_logged_in(floor: Floor) -> None:
    phone, caller = floor.telephone("105"), floor.telephone("104")
    talk = floor.dial(phone, "*454712")
    assert floor.heard(talk) == ("tone:beep",)
    floor.press(talk, "1234#")
    assert floor.heard(talk) == ("tone:beep", "tone:beep") and talk.ended
    assert floor.state("bob") == ("NOT_READY", "logged in", "105")
    assert floor.done(phone, "*47")
    call = caller.dial("81")
    served = phone.rings.answer()
    assert floor.hear_each_other(call, served) and floor.state("bob")[0] == "BUSY"
    call.bye()
    assert served.ended
    assert floor.done(phone, "*46") and floor.state("bob") == ("LOGGED_OUT", None, None)


def test_the_code_is_asked_and_typed(floor: Floor) -> None:
    talk = floor.dial(floor.telephone("105"), "*450")
    assert floor.heard(talk) == ("tone:beep",)
    floor.press(talk, "4713#")
    assert floor.heard(talk) == ("tone:beep", "tone:beep")
    assert floor.state("cy") == ("NOT_READY", "logged in", "105")


def test_a_pin_of_who_is_known_by_his_phone(floor: Floor) -> None:
    talk = floor.dial(floor.telephone("102"), "*450")
    floor.press(talk, "99#")
    assert floor.heard(talk) == ("tone:beep", "tone:beep") and floor.state("dee")[0] == "NOT_READY"


def test_three_wrong_pins_end_the_call_five_lock_the_agent(floor: Floor) -> None:
    phone = floor.telephone("105")
    for tries in (3, 2):
        talk = floor.dial(phone, "*454712")
        for n in range(tries):
            floor.press(talk, f"000{n}#")
            if n < 2:
                assert floor.heard(talk) == ("tone:sit", "tone:beep")
        if tries == 3:
            assert floor.heard(talk) == ("tone:sit",)
            assert talk.ended
    floor.press(talk, "1234#")  # the right one, too late
    assert floor.heard(talk) == ("tone:sit",)
    assert floor.heard(floor.dial(phone, "*454712")) == ("tone:sit",)
    assert floor.state("bob")[0] == "LOGGED_OUT" and floor.counters["agent_pins_refused"] == 6
    floor.pass_time(600)
    talk = floor.dial(phone, "*454712")
    floor.press(talk, "1234#")
    assert floor.heard(talk) == ("tone:beep", "tone:beep")


def test_unknown_codes(floor: Floor) -> None:
    talk = floor.dial(floor.telephone("105"), "*459999")
    assert floor.heard(talk) == ("tone:sit", "tone:beep")
    floor.press(talk, "1#")
    floor.press(talk, "4713#")
    assert floor.heard(talk) == ("tone:beep", "tone:beep")
    assert floor.counters["agent_codes_refused"] == 2


def test_what_makes_no_sense_is_heard(floor: Floor) -> None:
    ann, other = floor.telephone("101"), floor.telephone("105")
    assert not floor.done(ann, "*47"), "logged out"
    assert not floor.done(other, "*46"), "nobody's phone"
    assert floor.done(ann, "*450")
    assert not floor.done(ann, "*482"), "not in the site's list"
    assert not floor.done(ann, "*454713"), "ann is logged in here"
    assert floor.state("cy")[0] == "LOGGED_OUT"


def test_who_types_nothing_is_hung_up(floor: Floor) -> None:
    talk = floor.dial(floor.telephone("105"), "*450")
    floor.pass_time(9)
    assert not talk.ended
    floor.press(talk, "4")
    floor.pass_time(9)
    assert not talk.ended
    floor.pass_time(2)
    assert talk.ended


def test_only_phones_of_the_house(floor: Floor) -> None:
    talk = floor.dial(floor.telephone("105"), "*450")
    talk.bye()
    assert floor.state("bob")[0] == "LOGGED_OUT"
    reloaded = floor.site.model_copy(update={"agents": {}, "queues": {}})
    floor.desk.reconfigure(reloaded)
    assert not floor.done(floor.telephone("101"), "*46")
