"""Against an independent parser: what `sipmessage` accepts we accept, and read the same from it.

Where the two differ on purpose is listed with its reason: `LENIENT` what it takes and we refuse (by our reason),
`OTHERWISE` what both take and read differently.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.address import parts_of, tag_of
from pbx.sip.errors import SipError
from pbx.sip.message import Request, parse
from pbx.sip.via import Via
from tests.fuzz.mutator import mutate

DATA = Path(__file__).parents[1] / "data"
CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus" / "message"
MUTATIONS = 3_000


class Reading(NamedTuple):
    """What a parser found in a message."""

    start: tuple[object, ...]
    names: list[str]
    call_id: str
    cseq: tuple[int, str]
    vias: list[tuple[str, str, int | None, str | None]]
    ends: list[tuple[str, str, str | None]]  # From, To, Contact...: URI, display name, tag
    body: bytes


def by_sipmessage(data: bytes) -> Reading | None:
    """None if it refuses the message or a value that a call needs."""
    try:
        message = sipmessage.Message.parse(data)
        start: tuple[object, ...] = (
            (message.method, uri_text(message.uri))
            if isinstance(message, sipmessage.Request)
            else (message.code, message.phrase)
        )
        names = sorted(name.lower() for name in message.headers.keys())
        ends = [message.from_address, message.to_address, *message.contact]
        return Reading(
            start, names, message.call_id, (message.cseq.sequence, message.cseq.method),
            [(one.transport.upper(), one.host, one.port, one.parameters.get("branch") or None) for one in message.via],
            [(uri_text(one.uri), one_spaced(one.name), one.parameters.get("tag") or None) for one in ends],
            message.body,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def by_us(data: bytes) -> Reading:
    message = parse(data)
    start: tuple[object, ...] = (
        (message.method, uri_text(message.uri)) if isinstance(message, Request) else (message.status, message.reason)
    )
    vias = [Via.parse(one) for one in message.values("Via")]
    ends = [message.get("From") or "", message.get("To") or "", *message.values("Contact")]
    return Reading(
        start, sorted({name.lower() for name, _ in message.headers}), message.call_id,
        (message.cseq, message.cseq_method), [(one.transport, one.host, one.port, plain(one.branch)) for one in vias],
        [(uri_text(parts_of(one)[1]), one_spaced(parts_of(one)[0] or ""), plain(tag_of(one))) for one in ends],
        message.body,
    )  # fmt: skip


def one_spaced(name: str) -> str:
    """sipmessage makes one space of several between the words of a display name."""
    return re.sub("[ \t]+", " ", name).strip()


def plain(text: str | None) -> str | None:
    """sipmessage undoes %-escapes in the parameters of headers, which have none (RFC 3261 25.1)."""
    return unquote(text) if text else None


def uri_text(uri: object) -> str:
    """A URI without what is only written differently: sipmessage undoes escapes and makes them again, and
    leaves out zeros before a port."""
    return re.sub(":0+(?=[0-9])", ":", unquote(str(uri)))


#: What sipmessage takes and we refuse, by our reason.
LENIENT = {
    "Content-Length is larger": "it leaves the length of the body to its caller",
    "Bad Content-Length": "likewise: any text will do",
    "Request Entity Too Large": "likewise",
    "Bad CSeq": "its CSeq has no upper bound (RFC 3261 8.1.1.5: less than 2**31)",
    "CSeq method is not": "it does not compare the methods (RFC 3261 8.1.1.5)",
    "Repeated": "it takes the first of two From (RFC 3261 7.3.1 allows one)",
    "Bad Max-Forwards": "it reads Max-Forwards only when asked",
    "Bad Expires": "likewise Expires",
    "Missing Via": "a message without Via has an empty list of them",
    "Missing Call-ID": "an empty Call-ID is one",
    "Malformed response": "any integer is a status, and see Malformed header",
    "Malformed header": "any text is a header's name; a line may hold a CR or LF",
    "Malformed request line": "any text is a method",
    "Not SIP": "likewise",
    "Head too large": "it has no limits",
    "bad parameter at ',": "a bare URI may have commas and question marks (RFC 3261 20.10 wants it in brackets)",
    "bad parameter at '?": "likewise",
    "Via port out of range": "a port may have any value",
    "port out of range": "likewise",
}

SPACES = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]"

#: Heads that both take but read differently, or that it takes by reading them differently.
OTHERWISE: dict[str, Callable[[str], object]] = {
    "it knows neither folding nor space before a colon (RFC 3261 7.3.1)": re.compile(
        r"(?:^|\n)[ \t]|\n[^:\r\n]*[ \t]:").search,
    "white space is to it what Unicode says, and control characters may be quoted": re.compile(SPACES).search,
    "its quoted strings end at the last quotation mark of a line, and escape only quotation marks and backslashes":
        re.compile(r"\\|\"[^\r\n]*\"[^\r\n]*\"|^[^\"\r\n]*\"[^\"\r\n]*$", re.M).search,
    "of a parameter written twice it takes the last, we the first (RFC 3261 7.3.1 allows one)": re.compile(
        r";[ \t]*([^;=<>,\s]+)[^,>\r\n]*;[ \t]*\1[ \t]*(?=[;=<>,\r\n]|\Z)", re.I).search,
    "a port may have any number of digits": re.compile(r":[0-9]{6}").search,
    "digits of any script are digits": re.compile(r"(?![0-9])\d").search,
    "a password may have a slash": re.compile(r"sips?:[^@>\r\n]*:[^@>\r\n]*/[^>\r\n]*@", re.I).search,
    "a bare CR or LF ends no line of its": lambda head: "\r" in head.replace("\r\n", "") or "\n" in head.replace(
        "\r\n", ""),
}  # fmt: skip


def compare(data: bytes) -> bool:
    """Whether both read it; fails where they differ without a listed reason."""
    theirs = by_sipmessage(data)
    if theirs is None:
        return False
    head = data.partition(b"\r\n\r\n")[0].decode()
    excused = any(differs(head) for differs in OTHERWISE.values())
    try:
        ours = by_us(data)
    except SipError as error:
        assert excused or any(error.reason.startswith(reason) for reason in LENIENT), error.reason
        return False
    assert excused or ours == theirs._replace(body=theirs.body[: len(ours.body)])
    return not excused


def corpora() -> list[bytes]:
    files: Iterable[Path] = sorted([*DATA.rglob("*.sip"), *CORPUS.iterdir()])
    return [file.read_bytes() for file in files]


def test_messages_of_both_corpora() -> None:
    read = sum(compare(data) for data in corpora())
    assert read > 20  # the rest is odd on purpose


@pytest.mark.parametrize("seed", range(3))
def test_mutations(seed: int) -> None:
    kept, dice = corpora(), random.Random(seed)
    read = sum(compare(mutate(dice.choice(kept), dice, kept)) for _ in range(MUTATIONS))
    assert read > MUTATIONS // 50


# --- made by rule --------------------------------------------------------------------------------------------------

HOSTS = st.sampled_from(["192.0.2.1", "phone.example.com", "[2001:db8::1]"])
USERS = st.text("abcXYZ019-_.!~*'()&=+$,;?/", min_size=1, max_size=10)
URI_ENDS = st.sampled_from(["", ":5060", ":1;lr", ";transport=tcp;x"])
URIS = st.builds("sip:{}@{}{}".format, USERS, HOSTS, URI_ENDS)
DISPLAY = st.sampled_from(["", "Anna ", '"" ', '"Martin, Anna" ', '"a \\"b\\" <c>" ', '"été" ', "A B "])
PLAIN = st.text("abcXYZ019-.!*_+`'~", min_size=1, max_size=12)
PARAMS = st.sampled_from(["", ";x", ";x=y", ";x=y;z=1.2"])
ADDRESSES = st.builds("{}<{}>{};tag={}".format, DISPLAY, URIS, PARAMS, PLAIN)
CONTACTS = st.builds("{}<{}>{}".format, st.sampled_from(["", "Anna ", "A B "]), URIS, PARAMS)
VIA_ENDS = st.sampled_from(["", ";rport", ";received=192.0.2.7;rport=9"])
VIAS = st.builds("SIP/2.0/UDP {};branch=z9hG4bK{}{}".format, HOSTS, PLAIN, VIA_ENDS)


@settings(max_examples=300)
@given(
    URIS, st.lists(VIAS, min_size=1, max_size=3), ADDRESSES, ADDRESSES, st.lists(CONTACTS, min_size=1, max_size=3),
    st.integers(0, 2**31 - 1), PLAIN, st.sampled_from(["INVITE", "REGISTER", "x", "100", "699"]),
)  # fmt: skip
def test_messages_made_by_rule(
    uri: str, vias: list[str], caller: str, called: str, contacts: list[str], cseq: int, call_id: str, kind: str
) -> None:
    start = f"SIP/2.0 {kind} Why not" if kind.isdigit() else f"{kind} {uri} SIP/2.0"
    text = (
        f"{start}\r\nVia: {', '.join(vias)}\r\nf: {caller}\r\nTo: {called}\r\ni: {call_id}\r\n"
        f"CSeq: {cseq} {'INVITE' if kind.isdigit() else kind}\r\nm: {','.join(contacts)}\r\nl: 0\r\n\r\n"
    )
    assert compare(text.encode()) or '"' in text
