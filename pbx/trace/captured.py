"""A message of the ring as a reader sees it: parsed as far as it is asked, secrets masked.

What is shown may be anything that a stranger sent, so nothing here raises: what can't be read is left empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pbx.sip.hop import Hop
from pbx.sip.uri import user_of
from pbx.trace.mask import mask
from pbx.trace.ring import Entry, Ring
from pbx.trace.sdp_summary import sdp_summary

_CALL_ID: Final = re.compile(rb"^(?:Call-ID|i)[ \t]*+:[ \t]*+([^\r\n]*?)[ \t]*+\r?$", re.IGNORECASE | re.MULTILINE)
_CSEQ: Final = re.compile(rb"^CSeq[ \t]*+:\s*+(\d++)\s++([^\s]++)", re.IGNORECASE | re.MULTILINE)
_STATUS: Final = re.compile(rb"SIP/2\.0 (\d\d\d) ?([^\r\n]*+)", re.IGNORECASE)
_REQUEST: Final = re.compile(rb"([^\s]++) ([^\r\n]*?) SIP/2\.0\r?$", re.IGNORECASE | re.MULTILINE)
_PARTIES: Final = re.compile(
    rb"^(?:From|f|To|t|Contact|m|P-Asserted-Identity|P-Preferred-Identity|Remote-Party-ID|Diversion|History-Info"
    rb"|Refer-To|r|Referred-By|b)[ \t]*+:([^\r\n]*+)",
    re.IGNORECASE | re.MULTILINE,
)
_URI: Final = re.compile(rb"(?:sips?|tel):[^\s<>\"]++", re.IGNORECASE)
_FROM: Final = re.compile(rb"^(?:From|f)[ \t]*+:([^\r\n]*+)", re.IGNORECASE | re.MULTILINE)
_TO: Final = re.compile(rb"^(?:To|t)[ \t]*+:([^\r\n]*+)", re.IGNORECASE | re.MULTILINE)
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_NOT_SHOWN: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")

Address = tuple[str, int]
Ours = Callable[[Hop], Address]  # tells our address on a hop


def address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def plain(data: bytes) -> str:
    """One line of text that any terminal may be sent."""
    return _NOT_SHOWN.sub("\N{REPLACEMENT CHARACTER}", data.decode("utf-8", "replace"))


def call_id_of(data: bytes) -> bytes:
    """The SIP Call-ID of a message, b"" if it has none."""
    found = _CALL_ID.search(data)
    return found[1] if found else b""


def _user(header: re.Match[bytes] | None) -> str:
    uri = _URI.search(header[1]) if header else None
    return user_of(plain(uri[0])) if uri else ""


@dataclass(frozen=True)
class Captured:
    """One message. Not slotted: what was read of it is kept."""

    sequence: int
    at: float  # seconds since 1970
    received: bool  # else sent
    transport: str  # udp, tcp, tls, ws, wss; what came encrypted is here as it was inside
    ours: Address
    peer: Address
    call_id: str | None  # the call it belongs to, as Plateau names it
    raw: bytes  # with its secrets: to be compared, never shown

    @staticmethod
    def of(entry: Entry, ring: Ring, ours: Address) -> Captured:
        """A message of the ring; `ours` is our address on its hop."""
        hop: Hop | None = entry.hop
        assert hop is not None
        call = ring.call_of(call_id_of(entry.what))
        received = entry.direction == "<-"
        return Captured(entry.sequence, entry.at, received, hop.transport, ours, (hop.host, hop.port), call, entry.what)

    # --- what may be shown ------------------------------------------------------------------------------------------

    @cached_property
    def data(self) -> bytes:
        """The message without its secrets."""
        return mask(self.raw)

    @cached_property
    def text(self) -> str:
        """The message for people: line ends as \\n, control characters replaced, so that no terminal obeys them."""
        lines = self.data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
        return "\n".join(_NOT_SHOWN.sub("\N{REPLACEMENT CHARACTER}", line.replace("\t", " ")) for line in lines)

    @cached_property
    def source(self) -> Address:
        return self.peer if self.received else self.ours

    @cached_property
    def destination(self) -> Address:
        return self.ours if self.received else self.peer

    # --- what is in it ----------------------------------------------------------------------------------------------

    @cached_property
    def sip_call_id(self) -> str:
        return plain(call_id_of(self.raw))

    @cached_property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        found = _STATUS.match(self.data)
        return int(found[1]) if found else 0

    @cached_property
    def cseq(self) -> tuple[int, str]:
        """Number and method; (0, "") without."""
        found = _CSEQ.search(self.data)
        return (int(found[1][:10]), plain(found[2])) if found else (0, "")

    @cached_property
    def method(self) -> str:
        """Of the request, or of the one that a response answers; "" for what is no SIP."""
        if self.status:
            return self.cseq[1]
        found = _REQUEST.match(self.data)
        return plain(found[1]) if found else ""

    @cached_property
    def request_uri(self) -> str:
        found = None if self.status else _REQUEST.match(self.data)
        return plain(found[2]) if found else ""

    @cached_property
    def title(self) -> str:
        """`INVITE`, `200 OK` to one, `200 OK (BYE)`; the beginning of what is no SIP."""
        found = _STATUS.match(self.data)
        if found:
            to = f" ({self.method[:20]})" if self.method not in ("INVITE", "") else ""
            return f"{self.status} {plain(found[2])}".strip()[:60] + to
        return self.method[:60] or plain(self.data[:40])

    @cached_property
    def sdp(self) -> str:
        """What its session description says, "" without one."""
        body = self.body
        return sdp_summary(body.decode("utf-8", "replace")) if b"m=" in body else ""

    @cached_property
    def body(self) -> bytes:
        parts = _END_OF_HEAD.split(self.data, 1)
        return parts[1] if len(parts) > 1 else b""

    @cached_property
    def from_user(self) -> str:
        return _user(_FROM.search(self.data))

    @cached_property
    def to_user(self) -> str:
        return _user(_TO.search(self.data))

    def view(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "sequence": self.sequence, "at": self.at, "direction": "received" if self.received else "sent",
            "transport": self.transport, "local": address_text(*self.ours), "peer": address_text(*self.peer),
            "call_id": self.call_id, "sip_call_id": self.sip_call_id, "method": self.method, "status": self.status,
            "title": self.title, "from": self.from_user, "to": self.to_user, "sdp": self.sdp, "text": self.text,
        }  # fmt: skip

    def users(self) -> set[str]:
        """The user parts of everybody it speaks of: From, To, Request-URI, Contact, asserted identity, diversions."""
        head = _END_OF_HEAD.split(self.data, 1)[0]
        uris = [uri for header in _PARTIES.finditer(head) for uri in _URI.findall(header[1])]
        return {user_of(plain(uri)) for uri in uris} | {user_of(self.request_uri)}
