"""The site file as typed, frozen models: what an admin may write, in the words of a telephony admin.

`config.loader` reads YAML into these and says file, line and column of every mistake. Nothing here does I/O.
Names ending in `_s` are seconds. `docs/site-file.md` is the reference made for people. The small languages inside
values are in `config.fields`; their types are exported here too.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr

from config.agents import Acd, Agent
from config.calls import Calls
from config.conferences import Room, Supervision
from config.fields import (
    WEEKDAYS,
    AttributeName,
    AttributeValue,
    Callers,
    Country,
    Date,
    Destination,
    DestinationText,
    HostPort,
    Key,
    Name,
    Number,
    OneOrMany,
    OpenSpan,
    Pattern,
    PortRange,
    Seconds,
    Secret,
    SipListener,
    Spans,
    Url,
    Yes,
)
from config.listen import Listen
from config.media import Media
from config.model import Login, Model
from config.phones import Extension, Forward, Group, ParkingLot
from config.queues import Queue
from config.recordings import Recordings
from config.registration import Registration
from config.sayings import Sayings, Spoken
from config.security import Security
from config.speech import Speech
from config.tolls import Tolls
from config.trace import Trace
from config.trunks import Trunk

__all__ = [
    "VERBS",
    "WEEKDAYS",
    "Acd",
    "Agent",
    "Api",
    "ByHours",
    "CallBack",
    "Calls",
    "Connect",
    "Destination",
    "DialRule",
    "Echo",
    "Enqueue",
    "Extension",
    "Flow",
    "Forward",
    "Gather",
    "Group",
    "HangUp",
    "HostPort",
    "Hours",
    "Listen",
    "Locale",
    "Login",
    "Media",
    "Menu",
    "Model",
    "OpenSpan",
    "ParkingLot",
    "PortRange",
    "Queue",
    "Record",
    "Recordings",
    "Records",
    "Room",
    "Say",
    "Secret",
    "Security",
    "SipListener",
    "Site",
    "Speech",
    "Spoken",
    "State",
    "Supervision",
    "Trace",
    "Trunk",
    "Wait",
    "Web",
]


class Locale(Model):
    """Where the site is: how numbers without a country code are read and which clock opening hours follow."""

    country: Country = "FR"
    timezone: str = "Europe/Paris"


class Records(Model):
    """Where events and call records are kept: an SQLAlchemy URL without driver, `sqlite:///FILE` or `postgresql://...`."""

    url: Url = Field("sqlite:///plateau.db", repr=False)
    buffer_events: int = Field(default=100_000, ge=100)


MIN_API_SECRET_BYTES = 32  # RFC 7518 3.2: a key of HS256 is as long as its hash


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < MIN_API_SECRET_BYTES:
        raise ValueError(f"expected at least {MIN_API_SECRET_BYTES} characters, as from: openssl rand -hex 32")
    return secret


class Api(Model):
    """The HTTP API: the secret that signs its tokens."""

    secret: Annotated[Secret, AfterValidator(_long_enough)]


class Web(Model):
    """The web shop's sessions: how long they live, how a call is joined to one."""

    token_header: str = "X-Web-Session"
    session_to: Annotated[tuple[Callers, ...], OneOrMany] = ()
    session_valid_s: Seconds = 7200
    code_valid_s: Seconds = 1200
    caller_id_valid_s: Seconds = 7200


