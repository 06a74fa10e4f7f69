"""The subscription of a REFER: its time, its refresh, its end (RFC 3515 2.4.4, RFC 6665 4.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx.sip.message import Request, Response

from .office import SITE, Office, Talk, Telephone
from .test_transfer import office, talking

__all__ = ["office"]


class Watcher(Telephone):
    """Keeps what it is told, and how its SUBSCRIBE is answered."""

    def _request(self, request: Request) -> None:
        if request.method == "NOTIFY":
            told.append((request.get("Subscription-State") or "", request.body.decode().strip()))
        super()._request(request)

    def _response(self, response: Response) -> None:
        if response.cseq_method in ("SUBSCRIBE", "OPTIONS"):
            answers.append(response)
        super()._response(response)


told: list[tuple[str, str]] = []
answers: list[Response] = []


@pytest.fixture(autouse=True)
def _empty() -> None:
    told.clear()
    answers.clear()


def transferring(office: Office) -> tuple[Talk, Talk, Telephone]:
    """102 gives 101 on to 103, who rings."""
    office.person = Watcher
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    b.refer("103")
    assert told == [("active;expires=180", "SIP/2.0 100 Trying"), ("active;expires=180", "SIP/2.0 180 Ringing")]
    told.clear()
    return a, b, carl


def test_it_counts_down(office: Office) -> None:
    office.person = Watcher
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    _, b = talking(anna, ben)
    carl.ring = lambda invite, tag: None  # type: ignore[method-assign]
    b.refer("103")
    office.pass_time(7)
    carl.rings.ring()
    assert [state for state, _ in told] == ["active;expires=180", "active;expires=173"]
    carl.rings.answer()
    assert told[-1] == ("terminated;reason=noresource", "SIP/2.0 200 OK")


def test_a_refresh_extends_it_and_tells(office: Office) -> None:
    _, b, carl = transferring(office)
    b.send("SUBSCRIBE", "Event: refer\r\nExpires: 600\r\n")
    assert [(one.status, one.get("Expires")) for one in answers] == [(200, "600")]
    assert told == [("active;expires=600", "SIP/2.0 180 Ringing")]
    carl.rings.answer()
    assert told[-1] == ("terminated;reason=noresource", "SIP/2.0 200 OK")


def test_expires_0_ends_it_but_not_the_transfer(office: Office) -> None:
    a, b, carl = transferring(office)
    b.send("SUBSCRIBE", "Event: refer\r\nExpires: 0\r\n")
    assert told == [("terminated;reason=timeout", "SIP/2.0 180 Ringing")]
    b.send("SUBSCRIBE", "Event: refer\r\nExpires: 60\r\n")
    assert [one.status for one in answers] == [200, 481]
    assert office.hear_each_other(a, carl.rings.answer()) and len(told) == 1


def test_its_time_is_over(office: Office) -> None:
    _, b, carl = transferring(office)
    b.send("SUBSCRIBE", "Event: refer\r\nExpires: 5\r\n")
    office.pass_time(6)
    assert told[1:] == [("terminated;reason=timeout", "SIP/2.0 180 Ringing")]
    carl.rings.answer()
    assert len(told) == 2


@pytest.mark.parametrize(("event", "status"), [("refer;id=77", 481), ("dialog", 489), ("", 489)])
def test_a_refresh_of_nothing(office: Office, event: str, status: int) -> None:
    _, b, carl = transferring(office)
    b.send("SUBSCRIBE", f"Event: {event}\r\nExpires: 60\r\n")
    assert [one.status for one in answers] == [status]
    if status == 489:
        assert answers[0].get("Allow-Events") == "refer"
    carl.rings.answer()


def test_the_second_refer_has_an_id(office: Office) -> None:
    a, b, carl = transferring(office)
    carl.rings.refuse()
    b.refer("103")
    b.send("SUBSCRIBE", f"Event: refer;id={b.cseq}\r\nExpires: 70\r\n")
    assert answers[-1].status == 200 and told[-1] == ("active;expires=70", "SIP/2.0 180 Ringing")
    assert office.hear_each_other(a, carl.rings.answer())


def test_a_refused_refer_made_none(office: Office) -> None:
    office.person = Watcher
    anna, ben = office.telephone("101"), office.telephone("102")
    _, b = talking(anna, ben)
    b.refer("55")
    b.send("SUBSCRIBE", "Event: refer\r\nExpires: 60\r\n")
    assert b.told == [404] and [one.status for one in answers] == [481] and not told


def test_options_name_the_package(office: Office) -> None:
    office.person = Watcher
    anna, ben = office.telephone("101"), office.telephone("102")
    a, _ = talking(anna, ben)
    a.send("OPTIONS")
    assert answers[0].get("Allow-Events") == "refer" and "SUBSCRIBE" in (answers[0].get("Allow") or "")


def test_refresh_in_a_dialog_of_its_own(tmp_path: Path) -> None:
    """RFC 4538."""
    office = Office(tmp_path, SITE)
    anna, ben, carl = (office.telephone(name) for name in ("101", "102", "103"))
    a, b = talking(anna, ben)
    server, own = b.tags
    text = (
        "{method} sip:102@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch={branch}\r\nMax-Forwards: 70\r\n"
        "From: <sip:102@192.0.2.100>;tag=o1\r\nTo: <sip:102@192.0.2.100>{to}\r\nCall-ID: out\r\n"
        "CSeq: {cseq} {method}\r\nContact: <sip:102@{host}:5060>\r\n{extra}Content-Length: 0\r\n\r\n"
    )
    named = f"Refer-To: <sip:103@192.0.2.100>\r\nTarget-Dialog: {b.call_id};local-tag={own};remote-tag={server}\r\n"

    def send(method: str, cseq: int, to: str, extra: str) -> None:
        ben.send(text.format(method=method, host=ben.host, branch=ben.branch(), to=to, cseq=cseq, extra=extra))

    send("REFER", 1, "", named)
    tag = ben.response(202).to_tag
    ben.answer(ben.request("NOTIFY"), 200)
    office.run(3)
    send("SUBSCRIBE", 2, f";tag={tag}", "Event: refer\r\nExpires: 60\r\n")
    assert ben.response(200).get("Expires") == "60"
    told = ben.request("NOTIFY")
    assert told.get("Subscription-State") == "active;expires=60"
    ben.answer(told, 200)
    send("INFO", 3, f";tag={tag}", "")
    ben.response(405)
    send("SUBSCRIBE", 4, f";tag={tag}", "Event: refer\r\nExpires: 0\r\n")
    ben.response(200)
    told = ben.request("NOTIFY")
    assert told.get("Subscription-State") == "terminated;reason=timeout"
    ben.answer(told, 200)
    send("SUBSCRIBE", 5, f";tag={tag}", "Event: refer\r\nExpires: 60\r\n")
    ben.response(481)
    office.settle()
    c = carl.rings.answer()
    assert office.hear_each_other(a, c)
    c.bye()
    office.pass_time(40)
    assert office.leaks() == {} and office.switch.dialogs == 0
