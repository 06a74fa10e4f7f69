"""SIP messages: the head is split once, values stay text and are read on demand (RFC 3261 7, 18.3).

Building an object per header costs three times as much as this (see README.md); so what a call needs of a message is
taken by the text functions of `uri`, `address` and `via`.
"""

from __future__ import annotations

import re

from pbx.sip import grammar, via
from pbx.sip.address import Address, split_values, tag_of
from pbx.sip.errors import BadMessage, BadResponse, BadUri, SipError
from pbx.sip.headers import CANONICAL, SINGLE, canonical
from pbx.sip.multipart import SDP, description_in
from pbx.sip.uri import SIP_URI_PLAIN, host_port_of

MAX_BODY_BYTES = 65_536
MAX_HEAD_BYTES = 65_536
MAX_MARKS = 1_000  # lines, commas or semicolons in a head: each may cost its reader a microsecond, and it has several

_FOLD = re.compile(r"\r?\n[ \t]+")
_REQUEST_LINE = re.compile(rf"({grammar.TOKEN}) ([^ <>\"\x00-\x1f\x7f]++) (?i:SIP)/2\.0")
_STATUS_LINE = re.compile(r"(?i:SIP)/2\.0 ([1-6][0-9][0-9])(?: (.*))?")
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]++({grammar.TOKEN})")
_USUAL_ADDRESS = re.compile(  # the form nearly every peer sends; anything else goes the long way
    rf'(?:{grammar.QUOTED}|[\w.!%*+`\'~-]++)?[ \t]*+<{SIP_URI_PLAIN}>'
    r"(?>(?:;[\w.-]++(?:=[\w.!%*+`'~:@-]++)?)*)", re.ASCII
)
_PORT = "(?:[1-5][0-9]{4}|6[0-4][0-9]{3}|[1-9][0-9]{0,3})"  # one above 65000 goes the long way too: it may be none
_USUAL_VIA = re.compile(
    rf"SIP/2\.0/[A-Z]{{2,4}} {grammar.LABEL}(?>(?:\.{grammar.LABEL})*)(?::{_PORT})?"
    r"(?>(?:;[\w-]++(?:=[\w.!%*+`'~:|@-]++)?)*)", re.ASCII
)


def is_usual_via(text: str) -> bool:
    """Whether a Via line is one value, written as nearly every peer does: it stays as it is."""
    return _USUAL_VIA.fullmatch(text) is not None


