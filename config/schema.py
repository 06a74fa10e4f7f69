"""The site file as typed, frozen models: what an admin may write, in the words of a telephony admin.

`config.loader` reads YAML into these and says file, line and column of every mistake. Nothing here does I/O.
Names ending in `_s` are seconds. `docs/site-file.md` is the reference made for people.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Model(BaseModel):
    """A frozen part of the site; a key nobody knows is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- small languages inside strings ---------------------------------------------------------------------------------


class SipListener(NamedTuple):
    """`udp:0.0.0.0:5060`: where SIP is heard."""

    transport: Literal["udp", "tcp"]
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
    """`queue asia`, `extension 101`, `ivr welcome`, `trunk carrier`, `sip:2001@192.0.2.1`, `refuse 603`, `hang up`."""

    kind: Literal["extension", "queue", "ivr", "trunk", "uri", "refuse"]
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "uri" else f"{self.kind} {self.name}"


class OpenSpan(NamedTuple):
    """One span of opening: weekdays (0 = Monday) and wall-clock times, `opens` included, `closes` excluded."""

    weekdays: tuple[int, ...]
    opens: dt.time
    closes: dt.time


def _host_port(value: object) -> object:
    if not isinstance(value, str):
        return value
    m = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\s]+):(\d{1,5})", value)
    if not m or int(m[2]) > 65535:
        raise ValueError("expected ADDRESS:PORT, as 127.0.0.1:8080")
    return HostPort(m[1].strip("[]"), int(m[2]))


def _sip_listener(value: object) -> object:
    if not isinstance(value, str):
        return value
    transport, _, rest = value.partition(":")
    if transport not in ("udp", "tcp"):
        raise ValueError("expected udp:ADDRESS:PORT or tcp:ADDRESS:PORT, as udp:0.0.0.0:5060")
    host, port = _host_port(rest)  # type: ignore[misc]
    return SipListener(transport, host, port)  # type: ignore[arg-type]


def _port_range(value: object) -> object:
    if not isinstance(value, str):
        return value
    m = re.fullmatch(r"(\d{1,5})\s*-\s*(\d{1,5})", value)
    if not m or not 1024 <= int(m[1]) < int(m[2]) <= 65535 or int(m[1]) % 2:
        raise ValueError("expected FIRST-LAST within 1024-65535, FIRST even, as 20000-29999")
    return PortRange(int(m[1]), int(m[2]))