class DialRule(Model):
    """One line of the dial plan: callers of `from` who dial `match` reach `to`; the first rule that matches wins.

    `{number}` in `to` and `dial` is the dialled number, `{number:N}` the same without its first N characters.
    `from` is `extensions`, `trunks`, `anyone` or `trunk NAME`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    match: Pattern
    to: DestinationText
    callers: Callers = Field("extensions", alias="from")
    dial: str | None = None


class Hours(Model):
    """A calendar: opening spans by weekday, public holidays of a country, single closed days."""

    open: Spans
    holidays: Country | None = None
    closed: tuple[Date, ...] = ()


class _State(Model):
    """One state of an IVR flow. The first key names the verb; `then` and the like name states of the same flow."""


class Say(_State):
    """Play prompts and say values and texts one after the other, then go on (or hang up when there is no `then`)."""

    say: Sayings
    then: str | None = None


class Menu(_State):
    """Play `menu`, wait for one key. No key within `timeout_s` or a wrong key: `invalid` is played and the menu again,
    `retries` times; then `otherwise`."""

    menu: Sayings
    keys: dict[Key, str] = Field(min_length=1)
    timeout_s: Seconds = 5
    retries: int = Field(default=2, ge=0, le=9)
    invalid: Sayings = ()
    otherwise: str | None = None


class Gather(_State):
    """Play `gather`, collect digits into the call attribute `into` until `digits` of them, `#`, or `timeout_s` after
    the last key. Too few: again, `retries` times, then `otherwise`. `into: web_code` joins the call to the web session.
    """

    gather: Sayings
    digits: int = Field(ge=1, le=32)
    into: AttributeName
    then: str
    min_digits: int | None = Field(default=None, ge=0)
    timeout_s: Seconds = 5
    retries: int = Field(default=1, ge=0, le=9)
    invalid: Sayings = ()
    otherwise: str | None = None


class ByHours(_State):
    """Go to `open` or `closed` by a calendar."""

    hours: str
    open: str
    closed: str


class Enqueue(_State):
    """Set call attributes and enter a queue; the flow ends here."""

    enqueue: str
    set: dict[AttributeName, AttributeValue] = Field(default_factory=dict)


class Connect(_State):
    """Send the call to any destination; the flow ends here."""

    connect: DestinationText


class Wait(_State):
    """Stay silent on the line for `wait_s`."""

    wait_s: Seconds
    then: str | None = None


class Echo(_State):
    """Send the caller's own sound back until the caller hangs up."""

    echo: Yes


class Record(_State):
    """Record the call from here on, or not any longer; `mask`: silence in its place, until `unmask`. `announce` is
    played then (and recorded)."""

    record: Literal["start", "stop", "mask", "unmask"]
    announce: Sayings = ()
    then: str | None = None


class CallBack(_State):
    """Ask for a call from queue `callback`: to the caller's number, or the one in call attribute `number`; now or, with
    `after_s`, not before. `otherwise`: if that can't be: no number, one that is not called, too many waiting, asked for
    already."""

    callback: str
    number: AttributeName | None = None
    after_s: Seconds | None = None
    set: dict[AttributeName, AttributeValue] = Field(default_factory=dict)
    then: str | None = None
    otherwise: str | None = None


class HangUp(_State):
    """End the call."""

    hang_up: Yes


VERBS: dict[str, type[_State]] = {
    "say": Say, "menu": Menu, "gather": Gather, "hours": ByHours, "enqueue": Enqueue,
    "connect": Connect, "wait_s": Wait, "echo": Echo, "record": Record, "callback": CallBack,
    "hang_up": HangUp,
}  # fmt: skip

State = Say | Menu | Gather | ByHours | Enqueue | Connect | Wait | Echo | Record | CallBack | HangUp


def _state(value: Any) -> Any:
    """Choose the model by the verb key, so that an error speaks of that verb alone (not of every member of a union)."""
    if isinstance(value, _State):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"expected a state, that is a verb and its keys; verbs: {', '.join(VERBS)}")
    verbs = [verb for verb in VERBS if verb in value]
    if len(verbs) != 1:
        raise ValueError(f"expected exactly one verb of: {', '.join(VERBS)}")
    return VERBS[verbs[0]].model_validate(value)


Flow = Annotated[dict[Name, Annotated[State, BeforeValidator(_state)]], Field(min_length=1)]


class Site(Model):
    """A whole site file."""

    site: str = Field(min_length=1)
    locale: Locale = Locale()
    listen: Listen
    registration: Registration = Registration()
    media: Media = Media()
    speech: Speech = Speech()
    calls: Calls = Calls()
    recordings: Recordings = Recordings()
    records: Records = Records()
    api: Api | None = None
    web: Web = Web()
    security: Security = Security()
    trace: Trace = Trace()
    extensions: dict[Name, Extension] = Field(default_factory=dict)
    trunks: dict[Name, Trunk] = Field(default_factory=dict)
    tolls: Tolls = Tolls()
    groups: dict[Name, Group] = Field(default_factory=dict)
    park: dict[Name, ParkingLot] = Field(default_factory=dict)
    conferences: dict[Name, Room] = Field(default_factory=dict)
    supervision: Supervision = Supervision()
    numbers: dict[Number, DestinationText] = Field(default_factory=dict)
    dial_plan: tuple[DialRule, ...] = ()
    hours: dict[Name, Hours] = Field(default_factory=dict)
    ivr: dict[Name, Flow] = Field(default_factory=dict)
    acd: Acd = Acd()
    agents: dict[Name, Agent] = Field(default_factory=dict)
    queues: dict[Name, Queue] = Field(default_factory=dict)
