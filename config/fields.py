"""The small languages inside the values of a site file: listeners, destinations, hours, dial patterns, ...

Each is an annotated type: text in, a typed value out, and `Expected` says in an admin's words what it takes.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, SecretStr, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Plain(str):
    """A YAML value written without quotes, letter for letter (`0123`, `on`, `09:00`); the field says what it means."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Says in an admin's words what a field takes; `config.words` puts it into problems."""

    words: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Editors show the words beside the field."""
        return {**handler(core), "description": self.words}


class SipListener(NamedTuple):
    """`udp:0.0.0.0:5060`: where SIP is heard."""

    transport: Literal["udp", "tcp", "tls", "ws", "wss"]
    host: str
    port: int


class HostPort(NamedTuple):
    """`127.0.0.1:8080`; IPv6 as `[::1]:8080`."""

    host: str
    port: int


class PortRange(NamedTuple):
    """`20000-29999`, both ends included; the first is even (an RTP port), each RTP port has its RTCP port above it."""

    first: int
    last: int


class Destination(NamedTuple):
    """`queue asia`, `extension 101`, `ivr welcome`, `trunk carrier`, `sip:2001@192.0.2.1`, `refuse 603`, `hang up`;
    `group sales`, `number 0612345678` (as if a phone of ours dialled it); `park house`, `park house 701`,
    `pickup 101`, `pickup group`, `set dnd on`, `set forward-busy 102`, `conference sales`, `conference new`,
    `add 103`, `supervise monitor anna`, `agent login`, `agent login 4712`, `agent logout`, `agent ready`,
    `agent not-ready lunch` (see docs/features.md)."""

    kind: Literal[
        "extension", "queue", "ivr", "trunk", "uri", "refuse", "number", "group", "park", "pickup", "set", "conference",
        "add", "supervise", "agent", "replaces", "join",
    ]  # the last two are no admin's words: an INVITE says them (RFC 3891, RFC 3911)
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "uri" else f"{self.kind} {self.name}"


class OpenSpan(NamedTuple):
    """One span of opening: weekdays (0 = Monday) and wall-clock times, `opens` included, `closes` excluded."""

    weekdays: tuple[int, ...]
    opens: dt.time
    closes: dt.time


def _host_port(value: object) -> HostPort:
    if isinstance(value, HostPort):
        return value
    m = isinstance(value, str) and re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\s]+):(\d{1,5})", value)
    if not m or int(m[2]) > 65535:
        raise ValueError(f"expected {_HOST_PORT}")
    return HostPort(m[1].strip("[]"), int(m[2]))


def _nameserver(value: object) -> HostPort:
    if isinstance(value, HostPort):
        return value
    m = isinstance(value, str) and re.fullmatch(r"(\[[^\]]+\]|[0-9.]+|[0-9A-Fa-f:.]+(?=$))(?::(\d{1,5}))?", value)
    try:
        server = HostPort(str(ipaddress.ip_address(m[1].strip("[]"))), int(m[2] or 53)) if m else None
    except ValueError:
        server = None
    if server is None or not 0 < server.port < 65536:
        raise ValueError(f"expected {_NAMESERVER}")
    return server


def _sip_listener(value: object) -> SipListener:
    if isinstance(value, SipListener):
        return value
    m = isinstance(value, str) and re.fullmatch(r"(udp|tcp|tls|wss?):(\[[0-9A-Fa-f:.]+\]|[^:\s]+):(\d{1,5})", value)
    if not m or int(m[3]) > 65535:
        raise ValueError(f"expected {_LISTENER}")
    return SipListener(m[1], m[2].strip("[]"), int(m[3]))  # type: ignore[arg-type]


def _port_range(value: object) -> PortRange:
    if isinstance(value, PortRange):
        return value
    m = isinstance(value, str) and re.fullmatch(r"(\d{1,5})\s*-\s*(\d{1,5})", value)
    if not m or not 1024 <= int(m[1]) < int(m[2]) <= 65535 or int(m[1]) % 2:
        raise ValueError(f"expected {_PORT_RANGE}")
    return PortRange(int(m[1]), int(m[2]))


def _destination(value: object) -> Destination:
    if isinstance(value, Destination):
        return value
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if re.fullmatch(r"sip:(\S+@)?[^\s@]+", text):
        return Destination("uri", text)
    if text == "hang up":
        return Destination("refuse", "603")
    kind, _, name = text.partition(" ")
    if kind not in _KINDS or not re.fullmatch(_KINDS[kind], name):
        raise ValueError(f"expected {_DESTINATION}")
    if kind == "refuse" and not re.fullmatch(r"[3-6]\d\d", name):
        raise ValueError("expected refuse with a SIP status from 300 to 699, as refuse 486")
    return Destination(kind, name)  # type: ignore[arg-type]


def _weekdays(text: str) -> tuple[int, ...]:
    days: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
            raise ValueError("expected days as mon-sat or mon,wed")
        a, b = WEEKDAYS.index(first), WEEKDAYS.index(last if dash else first)
        days += [d % 7 for d in range(a, b + 1 if b >= a else b + 8)]
    return tuple(days)


def _clock(text: str) -> dt.time:
    m = re.fullmatch(r"(\d{1,2}):(\d\d)", text.strip())
    if not m or int(m[1]) > 24 or int(m[2]) > 59 or (int(m[1]) == 24 and int(m[2])):
        raise ValueError(f"expected {_HOURS}")
    return dt.time.max if int(m[1]) == 24 else dt.time(int(m[1]), int(m[2]))


def _span(weekdays: tuple[int, ...], hours: object) -> OpenSpan:
    m = isinstance(hours, str) and re.fullmatch(r"([\d:\s]+)-([\d:\s]+)", hours)
    if not m:
        raise ValueError(f"expected {_HOURS}")
    span = OpenSpan(weekdays, _clock(m[1]), _clock(m[2]))
    if span.opens >= span.closes:
        raise ValueError("expected a closing time after the opening time; split hours that cross midnight in two")
    return span


def _spans(value: object) -> tuple[OpenSpan, ...]:
    """`{mon-fri: 09:00-21:00, sat: [09:00-12:00, 14:00-18:00]}`; each wrong entry is its own error at its own place."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, dict):
        raise ValueError("expected days and their hours, as mon-sat: 09:00-21:00")
    spans: list[OpenSpan] = []
    wrong: list[InitErrorDetails] = []

    def note(error: ValueError, place: tuple[str | int, ...], found: object) -> None:
        # the message is a variable of the template: it may hold braces
        told = PydanticCustomError("value_error", "{message}", {"message": str(error)})
        wrong.append({"type": told, "loc": place, "input": found})

    for days, hours in value.items():
        try:
            weekdays = _weekdays(str(days))
        except ValueError as error:
            note(error, (str(days), "[key]"), days)
            weekdays = ()
        for i, one in enumerate(hours) if isinstance(hours, list) else [(None, hours)]:
            try:
                spans.append(_span(weekdays, one))
            except ValueError as error:
                note(error, (str(days),) if i is None else (str(days), i), one)
    if wrong:
        raise ValidationError.from_exception_data("hours", wrong)
    return tuple(spans)


