"""Dialogs (RFC 3261 12): tags, CSeq, route set, target, and where a request goes."""

from __future__ import annotations

import pytest

from pbx.sip.dialog import Dialog, hop_of, is_ip, is_private
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse

HOP = Hop("udp", "198.51.100.7", 5062, 1)
TCP = Hop("tcp", "198.51.100.7", 40001)
CONTACT = "<sip:plateau@192.0.2.100:5060>"


def invite(*, contact: str | None = "<sip:bob@198.51.100.7:5062>", routes: str = "", to: str = "<sip:100@pbx>",
           cseq: int = 5, caller: str = "Bob <sip:bob@example.com>;tag=bt") -> Request:  # fmt: skip
    line = "" if contact is None else f"Contact: {contact}\r\n"
    message = parse(
        f"INVITE sip:100@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n{routes}"
        f"From: {caller}\r\nTo: {to}\r\nCall-ID: cid\r\nCSeq: {cseq} INVITE\r\n{line}Content-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Request)
    return message


def ok(*, contact: str = "Contact: <sip:bob@198.51.100.7:5062>\r\n", routes: str = "", tag: str = "bt") -> Response:
    message = parse(
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bK1\r\n{routes}"
        f"From: <sip:100@192.0.2.100>;tag=us\r\nTo: <sip:bob@example.com>;tag={tag}\r\nCall-ID: cid\r\n"
        f"CSeq: 1 INVITE\r\n{contact}Content-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Response)
    return message


def called(request: Request | None = None, hop: Hop = HOP) -> Dialog:
    return Dialog.of_request(request or invite(), "us", CONTACT, hop)


def calling(target: str = "sip:bob@198.51.100.7", routes: tuple[str, ...] = (), hop: Hop = HOP) -> Dialog:
    return Dialog("cid", "<sip:100@192.0.2.100>;tag=us", f"<{target}>", "us", None, target, CONTACT, hop, routes)


def sent(dialog: Dialog, method: str = "BYE", **options: str) -> Request:
    via = "SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKx"
    message = parse(dialog.request(method, dialog.next_cseq(), via, **options))
    assert isinstance(message, Request)
    return message


# --- UAS -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "uri"), [("198.51.100.7", "198.51.100.7:5062"), ("fe80::1%eth0", "[fe80::1]:5062")])
def test_who_tells_no_address_is_where_his_request_came_from(host: str, uri: str) -> None:
    """Neither Contact nor From could be a Request-URI."""
    dialog = called(invite(contact="bob at home", caller="<sip:bob:65536>;tag=bt"), Hop("udp", host, 5062))
    assert sent(dialog).uri == f"sip:{uri}"


def test_the_side_that_was_called() -> None:
    """RFC 3261 12.1.1, 12.2.1.1."""
    bye = sent(called(invite(routes="Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n")))
    assert bye.uri == "sip:bob@198.51.100.7:5062"
    assert bye.get("From") == "<sip:100@pbx>;tag=us"
    assert bye.get("To") == "Bob <sip:bob@example.com>;tag=bt"
    assert (bye.call_id, bye.cseq, bye.get("Max-Forwards")) == ("cid", 1, "70")
    assert bye.all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]
    assert bye.get("Contact") is None  # 20, table 2: not applicable
    assert sent(called(), "INVITE").get("Contact") == CONTACT


def test_a_peer_without_tag() -> None:
    """RFC 3261 12.1.1: RFC 2543 peers have none, and it is no error."""
    dialog = called(invite(caller="<sip:old@198.51.100.7>"))
    assert dialog.remote_tag is None
    assert sent(dialog).get("To") == "<sip:old@198.51.100.7>"
    assert dialog.belongs(invite(caller="<sip:old@198.51.100.7>"))


@pytest.mark.parametrize("contact", [None, "", "*", "garbage", "<sip:a b@c>", "<sip:bob@example.com", '"x'])
def test_without_a_contact_to_go_by_from_is_the_target(contact: str | None) -> None:
    assert sent(called(invite(contact=contact))).uri == "sip:bob@example.com"


def test_headers_in_a_contact_are_not_acted_on() -> None:
    """RFC 3261 19.1.5."""
    contact = "<sip:a?b@198.51.100.7;x=y?Route=%3Csip:evil%3E>"
    assert sent(called(invite(contact=contact))).uri == "sip:a?b@198.51.100.7;x=y"


def test_whose_message_is_it() -> None:
    dialog = called()
    assert dialog.belongs(invite())
    assert not dialog.belongs(invite(caller="<sip:bob@example.com>;tag=other"))
    dialog.call_id = "other"
    assert not dialog.belongs(invite())


# --- UAC -----------------------------------------------------------------------------------------------------------


def test_the_side_that_called() -> None:
    """RFC 3261 12.1.2: the route set is the Record-Route backwards."""
    dialog = calling()
    dialog.next_cseq()
    dialog.establish(ok(routes="Record-Route: <sip:p3;lr>\r\nRecord-Route: <sip:p2;lr>, <sip:p1;lr>\r\n"), HOP)
    bye = sent(dialog)
    assert bye.all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]
    assert (bye.uri, bye.to_tag, bye.from_tag, bye.cseq) == ("sip:bob@198.51.100.7:5062", "bt", "us", 2)


