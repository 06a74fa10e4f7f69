"""Messages: RFC 3261 7, 8.2.6, 18.3, 20. What is written comes back, and nothing a peer can send raises anything but
SipError."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.errors import BadMessage, BadResponse, SipError
from pbx.sip.headers import CANONICAL, COMPACT, KNOWN, canonical
from pbx.sip.message import MAX_BODY_BYTES, MAX_HEAD_BYTES, REASONS, Request, Response, parse, respond
from pbx.sip.via import Via, via_stamp

PROFILE = settings(max_examples=200)

INVITE = (
    "INVITE sip:+33180000001@192.0.2.100 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKnashds8;rport\r\n"
    "Max-Forwards: 70\r\n"
    'From: "Anna Martin" <sip:anna@example.com>;tag=a73kszlfl\r\n'
    "To: <sip:+33180000001@example.com>\r\n"
    "Call-ID: 3848276298220188511@192.0.2.1\r\n"
    "CSeq: 314 INVITE\r\n"
    "Contact: <sip:anna@192.0.2.1:5062>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 4\r\n\r\nv=0\r"
)
OK = (
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bKours\r\nFrom: <sip:a@192.0.2.100>;tag=1\r\n"
    "To: <sip:b@192.0.2.2>;tag=2\r\nCall-ID: c2\r\nCSeq: 7 INVITE\r\n"
    "Contact: <sip:b@192.0.2.2>\r\nContent-Length: 0\r\n\r\n"
)


def request(text: str) -> Request:
    message = parse(text.encode("utf-8", "surrogateescape"))
    assert isinstance(message, Request)
    return message


def changed(old: str, new: str, text: str = INVITE) -> str:
    assert old in text
    return text.replace(old, new)


def status_of(text: str) -> int | None:
    """The status that a malformed request is refused with, 0 if it is well-formed."""
    try:
        parse(text.encode("utf-8", "surrogateescape"))
    except SipError as error:
        return error.status
    return 0


# --- what is read --------------------------------------------------------------------------------------------------


def test_a_request() -> None:
    message = request(INVITE)
    assert (message.method, message.uri) == ("INVITE", "sip:+33180000001@192.0.2.100")
    assert (message.call_id, message.cseq, message.cseq_method) == ("3848276298220188511@192.0.2.1", 314, "INVITE")
    assert (message.from_tag, message.to_tag, message.branch) == ("a73kszlfl", None, "z9hG4bKnashds8")
    assert message.via == "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKnashds8;rport"
    assert message.get("Max-Forwards") == "70" and message.get("Nothing") is None
    assert message.body == b"v=0\r"


def test_a_response() -> None:
    message = parse(OK.encode())
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.branch, message.to_tag) == (200, "OK", "z9hG4bKours", "2")


@pytest.mark.parametrize("version", ["SIP/2.0", "sip/2.0", "Sip/2.0"])
def test_the_version_ignores_case(version: str) -> None:
    """RFC 3261 7.1."""
    assert request(changed(" SIP/2.0\r\nVia", f" {version}\r\nVia")).method == "INVITE"
    assert isinstance(parse(changed("SIP/2.0 200", f"{version} 200", OK).encode()), Response)


def test_empty_lines_before_a_message() -> None:
    """RFC 3261 7.5."""
    for blank in ("\r\n", "\r\n\r\n", "\n", "\r\n" * 7):
        assert request(blank + INVITE).body == b"v=0\r"


def test_line_ends_without_cr() -> None:
    message = request(changed("Content-Length: 4\r\n", "", INVITE).replace("\r\n", "\n"))
    assert message.get("To") == "<sip:+33180000001@example.com>" and message.call_id == "3848276298220188511@192.0.2.1"


@pytest.mark.parametrize(
    "where", ["To: <sip:x@y>\rX: y", "Subject: a\rVia: SIP/2.0/UDP 192.0.2.9", "\rSubject: a", "Subject\r: a"]
)
def test_a_cr_that_ends_no_line_is_refused(where: str) -> None:
    """It would be a line end to somebody else: a header that we did not see."""
    assert status_of(changed("Max-Forwards: 70", where)) == 400


@pytest.mark.parametrize(
    "lines",
    ["Subject:a", "Subject:\ta \t", "Subject : a", "Subject\t:  a", "Subject:\r\n a", "s: a", "S:a", "sUBJECT: a"],
)
def test_white_space_and_case_of_a_header(lines: str) -> None:
    message = request(changed("Max-Forwards: 70", lines))
    assert message.get("Subject") == "a"


@pytest.mark.parametrize("folded", ["one\r\n two", "one\r\n\t\ttwo", "one  \r\n   two", "\r\n one\r\n two"])
def test_folding(folded: str) -> None:
    """RFC 3261 7.3.1: a line end and white space count as one space."""
    value = request(changed("Max-Forwards: 70", f"Subject: {folded}")).get("Subject")
    assert value is not None and value.split() == ["one", "two"]


@pytest.mark.parametrize("line", ["Subject", ": a", " : a", "Sub ject: a", "Sujét: a", "Sub(ject: a", "Via"])
def test_what_is_no_header(line: str) -> None:
    assert status_of(changed("Max-Forwards: 70", f"Max-Forwards: 70\r\n{line}")) == 400


def test_an_empty_header_is_one() -> None:
    message = request(changed("Max-Forwards: 70", "Subject:\r\nX-Empty: "))
    assert message.get("Subject") == "" and ("X-Empty", "") in message.headers


@pytest.mark.parametrize(("short", "name"), COMPACT.items())
def test_compact_forms(short: str, name: str) -> None:
    assert canonical(short) == canonical(short.upper()) == canonical(name.upper()) == name
    assert CANONICAL[short] == name


@pytest.mark.parametrize("name", KNOWN)
def test_spellings(name: str) -> None:
    assert {canonical(name.lower()), canonical(name.upper()), canonical(name.swapcase()), canonical(name)} == {name}


def test_headers_that_nobody_knows_are_kept_as_they_came() -> None:
    message = request(changed("Max-Forwards: 70", "X-b: 1\r\nx-B: 2\r\nP-Charging: a,b\r\nX-b: 3"))
    names = [name for name, _ in message.headers]
    assert names[:6] == ["Via", "X-b", "x-B", "P-Charging", "X-b", "From"]
    assert message.all("X-b") == ["1", "3"] and message.get("X-b") == "1"


def test_several_values() -> None:
    """RFC 3261 7.3.1: lines and commas are the same, but not in quotes or brackets."""
    routes = 'Route: <sip:a,b@192.0.2.7;lr>, "x, y" <sip:c@d;lr>\r\nMax-Forwards: 70\r\nRoute: <sip:e>'
    message = request(changed("Max-Forwards: 70", routes))
    assert message.values("Route") == ["<sip:a,b@192.0.2.7;lr>", '"x, y" <sip:c@d;lr>', "<sip:e>"]
    assert len(message.all("Route")) == 2 and message.values("Nothing") == []


@pytest.mark.parametrize("via", ["{},{}", "{} , {}", "{}\r\nVia: {}", "{},\r\n {}", "{}\r\nv:{}"])
def test_the_topmost_via(via: str) -> None:
    first, second = "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa", "SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKb"
    text = changed("SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKnashds8;rport", via.format(first, second))
    message = request(text)
    assert (message.via, message.branch) == (first, "z9hG4bKa")
    assert message.values("Via") == [first, second]


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_what_must_be_there(name: str) -> None:
    line = re.search(rf"^{name}: .*\r\n", INVITE, re.M)
    assert line is not None
    assert status_of(changed(line[0], "")) == 400
    assert status_of(changed(line[0], f"{name}: \r\n")) == 400


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type"])
def test_what_may_stand_once(name: str) -> None:
    line = re.search(rf"^{name}: .*\r\n", INVITE, re.M)
    assert line is not None
    assert status_of(changed(line[0], line[0] + line[0].replace(name, name.lower()))) == 400


@pytest.mark.parametrize(
    "start",
    [
        "INVITE sip:a@b",
        "INVITE  sip:a@b SIP/2.0",
        "INVITE sip:a@b  SIP/2.0",
        "INVITE sip:a@b SIP/2.0 ",
        "INVITE <sip:a@b> SIP/2.0",
        "INVITE sip:a b@c SIP/2.0",
        "INVITE sip:a\x00@b SIP/2.0",
        "INVITE sip:a@b?Route=x SIP/2.0",
        "INVITE sip:a@b\tSIP/2.0",
        'INVITE sip:"a"@b SIP/2.0',
    ],
)
def test_start_lines_that_are_none(start: str) -> None:
    assert status_of(changed("INVITE sip:+33180000001@192.0.2.100 SIP/2.0", start)) in (400, None)


@pytest.mark.parametrize("start", ["GET / HTTP/1.1", "", "INVITE", "IN(VITE sip:a@b SIP/2.0", "\x16\x03\x01 x SIP/2.0"])
def test_what_is_not_sip_is_not_answered(start: str) -> None:
    assert status_of(changed("INVITE sip:+33180000001@192.0.2.100 SIP/2.0", start)) is None


@pytest.mark.parametrize("version", ["SIP/1.0", "SIP/2.1", "SIP/3.0", "SIP/20"])
def test_other_versions(version: str) -> None:
    assert status_of(changed("SIP/2.0\r\nVia", f"{version}\r\nVia")) == 505


@pytest.mark.parametrize(
    "cseq",
    [
        "314",
        "INVITE",
        "314INVITE",
        "-1 INVITE",
        "2147483648 INVITE",
        "99999999999 INVITE",
        "314 BYE",
        "314 INVITE x",
        "٣١٤ INVITE",
        "314 invite",
    ],
)
def test_bad_cseq(cseq: str) -> None:
    assert status_of(changed("314 INVITE", cseq)) == 400


#: Digits that `str.isdigit` knows and `int` does not, or that `int` reads and SIP does not have, or too many of them.
NO_NUMBERS = ["", "-1", "+1", "0x1", "1 1", "1.0", "²", "٣", "1_0", "9" * 5000, "1" * 21]


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("name", ["Content-Length: 4", "Max-Forwards: 70"])
def test_bad_numbers(name: str, text: str) -> None:
    assert status_of(changed(name, f"{name.partition(' ')[0]} {text}")) == 400


def test_max_forwards_is_at_most_255() -> None:
    assert status_of(changed("Max-Forwards: 70", "Max-Forwards: 0255")) == 0
    assert status_of(changed("Max-Forwards: 70", "Max-Forwards: 256")) == 400


@pytest.mark.parametrize("port", ["0", "65536", "99999", "123456"])
def test_a_port_out_of_range_in_via(port: str) -> None:
    assert status_of(changed("192.0.2.1:5062;branch", f"192.0.2.1:{port};branch")) == 400


@pytest.mark.parametrize("port", ["1", "9999", "10000", "59999", "60000", "64999", "65000", "65535"])
def test_a_port_in_via(port: str) -> None:
    assert request(changed("192.0.2.1:5062;branch", f"192.0.2.1:{port};branch")).branch == "z9hG4bKnashds8"


@pytest.mark.parametrize("via", ["\x1f", "\u2028", "\u0085", ",", " ,\xa0"])
def test_a_via_of_nothing_but_what_unicode_calls_space(via: str) -> None:
    assert status_of(re.sub("Via: .*\r\n", f"Via: {via}\r\n", INVITE)) == 400


@pytest.mark.parametrize("host", ["192.0..2", "-h", "h-", ".", "h..", "h-.d"])
def test_a_host_that_is_none_in_via(host: str) -> None:
    assert status_of(changed("192.0.2.1:5062;branch", f"{host}:5062;branch")) == 400


@pytest.mark.parametrize("more", [";received=192.0.2.7", ";RPORT", ";rport;rport=1"])
@pytest.mark.parametrize("mark", ["@", "|"])
def test_marks_that_some_peers_use_in_a_branch(mark: str, more: str) -> None:
    """Read as a usual Via or the long way: both must take it, and give it back as it was."""
    message = request(changed("nashds8;rport", f"nash{mark}ds8{more}"))
    assert message.branch == Via.parse(message.via).branch == f"z9hG4bKnash{mark}ds8"
    assert f";branch=z9hG4bKnash{mark}ds8" in via_stamp(message.via, "192.0.2.9", 5060)


@pytest.mark.parametrize("octet", ["\x00", "\x1c", "\x1f", "\x7f"])
def test_a_control_character_in_the_uri_of_from(octet: str) -> None:
    """It would become the target of our requests when there is no Contact."""
    assert status_of(changed("anna@example", f"anna@ex{octet}ample")) == 400


@pytest.mark.parametrize("name", ['"\x00"', '"a\x1fb"', '"\x7f"', '"a', '"a""', 'a"b"', "a,b"])
def test_display_names_that_are_none(name: str) -> None:
    assert status_of(changed('"Anna Martin"', name)) == 400


def test_a_bad_request_comes_with_what_was_read_of_it() -> None:
    with pytest.raises(BadMessage) as caught:
        parse(changed("CSeq: 314 INVITE\r\n", "").encode())
    assert isinstance(caught.value.message, Request)
    assert caught.value.message.get("Call-ID") == "3848276298220188511@192.0.2.1"


@pytest.mark.parametrize(
    "line", ["SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0 2000 x", "SIP/2.0 ٢٠٠ x", "SIP/2.1 200 OK", "SIP/2.0 OK"]
)
def test_malformed_responses_have_no_status_to_answer(line: str) -> None:
    with pytest.raises(BadResponse):
        parse(changed("SIP/2.0 200 OK", line, OK).encode())
    assert status_of(changed("CSeq: 7 INVITE\r\n", "", OK)) is None


# --- bodies --------------------------------------------------------------------------------------------------------


def test_octets_after_the_body_are_ignored() -> None:
    assert request(INVITE + "more").body == b"v=0\r"


def test_without_content_length_a_datagram_is_all_body() -> None:
    assert request(changed("Content-Length: 4\r\n", "") + "x").body == b"v=0\rx"


def test_a_body_that_is_not_all_there() -> None:
    assert status_of(changed("Content-Length: 4", "Content-Length: 5")) == 400


def test_a_body_too_large() -> None:
    assert status_of(changed("Content-Length: 4", f"Content-Length: {MAX_BODY_BYTES + 1}")) == 413
    largest = "x" * MAX_BODY_BYTES
    assert (
        len(request(changed("Content-Length: 4\r\n\r\nv=0\r", f"l: {MAX_BODY_BYTES}\r\n\r\n{largest}")).body)
        == MAX_BODY_BYTES
    )


def test_a_head_too_large_is_dropped() -> None:
    assert status_of(changed("Max-Forwards: 70", "X: " + "y" * MAX_HEAD_BYTES)) is None


def test_a_body_may_be_any_octets() -> None:
    body = bytes(range(256)) + b"\r\n\r\n" + bytes(range(255, -1, -1))
    head = changed("Content-Length: 4\r\n\r\nv=0\r", f"Content-Length: {len(body)}\r\n\r\n").encode()
    assert parse(head + body).body == body


# --- cost ----------------------------------------------------------------------------------------------------------

HOSTILE: dict[str, Callable[[int], str]] = {
    "spaces in a value": lambda n: "X: a" + " " * n + "b",
    "tabs after a name": lambda n: "X" + "\t" * n + "b",
    "folds": lambda n: "X: a" + "\r\n \t" * (n // 4) + "b",
    "quotes in From": lambda n: 'From: "' + '\\"' * (n // 2),
    "brackets in From": lambda n: "From: a" + " a" * (n // 2) + "<sip:",
    "parameters in From": lambda n: "From: <sip:a@b>" + ";a=b" * (n // 4) + ";",
    "URI in From": lambda n: "From: <sip:" + "%41" * (n // 3) + "\x01@b>",
    "tokens in To": lambda n: "To: " + "a " * (n // 2) + ">",
    "commas in Via": lambda n: "Via: SIP/2.0/UDP h" + "," * n,
    "parameters in Via": lambda n: "Via: SIP/2.0/UDP h" + ";a=b" * (n // 4) + " ;",
    "space in Via": lambda n: "Via: SIP" + " " * n + "/2.0/UDP h",
    "host in Via": lambda n: "Via: SIP/2.0/UDP " + "a-" * (n // 2),
    "digits in CSeq": lambda n: "CSeq: " + "1" * n,
    "space in CSeq": lambda n: "CSeq: 1" + " " * n + "\x01",
    "lines": lambda n: "a:\r\n" * (n // 4) + "b:",
    "names": lambda n: "".join(f"h{i}:\r\n" for i in range(n // 8)) + "b:",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_head_costs_no_more_than_its_length(kind: str) -> None:
    """60 kB that made any part of the parser quadratic would take minutes."""
    line = HOSTILE[kind](60_000)
    text = re.sub(rf"^{line.partition(':')[0]}: .*\r\n", "", INVITE, flags=re.M)
    started = time.process_time()
    status_of(text.replace("Max-Forwards: 70", line))
    assert time.process_time() - started < 0.5


# --- properties ----------------------------------------------------------------------------------------------------

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="\x7f,"), min_size=1, max_size=12
)
UNKNOWN = st.tuples(TOKENS.map(lambda name: f"X-{name}"), st.lists(WORDS, max_size=3).map(" ".join))
NAMES = st.sampled_from(["User-Agent", "Subject", "Supported", "Event", "Refer-To", "Organization"])
HEADERS = st.lists(st.one_of(UNKNOWN, st.tuples(NAMES, WORDS)), max_size=6)
SPELLINGS: st.SearchStrategy[Callable[[str], str]] = st.sampled_from([str.lower, str.upper, str.swapcase, str.title])
SHORT = {name: short for short, name in COMPACT.items()}


@st.composite
def written(draw: st.DrawFn) -> tuple[list[tuple[str, str]], bytes, str]:
    """Headers as they are meant, a body, and one way to write them."""
    method, branch, tag = draw(st.sampled_from(["INVITE", "BYE", "X-NEW"])), draw(TOKENS), draw(TOKENS)
    body = draw(st.binary(max_size=30))
    headers = [
        ("Via", f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}"), ("From", f"<sip:a@b>;tag={tag}"), ("To", "<sip:c@d>"),
        ("Call-ID", draw(WORDS)), ("CSeq", f"{draw(st.integers(0, 2**31 - 1))} {method}"),
        ("Content-Length", str(len(body))), *draw(HEADERS),
    ]  # fmt: skip
    headers = draw(st.permutations(headers))
    lines = []
    for name, value in headers:
        spelt = name if name.startswith("X-") else draw(SPELLINGS)(draw(st.sampled_from([name, SHORT.get(name, name)])))
        colon = draw(st.sampled_from([":", ": ", " : ", "\t:\t", ":\r\n "]))
        value = (
            value.replace(" ", draw(st.sampled_from([" ", "\r\n ", "  \r\n\t"]))) if name.startswith("X-") else value
        )
        lines.append(f"{spelt}{colon}{value}{draw(st.sampled_from(['', ' ', chr(9)]))}\r\n")
    return headers, body, f"{method} sip:c@d SIP/2.0\r\n{''.join(lines)}\r\n"


@PROFILE
@given(written())
def test_what_is_written_is_read(sample: tuple[list[tuple[str, str]], bytes, str]) -> None:
    headers, body, head = sample
    message = parse(head.encode() + body)
    assert isinstance(message, Request)
    assert [(name, " ".join(re.findall("[^ \t]+", value))) for name, value in message.headers] == headers
    assert message.body == body
    assert f"{message.cseq} {message.method}" == message.get("CSeq")


@PROFILE
@given(st.binary(max_size=300))
def test_any_octets(data: bytes) -> None:
    for octets in (data, b"INVITE sip:a@b SIP/2.0\r\n" + data, b"SIP/2.0 200 OK\r\n" + data):
        try:
            parse(octets)
        except SipError:
            pass


SOUP = st.lists(
    st.sampled_from(
        [
            *'\r\n \t:;,<>"\\=@?%/[]()0129\x00\x7f²é',
            "\r\n",
            "\r\n ",
            "sip:",
            "tel:",
            "SIP/2.0",
            "Via",
            "z9hG4bK",
            ";tag=",
            "\udcff",
            "UDP",
            "To",
            "Contact: *",
            "99999999999999999999",
            "%00",
            "[::1]",
            "<>",
            '"',
        ]
    ),
    min_size=1,
    max_size=4,
).map("".join)


@settings(PROFILE, max_examples=600)
@given(st.data())
def test_any_mutation(data: st.DataObject) -> None:
    """Pieces of the grammar where they don't belong: SipError or a message whose reply can be made, nothing else."""
    text = data.draw(st.sampled_from([INVITE, OK]))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(SOUP) + text[end:]
    try:
        message = parse(text.encode("utf-8", "surrogateescape"))
    except SipError as error:
        assert error.status is None or isinstance(error.message, Request)
        return
    if isinstance(message, Request):
        reply = parse(respond(message, 404, via=message.via, to_tag="ours"))
        assert isinstance(reply, Response) and (reply.status, reply.cseq) == (404, message.cseq)
        assert (reply.call_id, reply.from_tag) == (message.call_id, message.from_tag)
        assert reply.to_tag == (message.to_tag or "ours") or message.to_tag == ""


