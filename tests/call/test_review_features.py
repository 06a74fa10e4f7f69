"""What a review of transfers, pickups and Replaces found: parts of a call that are neither here nor there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from pbx.store.cdr import CdrFold, CdrRow
from pbx.store.rows import JournalRow

from .office import SITE, Office, Talk, Telephone
from .test_transfer import office, talking

__all__ = ["office"]


def people(office: Office, *numbers: str) -> list[Telephone]:
    return [office.telephone(number) for number in numbers]


def name_by(office: Office, talk: Talk) -> Talk:
    """Give a ringing phone's dialog the tag that the server has in it."""
    leg = next(leg for leg in office.switch.legs_of(talk.phone.number) if leg.dialog.call_id == talk.call_id)
    talk.remote = f"<sip:x@192.0.2.100>;tag={leg.dialog.local_tag}"
    return talk


def records(office: Office) -> list[CdrRow]:
    """The call records that the events make."""
    fold = CdrFold()
    rows = [
        fold.take(JournalRow(seq, data["at"], type(event).__name__, data.get("call_id"), data))
        for seq, event in enumerate(office.events, 1) for data in [asdict(event)]  # type: ignore[call-overload]
    ]  # fmt: skip
    return [row for row in rows if row is not None]


# --- attended -------------------------------------------------------------------------------------------------------


def test_nobody_is_given_to_a_call_that_still_rings_at_the_giver(office: Office) -> None:
    """Its caller has no answer yet: RFC 3891 3 lets an early dialog be replaced only by who began it."""
    anna, ben, carl = people(office, "101", "102", "103")
    a, b = talking(anna, ben)
    c = carl.dial("102")
    name_by(office, ben.rings)
    b.refer_to(ben.rings)
    assert b.frags == ["603 not answered yet"]
    assert office.hear_each_other(a, b)
    b2 = ben.rings.answer()
    assert office.hear_each_other(c, b2)


def test_nobody_is_given_to_a_call_that_is_being_given_away(office: Office) -> None:
    """One transfer of a call at a time, in whichever dialog the REFER comes."""
    anna, ben, carl, dora = people(office, "101", "102", "103", "104")
    a, b1 = talking(anna, ben)
    b2, d = talking(ben, dora)
    b1.refer("103")
    b2.refer_to(b1)
    assert b2.frags[-1].startswith("491")
    assert office.hear_each_other(b2, d)
    c = carl.rings.answer()
    assert b1.ended and office.hear_each_other(a, c) and office.hear_each_other(b2, d)


# --- Replaces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answered", [True, False])
def test_another_phone_takes_the_place_of_who_gives_his_party_on(office: Office, answered: bool) -> None:
    """The transfer goes on; who came instead is the one to whom the party comes back."""
    anna, ben, carl = people(office, "101", "102", "103")
    second = office.telephone("102", "192.0.2.112")
    a, b = talking(anna, ben)
    b.refer("103")
    s = second.dial("anybody", f"Replaces: {b.replaces}\r\n")
    assert s.status == 200 and b.ended and carl.is_ringing and not office.plane.bridged
    if answered:
        c = carl.rings.answer()
        assert s.ended and office.hear_each_other(a, c)
    else:
        carl.rings.refuse(486)
        assert office.hear_each_other(a, s)


def test_replaces_is_said_once(office: Office) -> None:
    """RFC 3891 3: more than one is a bad request."""
    anna, ben = people(office, "101", "102")
    second = office.telephone("102", "192.0.2.112")
    a, b = talking(anna, ben)
    line = f"Replaces: {b.replaces}\r\n"
    assert second.dial("anybody", line + line).status == 400
    assert office.hear_each_other(a, b)


# --- who is told what -----------------------------------------------------------------------------------------------


def test_the_wishes_of_the_first_caller_are_not_those_of_the_next(office: Office) -> None:
    """Ben calls anonymously, then gives Carl on: Carl did not ask to be unknown."""
    ben, carl, dora = people(office, "102", "103", "104")
    b = ben.dial("103", "Privacy: id\r\n")
    carl.rings.answer()
    b.refer("104")
    invite = dora.rings.invite
    assert invite is not None and "sip:103@" in (invite.get("From") or "")
    dora.rings.answer()


def test_who_wants_to_be_unknown_stays_so_when_he_is_given_on(office: Office) -> None:
    """Anna calls anonymously and becomes the caller of Ben's other call, which is forwarded after that."""
    anna, ben, _, dora = people(office, "101", "102", "107", "108")
    a = anna.dial("102", "Privacy: id\r\n")
    b1 = ben.rings.answer()
    b2 = ben.dial("107")
    name_by(office, b2)
    b1.refer_to(b2)
    office.pass_time(13)
    invite = dora.rings.invite
    assert invite is not None and "anonymous.invalid" in (invite.get("From") or "")
    assert "101" not in (invite.get("From") or "")
    dora.rings.answer()
    assert not a.ended


def test_a_carrier_learns_no_extension_from_a_transfer(tmp_path: Path) -> None:
    office = Office(tmp_path, SITE.replace("trusted: true", 'trusted: true, caller_id: "+33170000000"'))
    anna, ben = people(office, "101", "102")
    outside = office.carrier()
    a, b = talking(anna, ben)
    b.refer("0199")
    invite = outside.rings.invite
    assert invite is not None and "sip:+33170000000@" in (invite.get("Referred-By") or "")
    c = outside.rings.answer()
    c.bye()
    office.pass_time(100)
    assert a.ended and office.leaks() == {}


# --- records --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("taken", [True, False])
def test_ringing_is_no_talking(office: Office, by_caller: bool, taken: bool) -> None:
    """While the target of a transfer rings nobody talks, whoever transfers."""
    anna, ben, carl = people(office, "101", "102", "103")
    a, b = talking(anna, ben)
    office.pass_time(60)
    gives, stays = (a, b) if by_caller else (b, a)
    gives.refer("103")
    office.pass_time(30)
    if taken:
        carl.rings.answer()
    else:
        carl.rings.refuse(486)
    office.pass_time(20)
    stays.bye()
    (record,) = records(office)
    assert record.talked_s == pytest.approx(80, abs=1)


# --- circles --------------------------------------------------------------------------------------------------------


def test_phones_that_give_a_party_to_and_fro_come_to_an_end(office: Office) -> None:
    """Each transfer costs a hop, as a forward by a proxy does."""
    anna, ben, carl = people(office, "101", "102", "103")
    a, talk = talking(anna, ben)
    for turn in range(100):
        to = (carl, ben)[turn % 2]
        talk.refer(to.number)
        if talk.told[-1] != 202:
            break
        talk = to.rings.answer()
    assert talk.told == [483] and 60 < turn < 75
    assert office.hear_each_other(a, talk)


@pytest.mark.parametrize("order", [(302, 486), (486, 302)])
def test_a_redirection_of_one_phone_counts_more_than_busy_of_another(office: Office, order: tuple[int, int]) -> None:
    """RFC 3261 16.7 step 6: the lowest class, in whichever order they come."""
    anna, one = people(office, "101", "102")
    two = office.telephone("102", "192.0.2.112")
    dora = office.telephone("104")
    anna.dial("102")
    for phone, status in zip((one, two), order, strict=True):
        if status == 302:
            phone.rings.redirect("104")
        else:
            phone.rings.refuse(486)
    assert dora.is_ringing
    dora.rings.answer()
