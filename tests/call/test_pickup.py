"""Call pickup by feature code and INVITE with Replaces (RFC 3891), and what crosses them."""

from __future__ import annotations

import pytest

from pbx.call.replaces import Replaces
from pbx.sip.errors import BadMessage

from .office import Office
from .test_transfer import office as office_fixture
from .test_transfer import talking

office = office_fixture


def test_directed_pickup(office: Office) -> None:
    anna, ben, dora = (office.telephone(name) for name in ("101", "102", "104"))
    a = anna.dial("102")
    assert ben.is_ringing
    d = dora.dial("*8102")
    assert d.status == 200 and a.status == 200 and not ben.is_ringing
    assert office.hear_each_other(a, d)
    (event,) = office.named("CallPickedUp")
    assert (event.extension, event.by) == ("102", "104")
    assert len(list(office.switch.calls())) == 1
    d.bye()
    assert a.ended


def test_group_pickup_takes_what_rang_first(office: Office) -> None:
    anna, _, _, dora, erik = (office.telephone(name) for name in ("101", "102", "103", "104", "105"))
    outside = office.carrier()
    first = outside.dial("+33180000001")
    office.pass_time(2)
    second = erik.dial("103")
    assert anna.is_ringing
    d = dora.dial("*8")
    assert office.hear_each_other(first, d) and second.status == 180


def test_who_shares_no_group_picks_nothing_up(office: Office) -> None:
    anna, ben, frank, gina = (office.telephone(name) for name in ("101", "102", "106", "107"))
    a = anna.dial("102")
    f = frank.dial("*8102")
    assert f.status == 403 and frank.dial("*8").status == 480
    g = gina.dial("*8102")  # belongs to no group, but picks up from sales
    assert office.hear_each_other(a, g) and not ben.is_ringing
    anna.dial("107")
    assert office.telephone("103").dial("*8107").status == 403
    gina.rings.refuse()


def test_nothing_rings(office: Office) -> None:
    dora = office.telephone("104")
    assert dora.dial("*8102").status == 480 and dora.dial("*8").status == 480


def test_two_pickups_at_once(office: Office) -> None:
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    a = anna.dial("102")
    c = carl.dial("*8102", settle=False)
    d = dora.dial("*8102")
    assert c.status == 200 and d.status == 480
    assert office.hear_each_other(a, c) and not ben.is_ringing


def test_the_answer_comes_before_the_pickup(office: Office) -> None:
    anna, ben, dora = (office.telephone(name) for name in ("101", "102", "104"))
    a = anna.dial("102")
    b = ben.rings.answer(settle=False)
    d = dora.dial("*8102")
    assert d.status == 480 and office.hear_each_other(a, b)


def test_the_answer_comes_after_the_pickup(office: Office) -> None:
    """Our CANCEL crosses the 200: the late one is acknowledged and hung up."""
    anna, ben, dora = (office.telephone(name) for name in ("101", "102", "104"))
    a = anna.dial("102")
    ringing = ben.rings
    d = dora.dial("*8102", settle=False)
    ringing.answer(settle=False)
    office.settle()
    assert office.hear_each_other(a, d) and ringing.ended


def test_the_caller_cancels_as_it_is_picked_up(office: Office) -> None:
    anna, _, dora = (office.telephone(name) for name in ("101", "102", "104"))
    a = anna.dial("102")
    anna.follow("CANCEL", a.sent)
    d = dora.dial("*8102")
    assert a.status == 487 and d.status == 480


def test_pickup_of_one_whose_codecs_nobody_has(office: Office) -> None:
    anna, ben, dora = (office.telephone(name) for name in ("101", "102", "104"))
    anna.dial("102")
    dora.invite("*8102", call="bad", user="104", body="v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nc=IN IP4 1.1.1.1\r\n"
                "t=0 0\r\nm=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n")  # fmt: skip
    assert dora.response(488)
    assert ben.is_ringing  # goes on


def test_pickup_of_a_hunt_group(office: Office) -> None:
    for name in ("101", "102", "103"):
        office.telephone(name)
    dora = office.telephone("104")
    outside = office.carrier()
    a = outside.dial("+33180000002")
    d = dora.dial("*8102")
    assert office.hear_each_other(a, d)
    assert not any(person.is_ringing for person in office.people.values())


def test_pickup_completes_a_transfer(office: Office) -> None:
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    a, b = talking(anna, ben)
    b.refer("103")
    d = dora.dial("*8103")
    assert b.ended and b.frags[-1] == "200 OK" and office.hear_each_other(a, d) and not carl.is_ringing


