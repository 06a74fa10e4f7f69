"""Transfers, blind and attended, with every message that may come in between (RFC 3515, RFC 5589, RFC 3891)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .office import SITE, Office, Talk, Telephone
from .world import sdp


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.over()


def talking(caller: Telephone, called: Telephone, number: str = "") -> tuple[Talk, Talk]:
    a = caller.dial(number or called.number)
    b = called.rings.answer()
    assert a.status == 200
    return a, b


def test_a_called_one_gives_the_caller_on(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103")
    assert b.told == [202] and b.frags == ["100 Trying", "180 Ringing"] and not b.ended
    assert not office.plane.bridged
    invite = carl.rings.invite
    assert invite is not None and invite.get("Referred-By") == "<sip:102@192.0.2.103>"
    assert "sip:101@" in (invite.get("From") or "")
    c = carl.rings.answer()
    assert b.frags[-1] == "200 OK" and b.ended
    assert office.hear_each_other(a, c) and not a.ended
    (told,) = office.named("CallTransferred")
    assert (told.kind, told.by, told.to) == ("blind", "102", "extension 103")
    c.bye()
    assert a.ended
    assert office.kinds().count("CallEnded") == 1


def test_a_caller_gives_the_called_one_on(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    a.refer("103")
    invite = carl.rings.invite
    assert invite is not None and "sip:102@" in (invite.get("From") or "")
    c = carl.rings.answer()
    assert a.ended and a.frags[-1] == "200 OK"
    assert office.hear_each_other(b, c)
    b.bye()
    assert c.ended


@pytest.mark.parametrize("by_caller", [True, False])
def test_a_refused_transfer_gives_the_party_back(office: Office, by_caller: bool) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    (a if by_caller else b).refer("103")
    carl.rings.refuse(486)
    assert (a if by_caller else b).frags[-1].startswith("486")
    assert office.hear_each_other(a, b) and not a.ended and not b.ended
    (a if by_caller else b).refer("103")  # and again
    carl.rings.answer()
    assert (b if by_caller else a).ended is False and (a if by_caller else b).ended


@pytest.mark.parametrize("by_caller", [True, False])
def test_who_transferred_and_hung_up_is_called_back_when_it_fails(office: Office, by_caller: bool) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    gone, stays, phone = (a, b, anna) if by_caller else (b, a, ben)
    gone.refer("103")
    gone.bye()
    assert not stays.ended and carl.is_ringing
    carl.rings.refuse(486)
    assert phone.is_ringing
    again = phone.rings.answer()
    assert office.hear_each_other(stays, again)


def test_bye_of_the_transferor_does_not_end_the_transfer(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103", settle=False)
    b.bye()
    c = carl.rings.answer()
    assert office.hear_each_other(a, c)
    assert next(event.cause for event in office.named("LegEnded")) == "callee hung up"


def test_bye_before_the_refer_leaves_nothing_to_transfer(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.bye(settle=False)
    b.refer("103")
    assert a.ended and b.told == [481] and not carl.talks


def test_the_transferee_hangs_up_while_the_target_rings(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103")
    a.bye()
    assert b.ended and b.frags[-1].startswith("487") and not carl.is_ringing
    assert office.kinds().count("CallEnded") == 1


def test_the_target_hangs_up_as_it_answers(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103")
    c = carl.rings.answer(settle=False)
    office.run(0)
    carl.read()
    c.bye()
    assert a.ended and b.ended and not office.plane.bridged


def test_the_transferor_takes_no_second_refer_while_one_is_on_its_way(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103")
    b.refer("104")
    a.refer("104")
    assert b.told == [202, 491] and a.told == [491]
    carl.rings.answer()


def test_nobody_answers_the_transferred_call(office: Office) -> None:
    anna, ben, _ = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103")
    office.pass_time(61)
    assert b.frags[-1].startswith("480")
    assert office.hear_each_other(a, b)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Refer-To: <sip:555@192.0.2.100>\r\n", 404),
        ("Refer-To: <sip:*781@192.0.2.100>\r\n", 603),  # a feature code would act for the transferee
        ("Refer-To: <sip:103@192.0.2.100;method=BYE>\r\n", 603),
        ("Refer-To: <http://example.com/>\r\n", 416),
        ("Refer-To: nonsense\r\n", 400),
        ("", 400),
        ("Refer-To: <sip:103@192.0.2.100>\r\nRefer-To: <sip:104@192.0.2.100>\r\n", 400),
        ("Refer-To: <sip:103@192.0.2.100?Replaces=x>\r\n", 400),
    ],
)
def test_a_refer_that_can_not_be_is_refused_and_the_talk_goes_on(office: Office, headers: str, status: int) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    a, b = talking(anna, ben)
    b.send("REFER", headers)
    assert b.told == [status] and not b.frags
    assert office.hear_each_other(a, b)


def test_trunks_transfer_only_if_the_site_says_so(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    outside = office.carrier()
    a, b = talking(outside, anna, "+33180000001")
    a.refer("102")
    assert a.told == [403] and office.hear_each_other(a, b)
    other = office.partner()
    x = anna.dial("9555")
    y = other.rings.answer()
    y.refer("9777")
    assert y.told == [202]
    z = other.rings.answer()
    assert y.ended and office.hear_each_other(x, z)
    assert not ben.talks


def test_no_notify_for_who_wants_none(office: Office) -> None:
    """RFC 4488."""
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103", "Refer-Sub: false\r\n")
    c = carl.rings.answer()
    assert not b.frags and b.ended and office.hear_each_other(a, c)


def test_transfer_to_a_number_outside(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    outside = office.carrier()
    a, b = talking(anna, ben)
    b.refer("0199")
    c = outside.rings
    assert c.invite is not None and c.invite.uri.startswith("sip:0199@")
    c.answer()
    assert b.ended and office.hear_each_other(a, c)


def test_refer_outside_the_dialog_names_it(office: Office) -> None:
    """RFC 4538."""
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    server, own = b.tags
    text = (
        "REFER sip:102@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch={branch}\r\nMax-Forwards: 70\r\n"
        "From: <sip:{user}@192.0.2.100>;tag=o1\r\nTo: <sip:102@192.0.2.100>\r\nCall-ID: out-{user}\r\nCSeq: 1 REFER\r\n"
        "Contact: <sip:{user}@{host}:5060>\r\nRefer-To: <sip:103@192.0.2.100>\r\n"
        f"Target-Dialog: {b.call_id};local-tag={own};remote-tag={server}\r\nContent-Length: 0\r\n\r\n"
    )
    stranger = office.telephone("104")
    stranger.send(text.format(host=stranger.host, user="104", branch=stranger.branch()))
    assert stranger.response(403)
    ben.send(text.format(host=ben.host, user="102", branch=ben.branch()))
    assert ben.response(202).to_tag
    trying = ben.request("NOTIFY")
    assert trying.call_id == "out-102"
    ben.answer(trying, 200)
    office.settle()
    c = carl.rings.answer()
    assert b.ended and office.hear_each_other(a, c)


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
@pytest.mark.parametrize("by_caller", [True, False])
def test_who_was_told_to_hold_is_told_to_go_on(tmp_path: Path, by_caller: bool, direction: str) -> None:
    """Where holds are passed on, nobody else could end the one of a transferor who is gone."""
    office = Office(tmp_path, SITE + "calls: {hold: pass}\n")
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    gives, held = (a, b) if by_caller else (b, a)
    gives.send("INVITE", body=sdp(40000, direction=direction, host=gives.phone.host))
    assert held.directions == [direction]
    gives.refer("103")
    assert held.directions == [direction, "sendrecv"]
    c = carl.rings.answer()
    assert office.hear_each_other(held, c)
    held.bye()
    office.pass_time(100)
    assert c.ended and office.leaks() == {}


# --- attended ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_by", ["ben", "other"])
@pytest.mark.parametrize("second_by", ["ben", "other"])
@pytest.mark.parametrize("refer_on", [0, 1])
def test_attended_transfer_joins_the_legs(office: Office, first_by: str, second_by: str, refer_on: int) -> None:
    """Whoever called whom, and whichever dialog the REFER comes in."""
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    pairs = []
    for other, by in ((anna, first_by), (carl, second_by)):
        if by == "ben":
            b, o = talking(ben, other)
        else:
            o, b = talking(other, ben)
        pairs.append((o, b))
    (a, b1), (c, b2) = pairs
    sent = len(office.named("LegStarted"))
    (b1 if not refer_on else b2).refer_to(b2 if not refer_on else b1)
    assert (b1 if not refer_on else b2).told == [202]
    assert b1.ended and b2.ended and not a.ended and not c.ended
    assert office.hear_each_other(a, c)
    assert len(office.named("LegStarted")) == sent  # no new INVITE
    assert len(list(office.switch.calls())) == 1
    (told,) = office.named("CallTransferred")
    assert (told.kind, told.by) == ("attended", "102")
    c.bye()
    assert a.ended


def test_attended_transfer_to_one_who_still_rings(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b1 = talking(anna, ben)
    b2 = ben.dial("103")
    assert carl.is_ringing and b2.status == 180
    waiting = next(leg for leg in office.switch.legs_of("102") if leg.phase == "early")
    b2.remote = f"<sip:103@192.0.2.100>;tag={waiting.dialog.local_tag}"
    b1.refer_to(b2)
    assert b1.ended and b2.status == 487
    c = carl.rings.answer()
    assert office.hear_each_other(a, c)


def test_attended_transfer_to_an_unknown_dialog(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    a, b = talking(anna, ben)
    b.refer("x", headers="?Replaces=nothing%3Bto-tag%3Da%3Bfrom-tag%3Db")
    assert b.told == [202] and b.frags == ["481 no such call"]
    assert office.hear_each_other(a, b)


def test_nobody_transfers_with_the_call_of_another(office: Office) -> None:
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    a, b = talking(anna, ben)
    c, d = talking(carl, dora)
    b.refer_to(d)
    assert b.frags[-1].startswith("603")
    assert office.hear_each_other(a, b) and office.hear_each_other(c, d)


def test_two_transfers_at_once_by_two_people(office: Office) -> None:
    """Anna gives Ben on while Ben gives Anna on: the first counts."""
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    a, b = talking(anna, ben)
    a.refer("103", settle=False)
    b.refer("104")
    assert a.told == [202] and b.told == [491]
    c = carl.rings.answer()
    assert a.ended and office.hear_each_other(b, c) and not dora.talks


def test_a_chain_of_transfers(office: Office) -> None:
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    a, b = talking(anna, ben)
    b.refer("103")
    c = carl.rings.answer()
    a.refer("104")
    d = dora.rings.answer()
    assert a.ended and office.hear_each_other(c, d)
    c.refer("101")
    a2 = anna.rings.answer()
    assert c.ended and office.hear_each_other(a2, d)
    assert len(office.named("CallTransferred")) == 3


def test_the_media_worker_dies_while_a_transfer_is_on_its_way(office: Office) -> None:
    """Whoever talked goes on; the phone that rang was told of a port that is gone, so the transfer fails."""
    anna, ben, _ = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103")
    office.plane.kill()
    office.pass_time(0.1)
    assert not a.ended and not b.ended and office.hear_each_other(a, b)
