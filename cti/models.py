"""What clients may send (strict: an unknown field is an error that names it) and what they get.

The OpenAPI document is generated from these models. Money is in units of its currency, times are seconds since 1970.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cti.tokens import Role

SESSION_ID = r"^[A-Za-z0-9._~-]+$"

Text = Annotated[str, Field(max_length=500)]
Money = Annotated[float, Field(ge=0, le=1e9)]
FormValue = Annotated[str, Field(max_length=4000)] | int | float | bool | None


class Body(BaseModel):
    """Sent by a client."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Page(Body):
    """One page the visitor saw."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    title: Text | None = None
    at: float | None = Field(None, description="when, seconds since 1970")


class BasketItem(Body):
    """One line of the basket."""

    name: Text
    quantity: int = Field(1, ge=1, le=100_000)
    price: Money | None = Field(None, description="of one, in the basket's currency")
    sku: Text | None = None


class Basket(Body):
    """What the visitor is about to buy."""

    amount: Money = Field(description="total, in `currency`")
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="ISO 4217")
    items: list[BasketItem] = Field(default_factory=list, max_length=100)


class WebSessionPost(Body):
    """A visitor's session. Present fields replace what was posted before, `null` removes it, absent ones stay."""

    id: str = Field(min_length=8, max_length=128, pattern=SESSION_ID, description="the shop's own, not guessable")
    token: str | None = Field(
        None, min_length=16, max_length=128, pattern=SESSION_ID,
        description="sent in a SIP header by calls made from the page; without it, the id is the token",
    )  # fmt: skip
    pages: list[Page] | None = Field(None, max_length=200)
    basket: Basket | None = None
    partner: Text | None = Field(None, description="who brought the visitor")
    name: Text | None = Field(None, description="the visitor's name")
    phone_numbers: list[Annotated[str, Field(max_length=40)]] | None = Field(None, max_length=10)
    form: dict[Annotated[str, Field(max_length=100)], FormValue] | None = Field(None, max_length=200)
    destination: str | None = Field(None, pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="becomes a call attribute")
    language: str | None = Field(None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="BCP 47")


class DialPost(Body):
    """Whom to call."""

    to: str = Field(min_length=1, max_length=64, description="a number, as the phone would dial it")


class ConferencePost(Body):
    """Whom to call into a live call."""

    to: str = Field(min_length=1, max_length=64, description="a number, as the phone of `by` would dial it")
    by: str | None = Field(None, max_length=64, description="the extension in whose name; null: one that takes part")


Mode = Literal["monitor", "whisper", "barge"]


class SupervisionPost(Body):
    """Who listens to the agent's call, and who hears him."""

    supervisor: str = Field(min_length=1, max_length=64, description="an extension, whose phone rings")
    mode: Mode = "monitor"


class SupervisionPut(Body):
    """Who hears the supervisor from now on."""

    mode: Mode


Forward = Annotated[str | None, Field(max_length=64, description="a number, `off`, or null: as the site file says")]


class PhoneSettingsPut(Body):
    """What calls to a phone meet. Present fields change, absent ones stay."""

    dnd: bool | None = Field(None, description="null: as the site file says")
    record: bool | None = Field(None, description="its conversations are recorded; null: as the site file says")
    forward_always: Forward = None
    forward_busy: Forward = None
    forward_no_answer: Forward = None
    forward_unregistered: Forward = None


class Reply(BaseModel):
    """Sent to a client; fields may be added in later versions."""

    model_config = ConfigDict(extra="allow")


class Dialled(Reply):
    """A call that a program asked for: its phone rings."""

    call_id: str
    extension: str
    to: str
    destination: str = Field(description="where the dial plan sends it: `trunk carrier`, `extension 102`")


class ConferenceMember(Reply):
    """Somebody who is there."""

    call_id: str
    number: str
    name: str
    held: bool = Field(description="his phone holds: he neither hears nor is heard")
    mode: Mode | None = Field(description="of who listens to an agent; null: he is heard by all")


class Conference(Reply):
    name: str
    room: bool = Field(description="false: a call that others were added to")
    members: list[ConferenceMember]


class Conferences(Reply):
    conferences: list[Conference]


class Supervised(Reply):
    """A supervisor's phone rings."""

    call_id: str = Field(description="of the call that rings")
    agent: str
    supervisor: str
    mode: Mode