def _network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(str(value) if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise ValueError(f"expected {_NETWORK}") from None


def _date(value: object) -> dt.date:
    if isinstance(value, dt.date):
        return value
    try:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            raise ValueError
        return dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"expected {_DATE}") from None


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _yes(value: object) -> object:
    return True if isinstance(value, str) and value.lower() in ("true", "yes", "on") else value


def _attribute(value: object) -> object:
    """Numbers without quotes are numbers; `007` and what has quotes is text."""
    if isinstance(value, Plain) and re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d+)?", value):
        return float(value) if "." in value else int(value)
    return value


def _text_of_secret(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _pattern(value: str) -> str:
    if not re.fullmatch(r"(?:[+*#0-9A-Za-z_.!-]|\[[0-9-]+\])+", value) or "." in value[:-1] or "!" in value[:-1]:
        raise ValueError(f"expected {_PATTERN}")
    if re.search(r"\[(?!(?:\d-\d|\d)+\])", value):
        raise ValueError("expected digits and ranges between [ and ], as [1-5] or [137-9]")
    return value


_NAME = r"[^ ]+"
_KINDS = {
    "extension": _NAME, "queue": _NAME, "ivr": _NAME, "trunk": _NAME, "refuse": _NAME, "group": _NAME,
    "number": _NAME, "pickup": _NAME, "park": rf"{_NAME}( {_NAME})?",
    "conference": _NAME, "add": _NAME, "supervise": rf"(monitor|whisper|barge) {_NAME}",
    "agent": rf"(login( {_NAME})?|logout|ready|not-ready [^ ].*)",
    "set": rf"((dnd|record) (on|off)|forward-(always|busy|no-answer|unregistered) {_NAME})",
}  # fmt: skip
"""What may follow each kind."""
_HOST_PORT = "ADDRESS:PORT, as 127.0.0.1:8080"
_NAMESERVER = "a name server's ADDRESS or ADDRESS:PORT, as 192.0.2.53"
_LISTENER = "udp:ADDRESS:PORT, tcp:ADDRESS:PORT, tls:..., ws:... or wss:..., as udp:0.0.0.0:5060"
_ORIGIN = "the origin of web pages, as https://shop.example.com"
_PORT_RANGE = "FIRST-LAST within 1024-65535, FIRST even, as 20000-29999"
_DESTINATION = (
    "one of: extension NAME, queue NAME, ivr NAME, group NAME, trunk NAME, number NUMBER, park LOT, park LOT SLOT, "
    "pickup EXTENSION, pickup group, set dnd on|off, set record on|off, set forward-WHEN NUMBER|off, conference NAME, "
    "conference new, add NUMBER, supervise monitor|whisper|barge AGENT, agent login, agent login CODE, agent logout, "
    "agent ready, agent not-ready REASON, refuse STATUS, hang up, sip:USER@HOST"
)
_HOURS = "hours as 09:00-21:00"
_NETWORK = "an IP address or network, as 192.0.2.7 or 192.0.2.0/24"
_DATE = "a date as 2026-12-24"
_PATTERN = "a dial pattern: digits, X (0-9), Z (1-9), N (2-9), [1-5], and at the end . (one or more) or ! (any)"
_COUNTRY = "a country in two capital letters, as FR"
_SIP_URI = "a SIP URI, as sip:HOST or sip:HOST:PORT"

Secret = Annotated[SecretStr, Field(min_length=1), Expected("a password, best as !secret NAME")]
Network = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    BeforeValidator(_network, json_schema_input_type=str),
    Expected(_NETWORK),
]
OneOrMany = BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])
"""A list of one may be written without brackets."""
Names = Annotated[
    tuple[str, ...],
    OneOrMany,
    Expected("a name or a list of names"),
]
Skill = Annotated[str, Field(pattern=r"^[^\s\"']([^\"']*[^\s\"'])?$"), Expected("a skill, as asia")]
Level = Annotated[int, Field(ge=1, le=10)]
Pattern = Annotated[str, AfterValidator(_pattern), Expected(_PATTERN)]
ListenerText = Annotated[
    SipListener, BeforeValidator(_sip_listener, json_schema_input_type=str), Expected(_LISTENER)
]
NameserverText = Annotated[
    HostPort, BeforeValidator(_nameserver, json_schema_input_type=str), Expected(_NAMESERVER)
]
HostPortText = Annotated[HostPort, BeforeValidator(_host_port, json_schema_input_type=str), Expected(_HOST_PORT)]
PortRangeText = Annotated[PortRange, BeforeValidator(_port_range, json_schema_input_type=str), Expected(_PORT_RANGE)]
DestinationText = Annotated[
    Destination, BeforeValidator(_destination, json_schema_input_type=str), Expected(_DESTINATION)
]
Spans = Annotated[
    tuple[OpenSpan, ...],
    BeforeValidator(_spans, json_schema_input_type=dict[str, str | list[str]]),
    Expected("days and their hours, as mon-sat: 09:00-21:00"),
]
Date = Annotated[dt.date, BeforeValidator(_date, json_schema_input_type=str), Expected(_DATE)]
Seconds = Annotated[float, Field(gt=0)]
Callers = Annotated[
    str,
    Field(pattern=r"^(extensions|trunks|anyone|trunk \S+)$"),
    Expected("extensions, trunks, anyone or trunk NAME"),
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), Expected(_COUNTRY)]
SipUri = Annotated[str, Field(pattern=r"^sips?:\S+$"), Expected(_SIP_URI)]
Yes = Annotated[Literal[True], BeforeValidator(_yes, json_schema_input_type=Literal[True]), Expected("true")]
Name = Annotated[str, Field(pattern=r"^[^\s{}]+$"), Expected("a name without spaces")]
Number = Annotated[str, Field(pattern=r"^\+?[0-9*#][0-9*# ().-]*$"), Expected("a number, as +33 1 80 00 00 00")]
Url = Annotated[
    str,
    BeforeValidator(_text_of_secret, json_schema_input_type=str),
    Expected("sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"),
]
Codec = Literal["PCMA", "PCMU", "G722", "OPUS", "L16"]
Codecs = Annotated[tuple[Codec, ...], OneOrMany, Field(min_length=1)]
Origin = Annotated[str, Field(pattern=r"^https?://[^/\s]+$"), Expected(_ORIGIN)]
DigestAlgorithm = Literal["MD5", "SHA-256"]
Key = Annotated[str, Field(pattern=r"^[0-9*#A-D]$"), Expected("one key of a telephone: 0-9, *, #, A-D")]
AttributeName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*$"), Expected("a name of small letters, digits and _, as web_code")
]
AttributeValue = Annotated[
    str | int | float, BeforeValidator(_attribute, json_schema_input_type=str), Expected("text or a number")
]
