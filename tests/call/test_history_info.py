"""History-Info that came in goes on (RFC 7044)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.call.history_info import MOST, Entry, Forward, line, read

from .office import Office
from .test_transfer import office as office_fixture

office = office_fixture
CAME = (
    'History-Info: "Bob" <sip:bob@10.1.2.3:5070?Reason=SIP%3Bcause%3D302>;index=1,'
    " <sip:+33180000001@192.0.2.100;cause=302>;index=1.1;mp=1\r\n"
)


def history(office: Office, extension: str) -> str:
    invite = office.people[f"192.0.2.{extension}", 5060].rings.invite
    assert invite is not None
    return invite.get("History-Info") or ""


def test_passed_on_to_a_phone_with_our_entry(office: Office) -> None:
    office.telephone("101")
    a = office.carrier().dial("+33180000001", extra=CAME)
    assert history(office, "101") == (
        "<sip:bob@192.0.2.101>;index=1, <sip:+33180000001@192.0.2.101;cause=302>;index=1.1;mp=1,"
        " <sip:101@192.0.2.101:5060>;index=1.1.1;mp=1.1"
    )
    a.cancel()


def test_a_forward_of_ours_continues_it(office: Office) -> None:
    office.telephone("101").dial("*72102")
    office.telephone("102")
    office.pass_time(0.1)
    a = office.carrier().dial("+33180000001", extra=CAME)
    assert history(office, "102").endswith(
        ";index=1.1;mp=1, <sip:101@192.0.2.102>;index=1.1.1;mp=1.1,"
        " <sip:102@192.0.2.102:5060;cause=302>;index=1.1.1.1;mp=1.1.1"
    )
    a.cancel()


@pytest.mark.parametrize("whose", ["partner", "phone"])
def test_not_believed_of_anybody(office: Office, whose: str) -> None:
    office.telephone("101")
    a = office.partner().dial("+33180000001", extra=CAME) if whose == "partner" else (
        office.telephone("104").dial("101", extra=CAME)
    )  # fmt: skip
    assert history(office, "101") == ""
    a.cancel()


def forward_out(office: Office, number: str) -> None:
    office.telephone("101").dial(f"*72{number}")
    office.pass_time(0.1)


def test_a_trusted_trunk_gets_it_without_addresses(office: Office) -> None:
    forward_out(office, "0199")
    carrier = office.carrier()
    a = carrier.dial("+33180000001", extra=CAME.replace("bob@10.1.2.3:5070?", "bob@10.1.2.3:5070?Privacy=history&"))
    invite = carrier.rings.invite
    assert invite is not None
    said = invite.get("History-Info") or ""
    assert said.startswith("<sip:bob@198.51.100.1?Privacy=history>;index=1, ")
    assert "10.1.2.3" not in said and "192.0.2" not in said and said.count("index=") == 4
    a.cancel()


def test_any_other_trunk_gets_nothing(office: Office) -> None:
    forward_out(office, "9199")
    partner = office.partner()
    a = office.carrier().dial("+33180000001", extra=CAME)
    invite = partner.rings.invite
    assert invite is not None and invite.get("History-Info") is None
    a.cancel()


@pytest.mark.parametrize(
    ("extra", "names_bob"),
    [("", True), ("Privacy: history\r\n", False), ("Privacy: id;header\r\n", False), ("Privacy: none\r\n", True)],
)
def test_privacy_is_honoured_to_phones(office: Office, extra: str, names_bob: bool) -> None:
    office.telephone("101")
    a = office.carrier().dial("+33180000001", extra=CAME + extra)
    said = history(office, "101")
    assert ("bob" in said) == names_bob
    assert ("<sip:anonymous@anonymous.invalid>;index=1" in said) == (not names_bob)
    a.cancel()


def test_of_one_entry_alone() -> None:
    past = read([("History-Info", "<sip:1@h?Privacy=history>;index=1"), ("history-info", "<sip:2@h>;index=1.1;rc=1")])
    assert past == (Entry("1", "1", private=True), Entry("2", "1.1", mark=";rc=1"))
    assert line(past, [Forward("2", "user-busy")], "sip:3@h", "h", hide=True) == (
        "History-Info: <sip:anonymous@anonymous.invalid>;index=1, <sip:2@h>;index=1.1;rc=1,"
        " <sip:2@h>;index=1.1.1;rc=1.1, <sip:3@h;cause=486>;index=1.1.1.1;mp=1.1.1\r\n"
    )


def test_what_can_not_be_read_is_left_out_and_all_is_bounded() -> None:
    assert read([("History-Info", "<<,;, <sip:1@h>, <sip:2@h>;index=x, <sip:3@h>;index=1.2")]) == (Entry("3", "1.2"),)
    many = ", ".join(f"<sip:{n}@h>;index=1.{n}" for n in range(50))
    assert [entry.number for entry in read([("History-Info", many)])] == [str(n) for n in range(50 - MOST, 50)]


@given(st.text(max_size=200))
def test_no_text_is_too_much(text: str) -> None:
    assert "\n" not in line(read([("History-Info", text)]), [], "sip:1@h", "h", hide=False).removesuffix("\r\n")