class Listener(Reply):
    """Who listens to an agent's call."""

    supervisor: str
    agent: str
    mode: Mode
    call_id: str = Field(description="the agent's")
    supervisor_call_id: str
    since: float


class Listeners(Reply):
    supervision: list[Listener]


class PhoneNumber(Reply):
    """A number as the shop wrote it, and as calls are compared with it."""

    given: str
    e164: str | None = Field(description="null: not a telephone number; kept, but no call is matched by it")


class WebSessionStored(Reply):
    """What became of a post."""

    id: str
    created: bool
    updated_at: float
    valid_until: float
    phone_numbers: list[PhoneNumber]
    calls_updated: int = Field(description="live calls joined to this session, whose agents see the change")


class WebSessionView(Reply):
    """A session as the agent sees it."""

    id: str
    pages: list[Page] = Field(default_factory=list)
    basket: Basket | None = None
    partner: str | None = None
    name: str | None = None
    phone_numbers: list[str] = Field(default_factory=list)
    form: dict[str, FormValue] = Field(default_factory=dict)
    destination: str | None = None
    language: str | None = None
    created_at: float
    updated_at: float
    valid_until: float


class Code(Reply):
    """To show on the page: the caller types it when asked."""

    code: str = Field(pattern=r"^\d{7}$")
    valid_until: float


class Call(Reply):
    """A live call."""

    id: str
    direction: str
    from_: str = Field(alias="from")
    to: str
    state: str
    since: float | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)


class Calls(Reply):
    calls: list[Call]
    left_off: int = Field(description="how many more there are than `limit`")


class Waiting(Reply):
    """A call that waits, or rings at an agent."""

    call_id: str
    channel: str | None = Field(None, description="call, callback")
    waited_s: float
    score: float = Field(description="the highest is served first")
    state: str | None = None
    agent: str | None = Field(None, description="whose phone rings")
    attributes: dict[str, Any] = Field(default_factory=dict)


class Queue(Reply):
    """A queue and who waits in it, the next to be served first."""

    name: str
    waiting: list[Waiting]
    waiting_by_channel: dict[str, int] | None = Field(None, description="without an agent: call, callback, chat, mail")
    agents: dict[str, int] | None = Field(None, description="who could take some call of it: by state, and `available`")
    offered: int | None = None
    answered: int | None = None
    abandoned: int | None = None
    overflowed: int | None = None
    resumed: int | None = Field(None, description="callers who hung up and had their place again")
    longest_wait_s: float | None = None
    open: bool | None = Field(None, description="by its hours")
    callback: bool | None = Field(None, description="it offers callbacks")
    emergency: bool | None = Field(None, description="the switch: callers go where the queue says for that")
    priority: float | None = Field(None, description="that counts now")
    priority_set: float | None = Field(None, description="by a supervisor, in place of the site file's")


class Queues(Reply):
    queues: list[Queue]


class Agent(Reply):
    """An agent's state: LOGGED_OUT NOT_READY READY RESERVED BUSY WRAP_UP."""

    name: str
    display_name: str | None = None
    state: str
    reason: str | None = Field(None, description="why not ready or, while READY, what keeps him from being available")
    since: float | None = None
    call_id: str | None = None
    skills: dict[str, int] | None = Field(None, description="those in force")
    skill_changes: dict[str, int] | None = Field(None, description="by a supervisor; 0: not at all")
    queues: list[dict[str, Any]] | None = Field(
        None, description="of one agent: those that are his, as `name`, `level`, `joined` (he serves it now), "
        "`changed` (by a supervisor) and `able` (his skills do for some call of it)"
    )  # fmt: skip
    not_ready_reasons: list[str] | None = Field(None, description="of one agent: those he may give; empty: any")
    channels: dict[str, int] | None = Field(None, description="how much of each he may have at once")
    work: dict[str, str] | None = Field(None, description="what he has beside the phone: channel by item")
    phone: str | None = Field(None, description="where he sits: an extension or a SIP URI; null: nowhere")
    wrap_up: dict[str, Any] | None = Field(
        None, description="what he notes of the call he has, or had: `call_id`, `queue`, `began` (null: it lasts), "
        "`until` (null: until a disposition is given), `at_most_until`, `dispositions`, `disposition_needed`, "
        "`disposition`"
    )  # fmt: skip
    work_notes: list[dict[str, Any]] | None = Field(
        None, description="the same of each chat and mail he has, or had, and its `channel`; `call_id` is the item's id"
    )
    registered: bool | None = Field(None, description="his phone")
    available: bool | None = None
    pending: str | None = Field(None, description="the state that follows the call, if he asked for one")


