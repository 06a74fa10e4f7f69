"""Forwards, do not disturb, busy, redirections; and that none goes in a circle."""

from __future__ import annotations

import pytest

from pbx.call.diversion import Diversion, invite_headers
from pbx.call.phone_settings import BadSetting, PhoneSettings

from .office import Office
from .test_transfer import office as office_fixture
from .test_transfer import talking

office = office_fixture


def test_forward_always_by_feature_code(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    code = ben.dial("*72103")
    office.pass_time(0.1)
    assert code.status == 200 and code.ended and office.saved == [("102", "forward-always", "103")]
    anna.dial("102")
    assert not ben.is_ringing
    invite = carl.rings.invite
    assert invite is not None
    assert invite.get("Diversion") == "<sip:102@192.0.2.103>;reason=unconditional;counter=1"
    assert invite.get("History-Info") == (
        "<sip:102@192.0.2.103>;index=1, <sip:103@192.0.2.103:5060;cause=302>;index=1.1;mp=1"
    )
    carl.rings.refuse()
    ben.dial("*720")
    anna.dial("102")
    assert ben.is_ringing
    assert [event.reason for event in office.named("CallForwarded")] == ["unconditional"]


def test_do_not_disturb(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    ben.dial("*781")
    assert anna.dial("102").status == 486 and not ben.is_ringing
    ben.dial("*780")
    anna.dial("102")
    assert ben.is_ringing


def test_no_answer(office: Office) -> None:
    anna, gina, hugo = (office.telephone(name) for name in ("101", "107", "108"))
    a = anna.dial("107")
    office.pass_time(11)
    assert gina.is_ringing and not hugo.is_ringing
    office.pass_time(2)
    assert not gina.is_ringing
    h = hugo.rings.answer()
    assert office.hear_each_other(a, h)


def test_busy_by_max_calls_and_by_the_phones_word(office: Office) -> None:
    anna, ben, hugo, frank = (office.telephone(name) for name in ("101", "102", "108", "106"))
    talking(anna, hugo)
    ben.dial("108")
    assert len(hugo.talks) == 1
    frank.rings.refuse(603)
    assert ben.talks[-1].status == 603
    hugo.talks[-1].bye()
    hugo.talks[-1].ended = True
    ben.dial("108")
    hugo.rings.refuse(486)
    f = frank.rings.answer()
    assert office.hear_each_other(ben.talks[-1], f)


def test_unregistered_goes_to_a_number_outside(office: Office) -> None:
    anna = office.telephone("101")
    outside = office.carrier()
    a = anna.dial("109")
    o = outside.rings.answer()
    assert o.invite is not None and o.invite.uri.startswith("sip:0199@")
    assert "reason=unavailable" in (o.invite.get("Diversion") or "")
    assert office.hear_each_other(a, o)


def test_a_chain_keeps_its_history(office: Office) -> None:
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    ben.dial("*72103")
    carl.dial("*90104")
    anna.dial("102")
    carl.rings.refuse(486)
    invite = dora.rings.invite
    assert invite is not None
    assert invite.all("Diversion") == [
        "<sip:103@192.0.2.104>;reason=user-busy;counter=1", "<sip:102@192.0.2.104>;reason=unconditional;counter=1",
    ]  # fmt: skip
    dora.rings.refuse()


@pytest.mark.parametrize("ring", [2, 3])
def test_a_circle_of_forwards_ends(office: Office, ring: int) -> None:
    names = ["101", "102", "103"][:ring]
    phones = [office.telephone(name) for name in names]
    for phone, to in zip(phones, [*names[1:], names[0]], strict=True):
        phone.dial(f"*72{to}")
    erik = office.telephone("105")
    assert erik.dial("101").status == 482
    assert office.counters["forwards_in_a_circle"] == 1


def test_a_long_chain_ends(office: Office) -> None:
    for name, to in zip(range(101, 108), range(102, 109), strict=True):
        office.settings.set(str(name), "forward-always", str(to))
    office.telephone("108")
    caller = office.telephone("109")
    assert caller.dial("101").status == 482


def test_a_phone_redirects(office: Office) -> None:
    """302: as if its user had forwarded; the site's dial plan says where that is."""
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    anna.dial("102")
    ben.rings.refuse(302, "Contact: <sip:999@192.0.2.100>;q=0.1, <sip:103@192.0.2.100>;q=0.7, <mailto:x@y>\r\n")
    invite = carl.rings.invite
    assert invite is not None and "reason=deflection" in (invite.get("Diversion") or "")
    carl.rings.refuse()


def test_a_redirection_in_a_circle_ends(office: Office) -> None:
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a = anna.dial("102")
    ben.rings.redirect("103")
    carl.rings.redirect("102")
    assert a.status == 482


def test_a_trunk_redirects_only_if_the_site_says_so(office: Office) -> None:
    anna, ben = office.telephone("101"), office.telephone("102")
    carrier, partner = office.carrier(), office.partner()
    a = anna.dial("0555")
    carrier.rings.redirect("102")
    assert a.status == 480 and not ben.talks
    anna.dial("9555")
    partner.rings.redirect("9777")
    invite = partner.rings.invite
    assert invite is not None and invite.uri.startswith("sip:9777@")
    partner.rings.refuse()


def test_feature_codes_are_for_phones(office: Office) -> None:
    ben = office.telephone("102")
    assert ben.dial("*72102").status == 484  # to himself
    assert office.saved == []


def test_transfer_to_a_phone_that_forwards(office: Office) -> None:
    anna, ben, carl, dora = (office.telephone(name) for name in ("101", "102", "103", "104"))
    carl.dial("*72104")
    a, b = talking(anna, ben)
    b.refer("103")
    d = dora.rings.answer()
    assert b.ended and office.hear_each_other(a, d)


def test_phones_of_a_lower_q_ring_later(office: Office) -> None:
    anna = office.telephone("101")
    desk = office.telephone("102", q=0.9)
    mobile = office.telephone("102", host="192.0.2.202", q=0.5)
    home = office.telephone("102", host="192.0.2.203", q=0.5)
    a = anna.dial("102")
    assert desk.is_ringing and not mobile.is_ringing
    desk.rings.refuse(480)
    assert mobile.is_ringing and home.is_ringing
    h = home.rings.answer()
    assert office.hear_each_other(a, h) and not mobile.is_ringing


def test_the_next_wave_rings_when_the_first_is_silent(office: Office) -> None:
    anna = office.telephone("101")
    desk = office.telephone("102", q=0.9)
    mobile = office.telephone("102", host="192.0.2.202", q=0.5)
    a = anna.dial("102")
    office.pass_time(31)
    assert not desk.is_ringing and mobile.is_ringing
    office.pass_time(31)
    assert a.status == 480 and not mobile.is_ringing


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_stand_over_the_site_and_can_be_taken_back(office: Office) -> None:
    settings = office.settings
    assert settings.view("107") == {
        "extension": "107", "dnd": False, "record": False, "forward_always": None, "forward_busy": None,
        "forward_no_answer": "extension 108", "forward_unregistered": None, "set": [],
    }  # fmt: skip
    settings.set("107", "forward-no-answer", "off")
    settings.set("107", "dnd", "on")
    assert settings.of("107").no_answer is None and settings.of("107").dnd
    assert settings.view("107")["set"] == ["dnd", "forward_no_answer"]
    again = PhoneSettings(office.site)
    again.restore((name, key, value) for name, key, value in office.saved if value is not None)
    assert again.of("107") == settings.of("107")
    settings.set("107", "forward-no-answer", None)
    settings.set("107", "dnd", None)
    assert str(settings.of("107").no_answer) == "extension 108" and settings.view("107")["set"] == []
    for extension, setting, value in (
        ("199", "dnd", "on"), ("107", "dnd", "maybe"), ("107", "colour", "red"), ("107", "forward-busy", "a/b"),
    ):  # fmt: skip
        with pytest.raises(BadSetting):
            settings.set(extension, setting, value)


def test_a_forward_must_lead_somewhere(office: Office) -> None:
    asked: list[tuple[str, str]] = []

    def leads(extension: str, number: str) -> bool:
        asked.append((extension, number))
        return number == "0612345678"

    settings = office.settings
    settings.leads = leads
    settings.set("107", "forward-always", "06 12 34 56 78")
    with pytest.raises(BadSetting, match="nothing at 9999"):
        settings.change("107", {"forward-always": "9999", "dnd": "on"})
    assert settings.view("107")["forward_always"] == "0612345678" and not settings.of("107").dnd
    settings.set("107", "forward-always", "off")
    assert asked == [("107", "0612345678"), ("107", "9999")]


def test_history_of_an_ipv6_peer() -> None:
    lines = invite_headers([Diversion("1 2", "no-answer")], "", "sip:3@[2001:db8::1]", "2001:db8::1")
    assert lines == (
        "Diversion: <sip:1%202@[2001:db8::1]>;reason=no-answer;counter=1\r\n"
        "History-Info: <sip:1%202@[2001:db8::1]>;index=1, <sip:3@[2001:db8::1];cause=408>;index=1.1;mp=1\r\n"
    )
