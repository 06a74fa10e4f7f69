"""A whole session description (RFC 8866): read tolerantly, written strictly.

Kept is what an answerer needs; other lines (i= u= e= p= b= r= z= k=) are read over. Lines may end in LF alone, `s=` and
`o=` may be missing, unknown types are skipped: phones do all of that. What can't be meant is refused with its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pbx.sdp.errors import BadSdp

Attributes = tuple[tuple[str, str | None], ...]  # (name, value or None for a property)

_MEDIA = re.compile(r"([!-.0-~]+) ([0-9]{1,5})(?:/([0-9]{1,5}))? ([!-~]+)((?: +[!-~]+)+) *")
_CONNECTION = re.compile(r"IN (?:IP4|IP6) ([0-9A-Za-z.:_-]{1,255})(?:/[0-9]+(?:/[0-9]+)?)? *")
_ORIGIN = re.compile(r"(\S+) ([0-9]{1,40}) ([0-9]{1,40}) IN (?:IP4|IP6) (\S+) *")
_TIME = re.compile(r"[0-9]{1,20} [0-9]{1,20}")
_LINE_TYPE = re.compile(r"[a-z]=")


MAX_LINES = 1_000  # far above what browsers send; each costs its readers a microsecond
MAX_WORDS = 5_000


def split_lines(text: str) -> list[str]:
    """The lines of a body, however they end; empty ones at the end are dropped, and the zeros of who sends his buffer
    whole. BadSdp if there is no end of them."""
    if text.count("\n") + text.count("\r") > 2 * MAX_LINES or text.count(" ") > MAX_WORDS:
        raise BadSdp("SDP: too long")
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n ").split("\n")


def text_of(body: str | bytes) -> str:
    """A body as text. Names may be in any charset; what matters here is ASCII."""
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else body


def address_type(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


@dataclass(frozen=True, slots=True)
class Origin:
    """o=: which session, which version of its description."""

    username: str
    session_id: int
    version: int
    host: str

    def __str__(self) -> str:
        return f"o={self.username} {self.session_id} {self.version} IN {address_type(self.host)} {self.host}\r\n"


@dataclass(frozen=True, slots=True)
class Media:
    """m= and what belongs to it."""

    kind: str  # audio, video, application ...
    port: int  # 0: refused or switched off
    proto: str  # RTP/AVP ...
    formats: tuple[str, ...]
    host: str | None = None  # c= of this stream; None: the session's
    attributes: Attributes = ()
    ports: int = 1  # number of port pairs, nearly always one

    def first(self, name: str) -> str | None:
        """The value of the first attribute of that name, "" for a property, None if absent."""
        return first_attribute(self.attributes, name)

    def __str__(self) -> str:
        pairs = f"/{self.ports}" if self.ports != 1 else ""
        text = f"m={self.kind} {self.port}{pairs} {self.proto} {' '.join(self.formats)}\r\n"
        if self.host is not None:
            text += f"c=IN {address_type(self.host)} {self.host}\r\n"
        return text + _attribute_lines(self.attributes)


@dataclass(frozen=True, slots=True)
class Session:
    """A whole description."""

    origin: Origin | None
    host: str | None  # c= of the session
    media: tuple[Media, ...]
    name: str = "-"
    time: str = "0 0"  # an answer repeats it (RFC 3264 6)
    attributes: Attributes = ()

    def first(self, name: str) -> str | None:
        return first_attribute(self.attributes, name)

    def __str__(self) -> str:
        connection = "" if self.host is None else f"c=IN {address_type(self.host)} {self.host}\r\n"
        origin = "" if self.origin is None else str(self.origin)
        return (
            f"v=0\r\n{origin}s={self.name}\r\n{connection}t={self.time}\r\n{_attribute_lines(self.attributes)}"
            + "".join(str(one) for one in self.media)
        )


def parse(body: str | bytes) -> Session:
    """Read a description. Raises BadSdp, with the line, if it is none."""
    lines = split_lines(text_of(body))
    if lines[0].rstrip() != "v=0":
        raise BadSdp(f"SDP line 1: expected v=0, found {lines[0][:40]!r}")
    sections: list[list[tuple[int, str]]] = [[]]
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        if not _LINE_TYPE.match(line):
            raise BadSdp(f"SDP line {number}: expected TYPE=VALUE, found {line[:40]!r}")
        if line[0] == "m":
            sections.append([])
        sections[-1].append((number, line))
    origin: Origin | None = None
    host: str | None = None
    time: str | None = None
    name = "-"
    attributes: list[tuple[str, str | None]] = []
    for number, line in sections[0]:
        value = line[2:]
        match line[0]:
            case "o":
                origin = _origin(number, value)
            case "s":
                name = value or "-"
            case "c":
                host = _connection(number, value)
            case "t" if time is None:
                time = _time(number, value)
            case "a":
                attributes.append(_attribute(value))
    return Session(origin, host, tuple([_media(one) for one in sections[1:]]), name, time or "0 0", tuple(attributes))


def first_attribute(attributes: Attributes, name: str) -> str | None:
    for key, value in attributes:
        if key == name:
            return value or ""
    return None


def _media(section: list[tuple[int, str]]) -> Media:
    number, line = section[0]
    found = _MEDIA.fullmatch(line, 2)
    if found is None or int(found[2]) > 65535:
        raise BadSdp(f"SDP line {number}: bad media line {line[:60]!r}")
    host: str | None = None
    attributes: list[tuple[str, str | None]] = []
    for number, line in section[1:]:
        if line[0] == "c":
            if host is None:
                host = _connection(number, line[2:])
        elif line[0] == "a":
            attributes.append(_attribute(line[2:]))
    ports = int(found[3]) if found[3] else 1
    return Media(found[1], int(found[2]), found[4], tuple(found[5].split()), host, tuple(attributes), ports)


def _origin(number: int, value: str) -> Origin | None:
    found = _ORIGIN.fullmatch(value)
    if found is None:
        raise BadSdp(f"SDP line {number}: bad origin {value[:60]!r}")
    return Origin(found[1], int(found[2]), int(found[3]), found[4])


def _time(number: int, value: str) -> str:
    found = _TIME.fullmatch(value.strip())
    if found is None:
        raise BadSdp(f"SDP line {number}: bad time {value[:40]!r}")
    return found[0]


def _connection(number: int, value: str) -> str:
    found = _CONNECTION.fullmatch(value)
    if found is None:
        raise BadSdp(f"SDP line {number}: bad connection {value[:60]!r}")
    return found[1]


def _attribute(value: str) -> tuple[str, str | None]:
    name, colon, rest = value.rstrip().partition(":")
    return name, rest.lstrip() if colon else None


def _attribute_lines(attributes: Attributes) -> str:
    return "".join([f"a={name}\r\n" if value is None else f"a={name}:{value}\r\n" for name, value in attributes])