# --- replies -------------------------------------------------------------------------------------------------------


def reply_to(text: str, status: int = 200, to_tag: str | None = "ours", **options: str) -> Response:
    message = request(text)
    reply = parse(respond(message, status, via=message.via, to_tag=to_tag, **options))
    assert isinstance(reply, Response)
    return reply


def test_a_reply_has_what_the_request_had() -> None:
    """RFC 3261 8.2.6.2."""
    text = changed(
        "Max-Forwards: 70",
        "Via: SIP/2.0/TCP 192.0.2.8;branch=z9hG4bK8, SIP/2.0/UDP h\r\nRecord-Route: <sip:p;lr>, <sip:q;lr>",
    )
    reply, asked = reply_to(text), request(text)
    for name in ("Via", "Record-Route"):
        assert reply.values(name) == asked.values(name)
    for name in ("From", "Call-ID", "CSeq"):
        assert reply.all(name) == asked.all(name)
    assert reply.all("To") == ["<sip:+33180000001@example.com>;tag=ours"]
    assert (reply.status, reply.reason, reply.body) == (200, "OK", b"")


def test_a_tag_is_never_added_twice() -> None:
    for to in (
        "<sip:b@c>;tag=theirs",
        "sip:b@c;tag=theirs",
        '"x;tag=no" <sip:b@c> ; TAG = theirs',
        "<sip:b@c>;x=1;tag=theirs",
    ):
        reply = reply_to(changed("<sip:+33180000001@example.com>", to))
        assert reply.to_tag == "theirs" and reply.get("To") == to