def test_the_2xx_has_the_last_word_on_the_route() -> None:
    """RFC 3261 13.2.2.4: whatever the INVITE was preloaded with, and whatever a 18x said."""
    dialog = calling(routes=("<sip:preloaded;lr>",))
    assert sent(dialog).all("Route") == ["<sip:preloaded;lr>"]
    dialog.establish(ok(), HOP)
    assert sent(dialog).all("Route") == []
    dialog.establish(ok(routes="Record-Route: <sip:p;lr>\r\n"), HOP)
    assert sent(dialog).all("Route") == ["<sip:p;lr>"]


def test_a_2xx_without_contact_leaves_the_target() -> None:
    dialog = calling()
    dialog.establish(ok(contact=""), HOP)
    assert sent(dialog).uri == "sip:bob@198.51.100.7"
    dialog.establish(ok(contact="Contact: nonsense here\r\n"), HOP)
    assert sent(dialog).uri == "sip:bob@198.51.100.7"


def test_a_strict_router_is_addressed_itself() -> None:
    """RFC 3261 12.2.1.1: no `lr`, so it goes into the Request-URI and the target to the end of the route."""
    dialog = calling()
    dialog.establish(ok(routes="Record-Route: <sip:p2;lr>, <sip:203.0.113.1:5070>\r\n"), HOP)
    bye = sent(dialog)
    assert bye.uri == "sip:203.0.113.1:5070"
    assert bye.all("Route") == ["<sip:p2;lr>", "<sip:bob@198.51.100.7:5062>"]
    assert dialog.next_hop() == Hop("udp", "203.0.113.1", 5070, 1)


def test_headers_of_a_strict_router_are_left_out_of_the_request_uri() -> None:
    """RFC 3261 12.2.1.1, 19.1.1."""
    dialog = calling()
    dialog.establish(ok(routes="Record-Route: <sip:203.0.113.1?Subject=x>\r\n"), HOP)
    assert sent(dialog).uri == "sip:203.0.113.1"


@pytest.mark.parametrize("host", ["[fe80::1%25eth0]", "[::1]x", "h:x", "2001:db8::1"])
def test_a_contact_whose_host_cant_be_read_is_no_target(host: str) -> None:
    assert sent(called(invite(contact=f"<sip:a@{host}>"))).uri == "sip:bob@example.com"


@pytest.mark.parametrize("route", ["<sip:p;lr>", "<sip:p;lr=on>", "<sip:p;LR;x>", "<sip:p>;lr", "<sip:p;x=y;lr;z>"])
def test_loose_routers(route: str) -> None:
    dialog = calling(routes=(route,))
    assert sent(dialog).uri == "sip:bob@198.51.100.7" and sent(dialog).all("Route") == [route]


@pytest.mark.parametrize("bad", ["<sip:[:\\", "", "x", "<>", "<sip:p;lr", '"'])
def test_a_route_that_cant_be_read_is_none(bad: str) -> None:
    routes = f"Record-Route: <sip:203.0.113.1;lr>\r\nRecord-Route: {bad}\r\n"
    dialog = calling()
    dialog.establish(ok(routes=routes), HOP)
    for one in (dialog, called(invite(routes=routes))):
        assert sent(one).all("Route") == ["<sip:203.0.113.1;lr>"] and one.next_hop().host == "203.0.113.1"