def _destination(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("sip:"):
        return Destination("uri", value)
    if value == "hang up":
        return Destination("refuse", "603")
    kind, _, name = value.partition(" ")
    if kind not in ("extension", "queue", "ivr", "trunk", "refuse") or not name.strip():
        raise ValueError(
            "expected one of: extension NAME, queue NAME, ivr NAME, trunk NAME, refuse STATUS, hang up, sip:USER@HOST"
        )
    if kind == "refuse" and not re.fullmatch(r"[3-6]\d\d", name.strip()):
        raise ValueError("expected refuse with a SIP status from 300 to 699, as refuse 486")
    return Destination(kind, name.strip())  # type: ignore[arg-type]


def _weekdays(text: str) -> tuple[int, ...]:
    days: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
            raise ValueError(f"expected days as mon-sat or mon,wed (found {text!r})")
        a, b = WEEKDAYS.index(first), WEEKDAYS.index(last if dash else first)
        days += [d % 7 for d in range(a, b + 1 if b >= a else b + 8)]
    return tuple(days)


def _clock(text: str) -> dt.time:
    m = re.fullmatch(r"(\d{1,2}):(\d\d)", text.strip())
    if not m or int(m[1]) > 24 or int(m[2]) > 59 or (int(m[1]) == 24 and int(m[2])):
        raise ValueError(f"expected a time as 09:00 (found {text!r})")
    return dt.time.max if int(m[1]) == 24 else dt.time(int(m[1]), int(m[2]))


def _spans(value: object) -> object:
    if not isinstance(value, dict):
        return value
    spans: list[OpenSpan] = []
    for days, hours in value.items():
        for one in hours if isinstance(hours, list) else [hours]:
            opens, dash, closes = str(one).partition("-")
            if not dash:
                raise ValueError(f"expected hours as 09:00-21:00 (found {one!r})")
            span = OpenSpan(_weekdays(str(days)), _clock(opens), _clock(closes))
            if span.opens >= span.closes:
                raise ValueError(f"opens at or after it closes ({one}); split a span that crosses midnight in two")
            spans.append(span)
    return tuple(spans)


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("expected an IP address or network, as 192.0.2.7 or 192.0.2.0/24") from None


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _pattern(value: str) -> str:
    if not re.fullmatch(r"(?:[+*#0-9A-Za-z_.!-]|\[[0-9-]+\])+", value) or "." in value[:-1] or "!" in value[:-1]:
        raise ValueError(
            "expected a dial pattern: digits, X (0-9), Z (1-9), N (2-9), [1-5], and at the end . (one or more) or ! (any)"
        )
    return value


Secret = SecretStr
Network = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_network, json_schema_input_type=str)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])]
Level = Annotated[int, Field(ge=1, le=10)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ListenerText = Annotated[SipListener, BeforeValidator(_sip_listener, json_schema_input_type=str)]
HostPortText = Annotated[HostPort, BeforeValidator(_host_port, json_schema_input_type=str)]
PortRangeText = Annotated[PortRange, BeforeValidator(_port_range, json_schema_input_type=str)]
DestinationText = Annotated[Destination, BeforeValidator(_destination, json_schema_input_type=str)]
Spans = Annotated[tuple[OpenSpan, ...], BeforeValidator(_spans, json_schema_input_type=dict[str, str | list[str]])]
Seconds = Annotated[float, Field(gt=0)]


# --- the sections of a site file ------------------------------------------------------------------------------------


class Locale(Model):
    """Where the site is: how numbers without a country code are read and which clock opening hours follow."""

    country: str = Field("FR", pattern=r"^[A-Z]{2}$")
    timezone: str = "Europe/Paris"


class Listen(Model):
    """The sockets. `advertise` is the address peers reach us at, when it is not the one we listen on (NAT)."""

    sip: tuple[ListenerText, ...] = Field(min_length=1)
    http: HostPortText | None = None
    advertise: str | None = None


class Media(Model):
    """Audio: the RTP port range, the codecs in order of preference, the folder of prompts (NAME.wav is prompt NAME)."""

    ports: PortRangeText = PortRange(20000, 29999)
    codecs: tuple[Literal["PCMA", "PCMU"], ...] = ("PCMA", "PCMU")
    prompts: str | None = None


class Records(Model):
    """Where events and call records are kept: an SQLAlchemy URL without driver, `sqlite:///FILE` or `postgresql://...`."""

    url: str = "sqlite:///plateau.db"
    buffer_events: int = Field(100_000, ge=100)


class Api(Model):
    """The HTTP API: the secret that signs its tokens."""

    secret: Secret


class Web(Model):
    """The web shop's sessions: how long they live, how a call is joined to one."""

    token_header: str = "X-Web-Session"
    session_valid_s: Seconds = 7200
    code_valid_s: Seconds = 1200
    caller_id_valid_s: Seconds = 7200


class Extension(Model):
    """A phone that registers: its key is its number and its user name."""

    password: Secret
    name: str = ""
    caller_id: str | None = None
    max_contacts: int = Field(5, ge=1, le=50)


class Login(Model):
    username: str
    password: Secret


class Trunk(Model):
    """A carrier or another PBX. Calls from its addresses (`from`), or from where it registered, are its calls."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    sources: Annotated[tuple[Network, ...], BeforeValidator(_one_or_many)] = Field((), alias="from")
    gateway: str | None = Field(None, pattern=r"^sip:")
    login: Login | None = None
    registers_as: Login | None = None
    caller_id: str | None = None
    max_calls: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _reachable(self) -> Trunk:
        if not self.sources and not self.gateway and not self.registers_as:
            raise ValueError("expected at least one of: from (its addresses), gateway (its SIP URI), registers_as (its login here)")
        return self


class DialRule(Model):
    """One line of the dial plan: callers of `from` who dial `match` reach `to`; the first rule that matches wins.

    `{number}` in `to` and `dial` is the dialled number, `{number:N}` the same without its first N characters.
    `from` is `extensions`, `trunks`, `anyone` or `trunk NAME`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    match: Pattern
    to: DestinationText
    callers: str = Field("extensions", alias="from", pattern=r"^(extensions|trunks|anyone|trunk \S+)$")
    dial: str | None = None


class Hours(Model):
    """A calendar: opening spans by weekday, public holidays of a country, single closed days."""

    open: Spans
    holidays: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    closed: tuple[dt.date, ...] = ()


class _State(Model):
    """One state of an IVR flow. The first key names the verb; `then` and the like name states of the same flow."""


class Say(_State):
    """Play prompts one after the other, then go on (or hang up when there is no `then`)."""

    say: Names
    then: str | None = None


class Menu(_State):
    """Play `menu`, wait for one key. No key within `timeout_s` or a wrong key: `invalid` is played and the menu again,
    `retries` times; then `otherwise`."""

    menu: Names
    keys: dict[Annotated[str, Field(pattern=r"^[0-9*#A-D]$")], str] = Field(min_length=1)
    timeout_s: Seconds = 5
    retries: int = Field(2, ge=0, le=9)
    invalid: Names = ()
    otherwise: str | None = None


class Gather(_State):
    """Play `gather`, collect digits into the call attribute `into` until `digits` of them, `#`, or `timeout_s` after the
    last key. Too few: again, `retries` times, then `otherwise`. `into: web_code` joins the call to the web session."""

    gather: Names
    digits: int = Field(ge=1, le=32)
    into: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    then: str
    min_digits: int | None = Field(None, ge=0)
    timeout_s: Seconds = 5
    retries: int = Field(1, ge=0, le=9)
    invalid: Names = ()
    otherwise: str | None = None


class ByHours(_State):
    """Go to `open` or `closed` by a calendar."""

    hours: str
    open: str
    closed: str


class Enqueue(_State):
    """Set call attributes and enter a queue; the flow ends here."""

    enqueue: str
    set: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], str | int | float] = Field(default_factory=dict)