class Message:
    """What requests and responses share. `headers` keeps order, repeats and names nobody knows."""

    __slots__ = ("_first", "body", "branch", "call_id", "cseq", "cseq_method", "from_tag", "headers", "to_tag", "via")

    def __init__(self, headers: list[tuple[str, str]], body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._first = dict(headers[::-1])  # reversed: the first of several wins
        self.via = ""  # the topmost Via value
        self.branch: str | None = None
        self.call_id = ""
        self.cseq = 0
        self.cseq_method = ""
        self.from_tag: str | None = None
        self.to_tag: str | None = None

    def get(self, name: str) -> str | None:
        """The first value of a header, by canonical name."""
        return self._first.get(name)

    def all(self, name: str) -> list[str]:
        """Every line of a header; commas are not split."""
        return [value for key, value in self.headers if key == name]

    def values(self, name: str) -> list[str]:
        """Every value of a header that allows lists (RFC 3261 7.3.1)."""
        return [value for line in self.all(name) for value in split_values(line)]

    @property
    def description(self) -> bytes:
        """The session description in the body; b"" if there is none. What does not say what it is is taken for one."""
        kind = self._first.get("Content-Type")
        return self.body if kind is None or kind == SDP or not self.body else description_in(kind, self.body)

    def _read(self) -> None:
        """Check and take what every message must have (RFC 3261 8.1.1)."""
        first = self._first
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            if not first.get(name):
                raise BadMessage(f"Missing {name}")
        if len(first) != len(self.headers):
            single = [name for name, _ in self.headers if name in SINGLE]
            if len(single) != len(set(single)):
                raise BadMessage(f"Repeated {next(name for name in single if single.count(name) > 1)}")
        self.via = self._top_via()
        self.branch = via.branch_of(self.via)
        self.call_id = first["Call-ID"]
        cseq = _CSEQ.fullmatch(first["CSeq"])
        if not cseq or int(cseq[1]) >= 1 << 31:
            raise BadMessage("Bad CSeq")
        self.cseq, self.cseq_method = int(cseq[1]), cseq[2]
        for name in ("From", "To"):
            if not _USUAL_ADDRESS.fullmatch(first[name]):
                try:
                    Address.parse(first[name])
                except BadUri as error:
                    raise BadMessage(f"{name}: {error.reason}") from None  # 416 speaks of the Request-URI alone
        self.from_tag, self.to_tag = tag_of(first["From"]), tag_of(first["To"])

    def _top_via(self) -> str:
        line = self._first["Via"]
        if _USUAL_VIA.fullmatch(line):
            return line
        top = split_values(line)[0]
        return top if _USUAL_VIA.fullmatch(top) else str(via.Via.parse(top))


class Request(Message):
    """A request; `uri` is the Request-URI as text."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, headers: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason


def parse(data: bytes) -> Request | Response:
    """One whole message, as a datagram holds it or a stream was framed. Octets after Content-Length are ignored (18.3).

    Raises BadMessage (its `message` is the request as far as it was read, to answer to) or BadResponse.
    """
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")  # 7.5: empty lines before a message
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap:
        head, gap, body = data.partition(b"\n\n")
    if len(head) > MAX_MARKS and _is_too_large(head):
        raise BadResponse("Head too large")
    text = head.decode("utf-8", "surrogateescape")
    start, headers, whole = _split(text)
    if not whole and ("\n " in text or "\n\t" in text):  # no name of a header begins so: folded lines are seen by that
        start, headers, whole = _split(_FOLD.sub(" ", text))
    if start[:4].upper() == "SIP/":
        return _response(start, headers, body, whole)
    return _request(start, headers, body, whole)


def _is_too_large(head: bytes) -> bool:
    return len(head) > MAX_HEAD_BYTES or max(head.count(b"\n"), head.count(b","), head.count(b";")) > MAX_MARKS


def _split(text: str) -> tuple[str, list[tuple[str, str]], bool]:
    """The first line, the headers, and whether every line was one."""
    lines = text.split("\r\n")
    ends = len(lines) - 1
    whole = text.count("\r") == ends
    if text.count("\n") != ends:  # line ends without CR
        lines = text.replace("\r\n", "\n").split("\n")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        known = CANONICAL.get(name) or _unusual_name(name)
        if known and colon:
            headers.append((known, value.strip(" \t")))
        elif line:
            whole = False
    return lines[0], headers, whole


def _unusual_name(name: str) -> str | None:
    """The name of a header that `CANONICAL` does not have as it was written; None if it is no header's."""
    name = name.rstrip(" \t")
    return canonical(name) if grammar.is_token(name) else None


def _response(start: str, headers: list[tuple[str, str]], body: bytes, whole: bool) -> Response:
    line = _STATUS_LINE.fullmatch(start)
    if not line or not whole:
        raise BadResponse("Malformed response")
    response = Response(int(line[1]), line[2] or "", headers, body)
    try:
        response._read()
        _trim_body(response)
    except SipError as error:
        raise BadResponse(error.reason) from None
    return response


def _request(start: str, headers: list[tuple[str, str]], body: bytes, whole: bool) -> Request:
    method, _, rest = start.partition(" ")
    request = Request(method, rest.rpartition(" ")[0].strip(), headers, body)
    try:
        line = _REQUEST_LINE.fullmatch(start)
        if not line:
            raise _bad_request_line(start)
        if not whole:
            raise BadMessage("Malformed header")
        request._read()
        if request.cseq_method != method:
            raise BadMessage("CSeq method is not the request's")
        _trim_body(request)
        _check_values(request)
    except SipError as error:
        error.message = request
        raise
    return request


def _bad_request_line(start: str) -> SipError:
    parts = start.split()
    if len(parts) < 3 or not grammar.is_token(parts[0]) or not parts[-1].upper().startswith("SIP/"):
        return BadResponse("Not SIP")  # nothing that could be answered
    if parts[-1].upper() != "SIP/2.0":
        return BadMessage("Version Not Supported", 505)
    return BadMessage("Malformed request line")


def _check_values(request: Request) -> None:
    forwards = request._first.get("Max-Forwards")
    if forwards is not None and _number(forwards, "Max-Forwards") > 255:
        raise BadMessage("Bad Max-Forwards")
    expires = request._first.get("Expires")
    if expires is not None and request.method == "REGISTER" and not (expires.isascii() and expires.isdigit()):
        raise BadMessage("Bad Expires")
    if request.uri[:3].lower() == "sip":
        host_port_of(request.uri)  # its host and port alone: what users are called is not for us to say
        if "?" in request.uri.rpartition("@")[2]:
            raise BadMessage("Headers in the Request-URI")  # RFC 3261 19.1.1: not allowed there


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 20:  # `int` reads other digits too, and refuses long ones
        raise BadMessage(f"Bad {name}")
    return int(text)


def _trim_body(message: Message) -> None:
    text = message._first.get("Content-Length")
    if text is None:
        return
    length = _number(text, "Content-Length")
    if length > MAX_BODY_BYTES:
        raise BadMessage("Request Entity Too Large", 413)
    if length > len(message.body):
        raise BadMessage("Content-Length is larger than the body")
    if length < len(message.body):
        message.body = message.body[:length]


REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 300: "Multiple Choices",
    301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
    408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
    422: "Session Interval Too Small", 423: "Interval Too Brief", 469: "Bad Info Package",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    489: "Bad Event", 491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 600: "Busy Everywhere",
    603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


def respond(
    request: Request,
    status: int,
    *,
    via: str,
    to_tag: str | None = None,
    reason: str | None = None,
    headers: str = "",
    body: str = "",
) -> bytes:
    """A response to `request` (RFC 3261 8.2.6): `via` is its topmost Via with received and rport filled in, `to_tag` is
    added unless To has one, `headers` are whole lines ending in CRLF. With a body, `headers` names its Content-Type."""
    first = request._first
    to = first.get("To", "")
    if to_tag and request.to_tag is None and to:
        to = f"{to};tag={to_tag}"
    lines = f"SIP/2.0 {status} {reason or REASONS.get(status, 'Unknown')}\r\nVia: {via}\r\n" + _other_vias(request)
    if "Record-Route" in first:
        lines += "".join(f"Record-Route: {value}\r\n" for value in request.all("Record-Route"))
    return (
        f"{lines}From: {first.get('From', '')}\r\nTo: {to}\r\nCall-ID: {first.get('Call-ID', '')}\r\n"
        f"CSeq: {first.get('CSeq', '')}\r\n{headers}Content-Length: {len(body.encode()) if body else 0}\r\n\r\n{body}"
    ).encode("utf-8", "surrogateescape")


def _other_vias(request: Request) -> str:
    """The Via lines below the topmost value."""
    lines = request.all("Via")
    if len(lines) == 1 and "," not in lines[0]:
        return ""
    return "".join(f"Via: {value}\r\n" for value in request.values("Via")[1:] if value)