# --- in the dialog -------------------------------------------------------------------------------------------------


def test_order_of_requests() -> None:
    """RFC 3261 12.2.2: lower or equal is out of order; gaps are not."""
    dialog = called(invite(cseq=5))
    assert [dialog.accepts(invite(cseq=cseq)) for cseq in (5, 4, 6, 6, 100, 99, 101)] == [
        False,
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_the_first_request_of_a_peer_we_called_may_have_any_number() -> None:
    """RFC 3261 12.1.2: the remote sequence number is empty."""
    for first in (0, 1, 2**31 - 1):
        dialog = calling()
        assert dialog.accepts(invite(cseq=first)) and not dialog.accepts(invite(cseq=first))


def test_ours_go_up_by_one() -> None:
    dialog = calling()
    assert [sent(dialog).cseq for _ in range(3)] == [1, 2, 3]


def test_target_refresh() -> None:
    """RFC 3261 12.2: a re-INVITE may move the target, never the route set."""
    dialog = called(invite(routes="Record-Route: <sip:p;lr>\r\n"))
    sent(dialog)
    dialog.refresh(invite(contact="<sip:bob@203.0.113.9:7000>", routes="Record-Route: <sip:other;lr>\r\n"), TCP)
    bye = sent(dialog)
    assert bye.uri == "sip:bob@203.0.113.9:7000" and bye.all("Route") == ["<sip:p;lr>"]
    assert dialog.hop == TCP


def test_headers_and_body() -> None:
    again = sent(calling(), "INVITE", headers="Content-Type: text/plain\r\n", body="été")
    assert (again.get("Content-Type"), again.body) == ("text/plain", "été".encode())


# --- where to ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "hop"),
    [
        ("<sip:b@198.51.100.7>", Hop("udp", "198.51.100.7", 5060, 1)),
        ("<sip:b@198.51.100.7:7000>", Hop("udp", "198.51.100.7", 7000, 1)),
        ("<sip:b@203.0.113.5:7000>", Hop("udp", "203.0.113.5", 7000, 1)),
        ("<sip:b@203.0.113.5;transport=TCP>", Hop("tcp", "203.0.113.5", 5060, 0)),
        ("<sip:b@[2001:DB8:0::1]:7000>", Hop("udp", "2001:db8::1", 7000, 1)),
        ("<sip:b@phone.local>", HOP),  # a name
        ("<sip:b@192.168.1.5>", HOP),  # behind NAT
        ("<sip:b@10.0.0.5:5060>", HOP),
        ("<sip:b@203.0.113.5;transport=tls>", Hop("tls", "203.0.113.5", 5061)),
        ("<sips:b@203.0.113.5>", Hop("tls", "203.0.113.5", 5061)),
        ("<sips:b@203.0.113.5:5071;transport=tcp>", Hop("tls", "203.0.113.5", 5071)),
        ("<sip:b@203.0.113.5;transport=ws>", HOP),  # a browser has no port to call
        ("<sip:b@203.0.113.5;transport=sctp>", HOP),  # not spoken
        ("<sip:b@203.0.113.999>", HOP),  # neither an address nor to be asked of the name service
        ("<sip:b@203.0.113.5:0>", HOP),
        ("<sip:b@203.0.113.5:99999>", HOP),
        ("<sip:b@[::1>", HOP),
        ("<sip:b@[1:2:3]>", HOP),
        ("<tel:+33180000001>", HOP),
        ("<sip:>", HOP),
    ],
)
def test_next_hop(contact: str, hop: Hop) -> None:
    assert called(invite(contact=contact)).next_hop() == hop


def test_a_private_contact_is_right_within_the_private_network() -> None:
    here = Hop("udp", "192.168.1.1", 5060)
    assert called(invite(contact="<sip:b@192.168.1.5>"), here).next_hop() == Hop("udp", "192.168.1.5", 5060)