class Connect(_State):
    """Send the call to any destination; the flow ends here."""

    connect: DestinationText


class Wait(_State):
    """Stay silent on the line for `wait_s`."""

    wait_s: Seconds
    then: str | None = None


class Echo(_State):
    """Send the caller's own sound back until the caller hangs up."""

    echo: Literal[True]


class HangUp(_State):
    hang_up: Literal[True]


VERBS: dict[str, type[_State]] = {
    "say": Say, "menu": Menu, "gather": Gather, "hours": ByHours, "enqueue": Enqueue,
    "connect": Connect, "wait_s": Wait, "echo": Echo, "hang_up": HangUp,
}  # fmt: skip

State = Say | Menu | Gather | ByHours | Enqueue | Connect | Wait | Echo | HangUp


def _state(value: Any) -> Any:
    """Choose the model by the verb key, so that an error speaks of that verb alone (not of every member of a union)."""
    if not isinstance(value, dict):
        return value
    verbs = [verb for verb in VERBS if verb in value]
    if len(verbs) != 1 and not (set(verbs) == {"hours", "open"}):
        raise ValueError(f"expected exactly one verb of: {', '.join(VERBS)} (found {', '.join(verbs) or 'none'})")
    return VERBS[verbs[0]].model_validate(value)


Flow = dict[str, Annotated[State, BeforeValidator(_state)]]


class Agent(Model):
    """A person who answers. Reached at `extension`, or at a fixed `contact` (then always registered)."""

    extension: str | None = None
    contact: str | None = Field(None, pattern=r"^sip:")
    name: str = ""
    skills: dict[str, Level] = Field(default_factory=dict)
    login: Literal["by agent", "always"] = "by agent"

    @model_validator(mode="after")
    def _one_phone(self) -> Agent:
        if (self.extension is None) == (self.contact is None):
            raise ValueError("expected either extension or contact")
        return self


class Queue(Model):
    """Callers who wait. An agent serves the queue if he fulfils `needs` (see `acd/requirement.py` for the language).

    Order over all queues: score = priority + value_weight x basket (euro) + seconds waited.
    """

    needs: str | None = None
    agents: tuple[str, ...] | None = None
    music: str | None = None
    answer: Literal["on entry", "on agent"] = "on entry"
    priority: float = 0
    value_weight: float = Field(0, ge=0)
    ring_s: Seconds = 20
    wrap_up_s: float = Field(30, ge=0)
    max_wait_s: Seconds | None = None
    overflow: DestinationText | None = None


class Site(Model):
    """A whole site file."""

    site: str = Field(min_length=1)
    locale: Locale = Locale()
    listen: Listen
    media: Media = Media()
    records: Records = Records()
    api: Api | None = None
    web: Web = Web()
    extensions: dict[str, Extension] = Field(default_factory=dict)
    trunks: dict[str, Trunk] = Field(default_factory=dict)
    numbers: dict[str, DestinationText] = Field(default_factory=dict)
    dial_plan: tuple[DialRule, ...] = ()
    hours: dict[str, Hours] = Field(default_factory=dict)
    ivr: dict[str, Flow] = Field(default_factory=dict)
    agents: dict[str, Agent] = Field(default_factory=dict)
    queues: dict[str, Queue] = Field(default_factory=dict)