# --- Replaces ---------------------------------------------------------------------------------------------------------


def test_another_device_takes_over_a_talk(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    mobile = office.telephone("102", host="192.0.2.202")
    a = anna.dial("102")
    b = ben.rings.answer()
    assert not mobile.is_ringing
    m = mobile.dial("101", f"Replaces: {b.replaces}\r\nRequire: replaces\r\n")
    assert m.status == 200 and b.ended and not a.ended
    assert office.hear_each_other(a, m)
    m.bye()
    assert a.ended


def test_another_device_takes_over_as_the_caller(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    mobile = office.telephone("101", host="192.0.2.201")
    a, b = talking(anna, ben)
    m = mobile.dial("102", f"Replaces: {a.replaces}\r\n")
    assert m.status == 200 and a.ended and office.hear_each_other(m, b)
    b.bye()
    assert m.ended


def test_replaces_of_an_early_dialog_is_a_pickup(office: Office) -> None:
    """As a busy lamp's key does it: the tags are those of the phone that rings (RFC 4235)."""
    anna, ben, dora = (office.telephone(name) for name in ("101", "102", "104"))
    a = anna.dial("102")
    ringing = ben.rings
    ours, theirs = ringing.tags
    d = dora.dial("102", f"Replaces: {ringing.call_id};to-tag={theirs};from-tag={ours};early-only\r\n")
    assert d.status == 200 and office.hear_each_other(a, d) and not ben.is_ringing


def test_early_only_finds_it_answered(office: Office) -> None:
    anna, ben, dora = (office.telephone(name) for name in ("101", "102", "104"))
    a, b = talking(anna, ben)
    d = dora.dial("102", f"Replaces: {b.replaces};early-only\r\n")
    assert d.status == 486 and office.hear_each_other(a, b)


def test_an_early_dialog_that_the_other_side_began_is_not_replaced(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    mobile = office.telephone("101", host="192.0.2.201")
    a = anna.dial("102")
    call = next(iter(office.switch.calls()))
    m = mobile.dial("102", f"Replaces: {a.call_id};to-tag={call.caller.dialog.local_tag};from-tag=f{a.call_id}\r\n")
    assert m.status == 481 and ben.is_ringing


@pytest.mark.parametrize("value", ["x;to-tag=a;from-tag=b", "x;to-tag=a", "", "x"])
def test_replaces_that_matches_nothing(office: Office, value: str) -> None:
    anna = office.telephone("101")
    assert anna.dial("102", f"Replaces: {value}\r\n").status == (481 if "from-tag" in value else 400)


def test_a_stranger_replaces_nobody(office: Office) -> None:
    anna, ben, frank = (office.telephone(name) for name in ("101", "102", "106"))
    outside = office.carrier()
    a, b = talking(anna, ben)
    assert frank.dial("102", f"Replaces: {b.replaces}\r\n").status == 403
    assert outside.dial("+33180000001", f"Replaces: {b.replaces}\r\n").status == 403
    assert office.hear_each_other(a, b)


def test_attended_transfer_by_the_transferee_himself(office: Office) -> None:
    """Frank talks with Ben, Ben with Anna: Frank may take Ben's place towards Anna."""
    anna, ben, frank = (office.telephone(name) for name in ("101", "102", "106"))
    a, b = talking(anna, ben)
    talking(frank, ben)
    f = frank.dial("101", f"Replaces: {b.replaces}\r\n")
    assert f.status == 200 and b.ended and office.hear_each_other(a, f)


def test_hang_up_crosses_the_replacement(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    mobile = office.telephone("102", host="192.0.2.202")
    a = anna.dial("102")
    b = ben.rings.answer()
    a.bye(settle=False)
    m = mobile.dial("101", f"Replaces: {b.replaces}\r\n")
    assert m.status == 481 and b.ended


def test_cancel_of_an_invite_that_replaced_comes_too_late(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    mobile = office.telephone("102", host="192.0.2.202")
    a = anna.dial("102")
    b = ben.rings.answer()
    m = mobile.dial("101", f"Replaces: {b.replaces}\r\n", settle=False)
    m.cancel()
    assert m.status == 200 and office.hear_each_other(a, m)


def test_values() -> None:
    assert Replaces.parse("a@b;from-tag=2;to-tag=1;early-only") == ("a@b", "1", "2", True)
    for bad in ("", ";to-tag=1;from-tag=2", "a;to-tag=;from-tag=2", "a;from-tag=1"):
        with pytest.raises(BadMessage):
            Replaces.parse(bad)