def test_the_first_route_goes_before_the_contact() -> None:
    routed = invite(routes="Record-Route: <sip:203.0.113.1:5070;lr>, <sip:203.0.113.2;lr>\r\n")
    assert called(routed).next_hop() == Hop("udp", "203.0.113.1", 5070, 1)


def test_a_stream_is_kept_to() -> None:
    """RFC 5923: whatever Contact and route say, the connection is there."""
    assert called(invite(contact="<sip:b@203.0.113.5>"), TCP).next_hop() == TCP


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("192.0.2.1", True),
        ("255.255.255.255", True),
        ("::1", True),
        ("2001:db8::1", True),
        ("192.0.2", False),
        ("1.2.3.4.5", False),
        ("192.0.2.256", False),
        ("192.0.2.a", False),
        ("example.com", False),
        ("", False),
        ("...", False),
        ("١.1.1.1", False),
        ("1:2:3", False),
        ("::g", False),
        ("01.2.3.4", False),
        (" 1.2.3.4", False),
    ],
)
def test_is_ip(host: str, found: bool) -> None:
    assert is_ip(host) is found


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("172.31.255.1", True),
        ("172.32.0.1", False),
        ("172.15.0.1", False),
        ("192.168.0.1", True),
        ("169.254.1.1", True),
        ("100.64.0.1", True),
        ("100.128.0.1", False),
        ("fe80::1", True),
        ("fd00::1", True),
        ("127.0.0.1", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("::1", False),
    ],
)
def test_is_private(host: str, found: bool) -> None:
    assert is_private(host) is found


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "224.0.1.75", "[ff02::1]",
             "255.255.255.255"],
)  # fmt: skip
@pytest.mark.parametrize("heard", ["203.0.113.5", "192.168.1.5", "2001:db8::5"])
def test_nobody_has_us_speak_to_ourselves_or_to_many(host: str, heard: str) -> None:
    """A Contact there would send what a peer wrote to services of this host that trust it, or multiply it."""
    there = Hop("udp", heard, 5062)
    for uri in (f"sip:a@{host}:6379;transport=tcp", f"sip:{host}"):
        assert hop_of(uri, there) == there
    assert hop_of("sip:name.example", there, lambda uri: (Hop("tcp", host.strip("[]"), 6379),)) == there


def test_neighbours_on_one_host() -> None:
    assert hop_of("sip:127.0.0.1:5090", Hop("udp", "127.0.0.1", 5062)).port == 5090
    assert hop_of("sip:127.0.0.2:5090", Hop("udp", "127.0.0.1", 5062)).host == "127.0.0.2"


def test_hop_of_the_same_host_keeps_the_listener_of_its_transport() -> None:
    assert hop_of("sip:a@198.51.100.7", HOP).listener == 1
    assert hop_of("sip:a@198.51.100.7;transport=tcp", HOP).listener == 0


@pytest.mark.parametrize(
    ("hops", "heard", "then"),
    [
        (None, "198.51.100.7", "198.51.100.7"),  # not known yet: where it was heard from
        ((), "198.51.100.7", "198.51.100.7"),
        (("203.0.113.1", "203.0.113.2"), "198.51.100.7", "203.0.113.1"),
        (("203.0.113.1", "203.0.113.2"), "203.0.113.2", "203.0.113.2"),  # the dialog stays with its server
        (("192.168.1.5",), "198.51.100.7", "198.51.100.7"),  # behind NAT
        (("192.168.1.5",), "10.0.0.1", "192.168.1.5"),
    ],
)
def test_a_name_in_a_dialog(hops: tuple[str, ...] | None, heard: str, then: str) -> None:
    asked: list[str] = []

    def lead(uri: str) -> tuple[Hop, ...] | None:
        asked.append(uri)
        return None if hops is None else tuple(Hop("udp", host, 5060) for host in hops)

    assert hop_of("sip:a@proxy.example;lr", Hop("udp", heard, 5060), lead) == Hop("udp", then, 5060)
    assert asked == ["sip:a@proxy.example;lr"]
    assert hop_of("sip:203.0.113.9", Hop("udp", heard, 5060), lead).host == "203.0.113.9" and len(asked) == 1