def test_gaps_between_vias_are_not_repeated() -> None:
    reply = reply_to(changed("nashds8;rport", "nashds8,,,SIP/2.0/UDP h,"))
    assert reply.all("Via") == ["SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKnashds8", "SIP/2.0/UDP h"]


def test_a_reply_without_tag() -> None:
    assert reply_to(INVITE, 100, None).to_tag is None


def test_a_body_is_counted_in_octets() -> None:
    reply = reply_to(INVITE, headers="Content-Type: text/plain\r\n", body="été\r\n")
    assert (reply.get("Content-Length"), reply.body) == ("7", "été\r\n".encode())


def test_octets_that_are_no_utf_8_come_back_as_they_were() -> None:
    data = changed('"Anna Martin"', '"Ann\udce9 \udcff"').encode("utf-8", "surrogateescape")
    message = parse(data)
    assert isinstance(message, Request)
    assert b'From: "Ann\xe9 \xff" <sip:anna@example.com>;tag=a73kszlfl\r\n' in respond(message, 200, via=message.via)


@pytest.mark.parametrize("status", sorted(REASONS))
def test_reasons(status: int) -> None:
    assert reply_to(INVITE, status).reason == REASONS[status]
    assert reply_to(INVITE, status, reason="Because").reason == "Because"
    assert reply_to(INVITE, 499).reason == "Unknown"
