"""Conferences: rooms, calls that become one, and how they end."""

from __future__ import annotations

import gc

import pytest

from pbx.call.originate import NotDialled

from .office import Office, Talk, Telephone
from .test_transfer import office as office_fixture
from .test_transfer import talking
from .world import sdp

office = office_fixture


def three(office: Office) -> tuple[Talk, Talk, Talk]:
    """101 called 102, who added 103."""
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("*3103")
    return a, b, carl.rings.answer()


def mixes(office: Office) -> int:
    return len(office.plane.conferences)


def test_a_third_is_added_by_refer_and_nobody_leaves(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("*3103")
    assert b.told == [202] and b.frags == ["100 Trying", "180 Ringing"]
    assert office.hear_each_other(a, b) and mixes(office) == 0  # meanwhile they talk on
    ringing = carl.rings
    assert ringing.invite is not None and "sip:102@" in (ringing.invite.get("From") or "")
    c = ringing.answer()
    assert b.frags[-1] == "200 OK"
    assert office.all_hear_each_other(a, b, c) and mixes(office) == 1
    joined = office.named("ConferenceJoined")
    assert [(event.number, event.members) for event in joined] == [("101", 3), ("102", 3), ("103", 3)]
    assert len({event.conference for event in joined}) == 1 and len(office.rooms.view()) == 1
    assert {call.view()["conference"] for call in office.switch.calls()} == {joined[0].conference}


def test_the_third_leaves(office: Office) -> None:
    a, b, c = three(office)
    c.bye()
    assert office.hear_each_other(a, b) and mixes(office) == 0 and office.rooms.view() == []
    assert sorted(event.number for event in office.named("ConferenceLeft")) == ["101", "102", "103"]
    b.bye()
    assert a.ended


@pytest.mark.parametrize("first", [0, 1])
def test_who_called_or_was_called_leaves(office: Office, first: int) -> None:
    talks = [*three(office)]
    gone = talks.pop(first)
    gone.bye()
    left, third = talks
    assert not left.ended and not third.ended
    assert office.hear_each_other(left, third) and mixes(office) == 0
    third.bye()
    assert left.ended and office.switch.live == 0


def test_a_lost_leg_is_as_one_that_hung_up(office: Office) -> None:
    a, b, c = three(office)
    call = office.call_of(a)
    call.leg_lost(call.caller, "no answer")  # type: ignore[attr-defined]
    office.settle()
    assert a.ended and office.hear_each_other(b, c)


def test_everybody_may_add_a_fourth(office: Office) -> None:
    dora, erik = office.telephone("104"), office.telephone("105")
    a, b, c = three(office)
    c.refer("104")  # in a conference by himself: a transfer that nobody is given by
    d = dora.rings.answer()
    assert c.told == [202] and office.all_hear_each_other(a, b, c, d)
    a.refer("*3105")
    e = erik.rings.answer()
    assert office.all_hear_each_other(a, b, c, d, e)
    a.bye()
    b.bye()
    assert office.all_hear_each_other(c, d, e)


def test_the_guest_refuses(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("*3103")
    carl.rings.refuse(486)
    assert b.frags[-1].startswith("486") and office.hear_each_other(a, b)
    assert [event.status for event in office.named("CallEnded")] == [486]
    b.refer("*3199")
    assert b.frags[-1].startswith("603")


def test_the_hosts_hang_up_while_the_guest_rings(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("*3103", settle=False)
    office.settle()
    assert carl.is_ringing
    a.bye()
    assert not carl.is_ringing and b.ended and office.switch.live == 0


def test_hold_inside(office: Office) -> None:
    a, b, c = three(office)
    a.send("INVITE", body=sdp(40000, host=a.phone.host, direction="sendonly"))
    assert office.plane.hears(b.port) == {c.port} and office.plane.hears(a.port) == set()
    assert b.directions == [] and a.port not in office.plane.playing  # nobody else's phone is asked to hold
    a.send("INVITE", body=sdp(40000, host=a.phone.host))
    assert office.all_hear_each_other(a, b, c)


def test_who_transfers_is_replaced(office: Office) -> None:
    dora = office.telephone("104")
    a, b, c = three(office)
    b.refer("104")
    assert office.plane.hears(c.port) == set()  # 101 hears it ring, 102 waits for what comes of it
    d = dora.rings.answer()
    assert b.ended and office.all_hear_each_other(a, c, d)


def test_a_refused_transfer_inside(office: Office) -> None:
    dora = office.telephone("104")
    a, b, c = three(office)
    b.refer("104")
    dora.rings.refuse()
    assert office.all_hear_each_other(a, b, c)


def test_transferred_out_into_a_parking_lot(office: Office) -> None:
    a, b, c = three(office)
    b.refer("700")
    assert b.ended and c.ended and not a.ended and mixes(office) == 0  # 103 was alone then


def test_attended_transfer_inside(office: Office) -> None:
    dora = office.telephone("104")
    a, b, c = three(office)
    second, d = talking(b.phone, dora)
    second.refer_to(b)
    assert b.ended and second.ended and office.all_hear_each_other(a, c, d)


def test_added_by_a_program(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    (call,) = office.switch.calls()
    guest = office.rooms.add(call.id, "103")
    office.settle()
    assert guest.from_number == "102"
    c = carl.rings.answer()
    assert office.all_hear_each_other(a, b, c)
    for call_id, number, by, why in (
        ("nothing", "103", None, "unknown"), (call.id, "555", None, "number"), (call.id, "104", "103", "number"),
        (call.id, "700", None, "number"),
    ):  # fmt: skip
        with pytest.raises(NotDialled) as error:
            office.rooms.add(call_id, number, by)
        assert error.value.why == why


def test_by_a_trunk(office: Office) -> None:
    anna, ben, carrier = office.telephone("101"), office.telephone("102"), office.carrier()
    a, b = talking(anna, ben)
    (call,) = office.switch.calls()
    office.rooms.add(call.id, "0612345678", "101")
    office.settle()
    c = carrier.rings.answer()
    assert office.all_hear_each_other(a, b, c)
    assert [event.direction for event in office.named("CallStarted")] == ["internal", "outbound"]


def test_no_mix_to_be_had(office: Office) -> None:
    office.plane.conferences_most = 0
    a, b, c = three(office)
    assert c.ended and office.hear_each_other(a, b)
    assert office.counters["calls_without_conference"] == 1


def test_the_media_worker_dies(office: Office) -> None:
    a, b, c = three(office)
    office.plane.kill()
    office.pass_time(2)
    assert office.all_hear_each_other(a, b, c) and mixes(office) == 1


# --- rooms ------------------------------------------------------------------------------------------------------------


def in_room(office: Office, number: str, *names: str) -> list[Talk]:
    return [office.telephone(name).dial(number) for name in names]


def test_a_room(office: Office) -> None:
    (a,) = in_room(office, "*40", "101")
    assert a.status == 200 and office.plane.playing[a.port].prompts == ("tone:noise",)
    (b,) = in_room(office, "*40", "102")
    assert office.hear_each_other(a, b) and mixes(office) == 0  # two are bridged
    (c,) = in_room(office, "*40", "103")
    assert office.all_hear_each_other(a, b, c) and mixes(office) == 1
    b.bye()
    assert office.hear_each_other(a, c) and mixes(office) == 0
    c.bye()
    assert office.plane.playing[a.port].prompts == ("tone:noise",)
    assert [event.members for event in office.named("ConferenceJoined")] == [1, 2, 3]
    assert [event.members for event in office.named("ConferenceLeft")] == [2, 1]


def test_the_focus_says_that_it_is_one(office: Office) -> None:
    (a,) = in_room(office, "*40", "101")
    assert a.final is not None
    assert a.final.get("Contact") == "<sip:conference-open@192.0.2.100:5060>;isfocus"


def test_a_pin(office: Office) -> None:
    (a,) = in_room(office, "*41", "101")
    assert office.plane.playing[a.port].prompts == ("tone:dial",) and office.rooms.view() == []
    port = office.plane.port_of(a.port)
    for key in "99#":
        office.plane.press(port, key)
    assert office.plane.playing[a.port].prompts == ("tone:sit", "tone:dial")
    for key in "1234#":
        office.plane.press(port, key)
    assert [event.conference for event in office.named("ConferenceJoined")] == ["board"]


def test_wrong_pins_and_none(office: Office) -> None:
    a, b = in_room(office, "*41", "101", "102")
    for key in "1#2##":
        office.plane.press(office.plane.port_of(a.port), key)
    office.settle()
    assert a.ended and office.counters["conference_pins_refused"] == 1
    office.pass_time(11)
    assert b.ended


def test_a_full_room(office: Office) -> None:
    talks = in_room(office, "*41", "101", "102", "103")
    for talk in talks:
        for key in "1234#":
            office.plane.press(office.plane.port_of(talk.port), key)
    assert office.all_hear_each_other(*talks)
    assert [talk.status for talk in in_room(office, "*41", "104")] == [486]


def test_a_room_of_ones_own_and_its_uri(office: Office) -> None:
    a, b = in_room(office, "*42", "101", "102")
    assert len(office.rooms.view()) == 2
    assert a.final is not None
    uri = (a.final.get("Contact") or "").partition(":")[2].partition("@")[0]
    c, d = talking(office.telephone("103"), office.telephone("104"))
    c.refer(uri)  # a phone that gathers its calls in the room that it was given
    assert c.ended and office.hear_each_other(a, d)
    (e,) = in_room(office, uri, "105")
    assert office.all_hear_each_other(a, d, e)
    for talk in (a, d, e):
        talk.bye()
    assert e.phone.dial(uri).status == 404
    assert office.carrier().dial(uri).status == 404 and not b.ended


def test_transferred_into_a_room(office: Office) -> None:
    (a,) = in_room(office, "*40", "101")
    c, d = talking(office.telephone("103"), office.telephone("104"))
    d.refer("*40")
    assert d.ended and d.frags[-1] == "200 OK" and office.hear_each_other(a, c)


def test_attended_transfer_into_a_room(office: Office) -> None:
    a, b = in_room(office, "*40", "101", "102")
    second, d = talking(b.phone, office.telephone("104"))
    second.refer_to(b)
    assert b.ended and second.ended and office.hear_each_other(a, d)


def test_a_member_has_nobody_to_give_on(office: Office) -> None:
    a, b = in_room(office, "*40", "101", "102")
    second, _ = talking(b.phone, office.telephone("104"))
    b.refer_to(second)
    assert b.frags[-1].startswith("603") and office.hear_each_other(a, b)


def test_a_member_calls_somebody_in(office: Office) -> None:
    (a,) = in_room(office, "*40", "101")
    dora = office.telephone("104")
    a.refer("104")
    d = dora.rings.answer()
    assert not a.ended and office.hear_each_other(a, d)


def test_pickup_parking_and_drain_find_nothing_wrong(office: Office) -> None:
    a, b, c = three(office)
    for call in list(office.switch.calls()):
        call.hang_up("drained")
    office.settle()
    assert a.ended and b.ended and c.ended


def test_nothing_is_left_for_the_collector(office: Office) -> None:
    phones: list[Telephone] = [office.telephone(name) for name in ("101", "102", "103")]

    def flow(last: int) -> None:
        anna, ben, carl = phones
        a, b = talking(anna, ben)
        b.refer("*3103")
        carl.rings.refuse()
        b.refer("*3103")
        talks = [a, b, carl.rings.answer()]
        talks.pop(last).bye()
        talks[0].bye()
        c, d = anna.dial("*40"), ben.dial("*41")
        c.bye()
        d.bye()
        office.pass_time(100)

    gc.disable()
    try:
        for last in range(3):
            flow(last)
        gc.collect()
        for last in range(3):
            flow(last)
        assert gc.collect() == 0
    finally:
        gc.enable()
