"""Screens follow a call that moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pbx.call.phone_settings import BadSetting
from pbx.features import Features
from tests.call.office import SITE, Office

AGENTS = """
agents:
  anna: {extension: 101}
  zoe: {contact: "sip:zoe@203.0.113.7"}
"""


class Pops:
    """What the agents' screens are told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def transferred(self, call: Any, agent: str) -> None:
        self.told.append(agent)

    def updated(self, call: Any) -> None: ...

    def call_over(self, call_id: str) -> None: ...


@pytest.mark.parametrize(("number", "agent", "host"), [("101", "anna", ""), ("75", "zoe", "203.0.113.7")])
def test_the_agent_whom_a_call_is_given_to_sees_it(tmp_path: Path, number: str, agent: str, host: str) -> None:
    text = SITE.replace("dial_plan:", 'dial_plan:\n  - {match: "75", to: "sip:zoe@203.0.113.7"}') + AGENTS
    office, pops = Office(tmp_path, text), Pops()
    features = Features(office.site, office.switch, office.location, pops, office.counters)  # type: ignore[arg-type]
    features.seated({"anna": "101"}.get, {"101": "anna"}.get)
    office.switch.handlers |= features.handlers

    def emit(event: object) -> None:
        office.events.append(event)
        features.event(event)

    office.switch.emit = emit
    ben, carl = office.telephone("102"), office.telephone("103")
    taker = office.person(office, host, "zoe", None) if host else office.telephone("101")
    a = ben.dial("103")
    b = carl.rings.answer()
    b.refer(number)
    c = taker.rings.answer()
    assert office.hear_each_other(a, c) and pops.told == [agent]
    c.bye()
    office.pass_time(40)
    assert office.leaks() == {}


def test_a_forward_leads_where_the_phone_itself_may_call(tmp_path: Path) -> None:
    office = Office(tmp_path, SITE)
    settings = Features(office.site, office.switch, office.location, Pops(), office.counters).settings  # type: ignore[arg-type]
    settings.set("101", "forward-busy", "102")
    with pytest.raises(BadSetting, match="a number that 101 can dial: nothing at nowhere"):
        settings.set("101", "forward-busy", "nowhere")
    assert settings.view("101")["forward_busy"] == "102"
