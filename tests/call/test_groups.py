"""Hunt groups: who rings when."""

from __future__ import annotations

import pytest

from config.schema import Destination, Group

from .office import Office, Telephone
from .test_transfer import office as office_fixture
from .test_transfer import talking

office = office_fixture


def members(office: Office) -> tuple[Telephone, Telephone, Telephone]:
    return office.telephone("101"), office.telephone("102"), office.telephone("103")


def ringing(*phones: Telephone) -> list[str]:
    return [phone.number for phone in phones if phone.is_ringing]


def test_all_ring_and_the_first_to_answer_wins(office: Office) -> None:
    three = members(office)
    a = office.carrier().dial("+33180000002")
    assert ringing(*three) == ["101", "102", "103"]
    b = three[1].rings.answer()
    assert office.hear_each_other(a, b) and ringing(*three) == []


def test_one_refuses_the_others_go_on(office: Office) -> None:
    three = members(office)
    office.carrier().dial("+33180000002")
    three[0].rings.refuse(486)
    assert ringing(*three) == ["102", "103"]
    three[1].rings.refuse()
    three[2].rings.refuse()


def test_nobody_answers_and_it_goes_on_otherwise(office: Office) -> None:
    three = members(office)
    frank = office.telephone("106")
    a = office.carrier().dial("+33180000002")
    office.pass_time(11)
    assert ringing(*three) == []
    f = frank.rings.answer()
    assert office.hear_each_other(a, f)


def test_in_order(office: Office) -> None:
    three = members(office)
    erik = office.telephone("105")
    e = erik.dial("62")
    assert ringing(*three) == ["101"]
    office.pass_time(11)
    assert ringing(*three) == ["102"]
    three[1].rings.refuse(486)
    assert ringing(*three) == ["103"]
    office.pass_time(11)
    assert ringing(*three) == [] and e.status == 480


def test_who_talks_sleeps_or_is_away_is_left_out(office: Office) -> None:
    anna, ben, carl = members(office)
    erik, frank = office.telephone("105"), office.telephone("106")
    talking(frank, anna)
    ben.dial("*781")
    e = erik.dial("62")
    assert ringing(anna, ben, carl) == ["103"]
    c = carl.rings.answer()
    assert office.hear_each_other(e, c)
    assert office.telephone("104").dial("62").status == 486


def test_nobody_is_there(office: Office) -> None:
    assert office.telephone("105").dial("62").status == 480


def test_rotating(office: Office) -> None:
    three = members(office)
    erik = office.telephone("105")
    first = []
    for _ in range(4):
        talk = erik.dial("63")
        first += ringing(*three)
        talk.cancel()
    assert first == ["101", "102", "103", "101"]


def test_longest_idle(office: Office) -> None:
    anna, ben, carl = three = members(office)
    erik = office.telephone("105")
    first = []
    for _ in range(4):
        erik.dial("64")
        first += ringing(*three)
        phone = next(phone for phone in three if phone.is_ringing)
        phone.rings.answer()
        erik.talks[-1].bye()
        erik.talks[-1].ended = True
        office.pass_time(1)
    assert first == ["101", "102", "103", "101"]
    assert not any(talk.is_ringing for talk in (anna, ben, carl))


@pytest.mark.parametrize("number", ["61", "62", "63", "64"])
def test_the_caller_gives_up(office: Office, number: str) -> None:
    three = members(office)
    e = office.telephone("105").dial(number)
    assert ringing(*three)
    e.cancel()
    assert ringing(*three) == [] and e.status == 487


@pytest.mark.parametrize("number", ["61", "62"])
def test_transfer_to_a_group(office: Office, number: str) -> None:
    three = members(office)
    dora, erik = office.telephone("104"), office.telephone("105")
    d, e = talking(dora, erik)
    e.refer(number)
    a = three[0].rings.answer()
    assert e.ended and office.hear_each_other(d, a)


def test_groups_that_lead_to_each_other_end(office: Office) -> None:
    site = office.site
    a, b = (
        Group(extensions=("101",), otherwise=Destination("group", other)) for other in ("ordered", "together")
    )
    office.switch.rules.site = site.model_copy(update={"groups": {**site.groups, "together": a, "ordered": b}})
    erik = office.telephone("105")
    assert erik.dial("61").status == 482
    assert office.counters["routes_in_a_circle"] == 1
