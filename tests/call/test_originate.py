"""Click to dial."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.call.call import Call
from pbx.call.originate import ClickToDial, NotDialled

from .office import Office, Talk
from .world import sdp


class Clicking(Office):
    """An office with a button."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.switch.rules.screening._names["101"] = "Anna A."
        self.clicks = ClickToDial(self.switch, self.location.is_registered)

    def click(self, extension: str, number: str) -> Call:
        call = self.clicks.dial(extension, number)
        self.settle()
        return call


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Clicking]:
    office = Clicking(tmp_path)
    yield office
    office.over()


def hears(office: Clicking, a: Talk, b: Talk) -> bool:
    return office.hear_each_other(a, b)


def test_the_own_phone_first_then_the_number(office: Clicking) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    call = office.click("101", "102")
    assert anna.is_ringing and not ben.is_ringing
    a = anna.rings
    assert a.invite is not None and (a.invite.get("From") or "").startswith("<sip:102@")
    assert call.view()["state"] == "ringing" and not call.answered
    a.answer()
    b = ben.rings
    assert b.invite is not None and (b.invite.get("From") or "").startswith('"Anna A." <sip:101@')
    b.answer()
    assert hears(office, a, b)
    kinds = office.kinds()
    assert kinds[0] == "CallStarted" and kinds.index("CallAnswered") < kinds.index("CallConnected")
    (started,) = office.named("CallStarted")
    assert (started.from_number, started.to_number, started.direction) == ("101", "102", "internal")
    assert started.destination == "extension 102"
    b.bye()
    assert a.ended and [event.status for event in office.named("CallEnded")] == [200]


def test_out_by_a_trunk_as_the_extension(office: Clicking) -> None:
    anna, carrier = office.telephone("101"), office.carrier()
    office.click("101", "0612345678")
    a = anna.rings.answer()
    invite = carrier.rings.invite
    assert invite is not None and invite.uri == "sip:0612345678@198.51.100.1"
    assert hears(office, a, carrier.rings.answer())
    assert office.named("CallStarted")[0].direction == "outbound"
    a.bye()
    assert carrier.talks[0].ended


@pytest.mark.parametrize(("status", "told"), [(486, 486), (480, 480), (603, 603)])
def test_the_own_phone_refuses(office: Clicking, status: int, told: int) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    office.click("101", "102")
    anna.rings.refuse(status)
    assert not ben.is_ringing and [event.status for event in office.named("CallEnded")] == [told]
    office.click("101", "102")  # he may click again
    anna.rings.refuse(status)


def test_nobody_is_at_his_desk(office: Clicking) -> None:
    anna = office.telephone("101")
    office.click("101", "102")
    office.pass_time(31)
    assert not anna.is_ringing and [event.status for event in office.named("CallEnded")] == [408]


def test_the_number_can_not_be_had(office: Clicking) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    office.click("101", "102")
    a = anna.rings.answer()
    ben.rings.refuse(486)
    assert a.ended and [event.status for event in office.named("CallEnded")] == [200]


def test_he_hangs_up_before_the_number_answers(office: Clicking) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    office.click("101", "102")
    a = anna.rings.answer()
    a.bye()
    assert not ben.is_ringing and office.switch.live == 0


def test_the_server_drains(office: Clicking) -> None:
    anna = office.telephone("101")
    office.click("101", "102").hang_up("drained")
    office.settle()
    assert not anna.is_ringing and [event.status for event in office.named("CallEnded")] == [480]


def test_all_phones_of_the_extension_ring_one_wins(office: Clicking) -> None:
    desk, mobile = office.telephone("101"), office.telephone("101", "192.0.2.201")
    ben = office.telephone("102")
    office.click("101", "102")
    assert desk.is_ringing and mobile.is_ringing
    m = mobile.rings.answer()
    assert not desk.is_ringing and hears(office, m, ben.rings.answer())


def test_early_media_of_the_number_is_heard(office: Clicking) -> None:
    anna, carrier = office.telephone("101"), office.carrier()
    office.click("101", "0612345678")
    a = anna.rings.answer()
    there = carrier.rings
    assert there.invite is not None
    carrier.respond(there.invite, 183, body=sdp(41000, host=carrier.host), tag=there.tags[1] if there.tags else "e")
    office.settle()
    assert a.port in office.plane.bridged
    there.refuse(503)
    assert a.ended


def test_he_gives_the_call_on(office: Clicking) -> None:
    """It is a call as any other."""
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    office.click("101", "102")
    a = anna.rings.answer()
    b = ben.rings.answer()
    a.refer("103")
    assert hears(office, b, carl.rings.answer()) and a.ended


@pytest.mark.parametrize(
    ("extension", "number", "why"),
    [("199", "102", "unknown"), ("101", "555", "number"), ("104", "102", "unregistered"), ("102", "101", "ringing")],
)
def test_no_call_was_made(office: Clicking, extension: str, number: str, why: str) -> None:
    office.telephone("101")
    ben = office.telephone("102")
    office.click("102", "101")
    with pytest.raises(NotDialled) as error:
        office.click(extension, number)
    assert error.value.why == why and office.switch.live == 1
    ben.rings.refuse()


def test_no_more_calls_than_the_server_bears(office: Clicking) -> None:
    office.telephone("101")
    office.admission.drain()
    with pytest.raises(NotDialled) as error:
        office.click("101", "102")
    assert error.value.why == "refused" and office.switch.live == 0


def test_nothing_is_left_for_the_collector(office: Clicking) -> None:
    """Calls that are answered, refused, given up and given on, with the subscriptions of their REFERs."""
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))

    def flow() -> None:
        office.click("101", "102")
        anna.rings.refuse()
        office.click("101", "102")
        a = anna.rings.answer()
        ben.rings.refuse()
        office.click("101", "102").hang_up("drained")
        office.settle()
        office.click("101", "102")
        a = anna.rings.answer()
        b = ben.rings.answer()
        for final in (486, 200):
            a.refer("103")
            if final == 486:
                carl.rings.refuse()
            else:
                a.send("SUBSCRIBE", f"Event: refer;id={a.cseq}\r\nExpires: 60\r\n")
                carl.rings.answer()
        b.bye()
        office.pass_time(100)

    gc.disable()
    try:
        flow()
        gc.collect()  # what the first time alone leaves: caches, compiled patterns
        flow()
        assert gc.collect() == 0
    finally:
        gc.enable()
