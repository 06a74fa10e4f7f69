"""Call park: in by transfer and by dialling, out by dialling, back after too long a time."""

from __future__ import annotations

from .office import Office
from .test_transfer import office as office_fixture
from .test_transfer import talking

office = office_fixture


def test_parked_by_transfer_and_fetched(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("700")
    assert b.ended and b.frags == ["100 Trying", "200 Parked at 701"]
    (call,) = office.switch.calls()
    assert (call.view()["state"], call.view()["slot"]) == ("parked", "701")
    assert [event.slot for event in office.named("CallParked")] == ["house 701"]
    c = carl.dial("701")
    assert c.status == 200 and office.hear_each_other(a, c)
    (call,) = office.switch.calls()
    assert (call.view()["state"], call.view()["slot"]) == ("talking", None)
    assert [event.by for event in office.named("CallUnparked")] == ["103"]
    a.bye()
    assert c.ended


def test_the_caller_parks(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    a.refer("702")
    assert a.ended and not b.ended
    c = carl.dial("702")
    assert office.hear_each_other(b, c)


def test_a_taken_slot_and_a_full_lot_give_the_party_back(office: Office) -> None:
    anna, ben, carl, dora, erik, _ = (office.telephone(name) for name in ("101", "102", "103", "104", "105", "106"))
    _, b = talking(anna, ben)
    b.refer("701")
    c, d = talking(carl, dora)
    d.refer("701")
    assert d.frags[-1].startswith("486") and office.hear_each_other(c, d)
    d.refer("700")
    assert d.frags[-1] == "200 Parked at 702"
    e, d2 = talking(erik, dora)
    d2.refer("700")
    assert d2.frags[-1].startswith("486") and office.hear_each_other(e, d2)
    assert office.counters["park_lots_full"] == 2


def test_an_empty_slot(office: Office) -> None:
    anna = office.telephone("101")
    assert anna.dial("701").status == 480 and anna.dial("709").status == 404


def test_parked_by_dialling_from_a_second_call(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    office.plane.prompts |= {"slot_701"}
    a, b = talking(anna, ben)
    second = ben.dial("700")
    assert second.status == 200 and b.ended and not a.ended
    assert office.plane.playing[second.port].prompts == ("slot_701",)
    office.plane.finish(office.plane.port_of(second.port))
    office.settle()
    assert second.ended
    c = carl.dial("701")
    assert office.hear_each_other(a, c)


def test_after_too_long_it_rings_who_parked_it(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    a, b = talking(anna, ben)
    b.refer("700")
    office.pass_time(59)
    assert not ben.is_ringing
    office.pass_time(2)
    assert ben.is_ringing and not office.named("CallUnparked")[0].by
    again = ben.rings.answer()
    assert office.hear_each_other(a, again)


def test_who_parked_it_does_not_take_it_back(office: Office) -> None:
    anna, ben, frank = (office.telephone(name) for name in ("101", "102", "106"))
    a, b = talking(anna, ben)
    b.refer("700")
    office.pass_time(61)
    ben.rings.refuse(486)
    f = frank.rings.answer()
    assert office.hear_each_other(a, f)


def test_the_parked_one_hangs_up(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("700", settle=False)
    a.bye()
    assert b.ended and carl.dial("701").status == 480
    assert office.counters["calls_parked"] == 1
    kinds = office.kinds()
    assert kinds.index("CallUnparked") < kinds.index("CallEnded")
    assert [event.by for event in office.named("CallUnparked")] == [None]


def test_a_parked_call_that_the_server_ends_leaves_its_slot(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    a, b = talking(anna, ben)
    b.refer("700")
    next(iter(office.switch.calls())).hang_up("drained")
    office.settle()
    assert a.ended and [event.slot for event in office.named("CallUnparked")] == ["house 701"]
    assert office.park.at("701") is None


def test_hang_up_crosses_the_fetching(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("700")
    c = carl.dial("701", settle=False)
    a.bye()
    assert c.status == 200 and c.ended and b.ended


def test_two_fetch_at_once(office: Office) -> None:
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    a, b = talking(anna, ben)
    b.refer("700")
    c = carl.dial("701", settle=False)
    d = dora.dial("701")
    assert office.hear_each_other(a, c) and d.status == 480


def test_who_waits_in_a_slot_is_taken_by_attended_transfer_of_nobody(office: Office) -> None:
    """A REFER of somebody who is parked finds nobody to give on."""
    anna, ben = office.telephone("101"), office.telephone("102")
    a, b = talking(anna, ben)
    b.refer("700")
    a.refer("103")
    assert a.told == [603] and not a.ended