class Agents(Reply):
    agents: list[Agent]


class Cdr(Reply):
    """The record of a call that is over."""

    call_id: str
    started_at: float | None = None
    answered_at: float | None = None
    connected_at: float | None = None
    ended_at: float | None = None
    direction: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    queue: str | None = None
    agent: str | None = None
    waited_s: float | None = None
    talked_s: float | None = None
    cause: str | None = None
    status: int | None = None
    web_session: str | None = None
    basket: float | None = Field(None, description="euros")
    transfers: int = 0
    transferred_to: str | None = Field(None, description="a destination, as extension 103")
    packets_received: int | None = Field(None, description="from the caller")
    packets_sent: int | None = None
    packets_lost: int | None = None
    jitter_ms: float | None = None
    caller_rtt_ms: float | None = Field(None, description="round trip to the caller")
    caller_mos: float | None = Field(None, description="how the caller sounded: mean opinion score, 1 to 4.5 (G.107)")
    callee_lost: int | None = Field(None, description="packets of the last who talked with him")
    callee_jitter_ms: float | None = None
    callee_rtt_ms: float | None = None
    callee_mos: float | None = None
    disposition: str | None = Field(None, description="the last one noted of it")


class Cdrs(Reply):
    """Call records, newest first."""

    cdrs: list[Cdr]


class Statistics(Reply):
    """Figures, see docs/statistics.md. Now: rows with `quarter`, `hour`, `today` and, of queues, `now`. Of a span of
    time: rows of figures, each with its `start` unless `step` is total."""

    at: float
    by: str
    since: float | None = Field(None, alias="from")
    to: float | None = None
    step: str | None = None
    rows: list[dict[str, Any]]


class Recording(Reply):
    """A recording of a call."""

    id: str
    call_id: str
    linked_call_id: str | None = Field(description="the call that a party came from or went to by a transfer")
    queue: str | None
    agent: str | None
    state: Literal["recording", "kept", "deleted"]
    masked_now: bool
    started_at: float
    ended_at: float | None
    duration_s: float
    file: str = Field(description="below the site's folder")
    format: str = Field(description="wav or opus; while its file's name ends in .wav it is not yet converted")
    encrypted: bool
    masked: list[list[float | None]] = Field(description="spans of silence: from, to, in seconds; null: not yet over")
    size_bytes: int
    why: str | None = Field(description="it ended")
    legal_hold: bool
    deleted_at: float | None


class LegQuality(Reply):
    """How a leg of a live call sounds so far."""

    leg: int = Field(description="1 is the caller's")
    codec: str = Field(description="that it speaks by now")
    packets_received: int
    packets_sent: int
    packets_lost: int
    jitter_ms: float
    rtt_ms: float | None = Field(description="round trip; null: its phone sends no reports")
    mos: float | None = Field(description="mean opinion score (1 to 4.5, G.107) of what it sends; null: nothing")
    peer_lost: int = Field(description="of what it is sent, as it reports")
    peer_jitter_ms: float
    peer_mos: float | None = Field(description="of what it hears; null: its phone sends no reports")


class CallFacts(Reply):
    """What is known of one call."""

    id: str
    live: Call | None = Field(description="null: it is over")
    record: Cdr | None = Field(description="null: it is not over, or over since less than a second")
    traced: bool = Field(description="its messages are still kept: there is a ladder")
    recordings: list[Recording] = Field(description="latest first")
    quality: list[LegQuality] = Field(description="of its legs; empty if it is over: the record has the last")


class Moment(Reply):
    """One step of an explanation."""

    at: float
    after_s: float = Field(description="since the first one")
    kind: str = Field(description="came, queued, waits, needs, offered, refused, connected, left, ended, now ...")
    text: str = Field(description="one line")
    details: list[str] = Field(description="lines below it")


class Explanation(Reply):
    """Why a call went where it went."""

    call_id: str
    outcome: str = Field(description="the text of the last moment; empty if the call was in no queue")
    moments: list[Moment] = Field(description="in order; the last of a live call says what it is at")


