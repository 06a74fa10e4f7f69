"""A 503 to an INVITE that is not even read: what an overloaded server answers to those it cannot take.

To parse such an INVITE, refuse it and parse the ACK of that costs an eighth of a call; this costs a fraction of it. The
ACK is known by the tag that we gave, and belongs to no transaction (RFC 3261 8.2.7). Whatever is not written as nearly
every peer writes it is left to the parser.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import MAX_MARKS, is_usual_via
from pbx.sip.server_transaction import reply_hop
from pbx.sip.via import via_stamp

TAG: Final = "unread"
_ACKNOWLEDGED: Final = b";tag=unread\r\n"
_COPIED: Final = ("From", "Call-ID", "CSeq")
_OTHERWISE: Final = frozenset(("v", "via", "f", "from", "t", "to", "i", "call-id", "cseq"))


class NewCall(NamedTuple):
    """An INVITE outside a dialog, as far as a refusal needs it."""

    via: str  # the topmost
    lines: str  # Via lines below it, From, To without our tag, Call-ID, CSeq, each with its CRLF, To last


def new_call(data: bytes) -> NewCall | None:
    """What a refusal copies (8.2.6.2); None for anything else, and for what only the parser can read."""
    if not data.startswith(b"INVITE sip"):
        return None
    head = data.partition(b"\r\n\r\n")[0]
    lines = head.count(b"\r\n")
    if len(head) > MAX_MARKS or lines != head.count(b"\n") or lines != head.count(b"\r"):
        return None
    if b"\n " in head or b"\n\t" in head:
        return None
    found: dict[str, str] = {}
    below = ""
    for line in head.decode("utf-8", "surrogateescape").split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        if name == "Via" and "Via" in found:
            below += f"{line}\r\n"
        elif name in ("Via", "To") or name in _COPIED:
            if name in found or not value:
                return None
            found[name] = value
        elif line.partition(":")[0].rstrip().lower() in _OTHERWISE:  # compact, or in other letters
            return None
    if len(found) < 2 + len(_COPIED) or not is_usual_via(found["Via"]) or ";oc" in found["Via"]:
        return None  # a proxy that offers `oc` is told by that how much to send (RFC 7339)
    if "tag=" in found["To"] or not found["CSeq"].endswith(" INVITE"):
        return None
    copied = "".join([f"{name}: {found[name]}\r\n" for name in _COPIED])
    return NewCall(found["Via"], f"{below}{copied}To: {found['To']}")


def refusal(call: NewCall, source: Hop, retry_after_s: int) -> tuple[bytes, Hop] | None:
    """The 503 and where it goes (18.2.2); None if its Via can't be answered."""
    try:
        via = via_stamp(call.via, source.host, source.port)
        hop = reply_hop(via, source)
    except SipError:
        return None
    text = (
        f"SIP/2.0 503 Service Unavailable\r\nVia: {via}\r\n{call.lines};tag={TAG}\r\nRetry-After: {retry_after_s}\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    return text.encode("utf-8", "surrogateescape"), hop


def is_acknowledgement(data: bytes) -> bool:
    """Whether this is the ACK of such a refusal: there is nothing to do about it (17.1.1.3)."""
    return data.startswith(b"ACK ") and _ACKNOWLEDGED in data