class LadderColumn(Reply):
    title: str
    address: str


class LadderRow(Reply):
    """An arrow from column `source` to column `target`, or a note."""

    at: float
    kind: str = Field(description="request, provisional, success, failure or note")
    source: int
    target: int
    label: str
    detail: str
    repeats: int = Field(description="sent so many times: retransmissions are folded")
    sequence: int | None = Field(description="of the message, as in /v1/trace")


class Ladder(Reply):
    """A call from the first message to the last. Column 0 is the caller, 1 Plateau."""

    call_id: str
    columns: list[LadderColumn]
    rows: list[LadderRow]
    left_off: int


class Ban(Reply):
    """A source that is not listened to."""

    source: str = Field(description="an IPv4 address, or an IPv6 network of 64 bits")
    reason: str
    since: float
    until: float
    offence: int = Field(description="1: the first time; each time lasts twice as long")


class Bans(Reply):
    """All bans, the newest first."""

    bans: list[Ban]


class BanLifted(Reply):
    """That ban is over, and what led to it forgotten."""

    source: str
    lifted: bool


class Gateway(Reply):
    """One way to a trunk."""

    uri: str
    priority: int
    weight: int
    state: str
    since: float | None = Field(description="since when it is in this state; null: since the server's start")
    failed_at: float | None
    round_trip_ms: float | None = Field(description="of its last answer to OPTIONS")


class TrunkRegistration(Reply):
    """How our registration at a carrier stands."""

    state: Literal["stopped", "registering", "registered", "waiting", "leaving", "removing"]
    registrar: str
    registered: bool = Field(description="the carrier has our contact, as far as we know")
    expires_at: float | None
    next_at: float | None = Field(description="when it is refreshed or tried again")
    failures: int = Field(description="in a row")
    last_status: int = Field(description="of the last failure; 0 after a success")
    last_reason: str


class Trunk(Reply):
    """A carrier or another telephone system."""

    name: str
    calls: int
    gateways: list[Gateway]
    registration: TrunkRegistration | None = Field(description="null: we don't register there")


class Trunks(Reply):
    """All trunks of the site."""

    trunks: list[Trunk]


class PhoneContact(Reply):
    """Where a phone registered from."""

    uri: str
    hop: str = Field(description="where its calls are sent, as udp:192.0.2.7:5060")
    expires_at: float
    silent: int = Field(description="OPTIONS in a row that it did not answer")
    round_trip_ms: float | None = Field(description="of its last answer to OPTIONS; null: it is not asked")


class Phone(Reply):
    """A registered extension."""

    extension: str
    reachable: bool = Field(description="false: no contact of it answers, its agent gets no calls of queues")
    contacts: list[PhoneContact]


class Phones(Reply):
    """Registered extensions."""

    phones: list[Phone]
    left_off: int = Field(description="how many more there are than `limit`")


class PhoneSettings(Reply):
    """What calls to a phone meet now. A forward is a number or a destination of the site file; null: none."""

    extension: str
    dnd: bool
    record: bool = Field(description="its conversations are recorded")
    forward_always: str | None
    forward_busy: str | None
    forward_no_answer: str | None
    forward_unregistered: str | None
    set: list[str] = Field(description="what users have set; the rest is as the site file says")


class Messages(Body):
    """How many voice messages wait; phones that subscribed (RFC 3842) show it."""

    new: int = Field(0, ge=0, le=9999)
    old: int = Field(0, ge=0, le=9999)
    new_urgent: int = Field(0, ge=0, le=9999)
    old_urgent: int = Field(0, ge=0, le=9999)


class Recordings(Reply):
    """Recordings, the latest first."""

    recordings: list[Recording]


class LegalHold(Body):
    """On: neither the retention job nor anybody deletes it."""

    on: bool


class Who(Reply):
    """Whose token this is."""

    role: Role
    name: str
    expires_at: float


class Health(Reply):
    status: str = Field(description="ok, or degraded (then the HTTP status is 503)")
    parts: dict[str, bool]


class Problem(Reply):
    """Problem details (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: list[dict[str, str]] | None = Field(None, description="of an invalid body: path and message of each field")
    state: str | None = Field(None, description="of a conflict: the agent's state")
