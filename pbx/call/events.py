"""What happened to calls, in the past tense. Journalled, counted and shown; nobody acts on them but the reader.

`at` is seconds since 1970 (UTC). Every event is a frozen dataclass with `at`; those of a call have `call_id`.
"""

from __future__ import annotations

from typing import ClassVar

from config.frozen import frozen


@frozen
class CallStarted:
    """A new call was admitted and routed."""

    at: float
    call_id: str  # globally unique
    direction: str  # inbound (from a trunk), outbound (to a trunk), internal
    from_number: str
    to_number: str  # as dialled
    trunk: str | None  # the trunk it came in by
    destination: str  # as in the site file: "ivr welcome", "extension 101"
    sip_call_id: str


@frozen
class CallRefused:
    """An INVITE that never became a call."""

    at: float
    from_number: str
    to_number: str
    source: str  # address it came from
    status: int
    reason: str


@frozen
class CallAnswered:
    """The caller's leg got its 200: by an IVR, a queue or the callee."""

    at: float
    call_id: str


@frozen
class CallRevived:
    """A call that outlived the server it began in."""

    at: float
    call_id: str


@frozen
class LegStarted:
    """An INVITE left for somebody."""

    at: float
    call_id: str
    leg: int  # 1 is the caller's leg, called ones count from 2
    target: str  # SIP URI
    agent: str | None
    sip_call_id: str = ""  # its Call-ID


@frozen
class CallConnected:
    """Two parties hear each other."""

    at: float
    call_id: str
    leg: int
    agent: str | None


@frozen
class LegEnded:
    """A called leg is over; `status` is its final SIP status (200 after a conversation)."""

    at: float
    call_id: str
    leg: int
    status: int
    cause: str


@frozen
class LegQuality:
    """How a leg sounded from its beginning to its end, or to now."""

    at: float
    call_id: str
    leg: int  # 1 is the caller's
    codec: str  # that is spoken by now, or was last
    packets_received: int
    packets_sent: int
    packets_lost: int
    jitter_ms: float
    rtt_ms: float | None  # None: the peer sent no report
    mos: float | None  # 1 to 4.5, of what the peer sent; None: nothing
    peer_lost: int  # of what we sent, as the peer reports
    peer_jitter_ms: float
    peer_mos: float | None


@frozen
class LegSilent:
    """The peer of a leg has sent nothing for `silent_s`, though it should."""

    at: float
    call_id: str
    leg: int
    silent_s: float


@frozen
class CallAttributesSet:
    """Attributes were added: by an IVR state, by the match of a web session."""

    at: float
    call_id: str
    attributes: dict[str, str | int | float]


@frozen
class CallEnded:
    """The caller's leg is over and every leg with it."""

    at: float
    call_id: str
    cause: str  # caller hung up, callee hung up, refused, no answer, abandoned, media lost, drained ...
    status: int  # the final status the caller got (200 if answered)
    packets_received: int  # from the caller
    packets_sent: int
    packets_lost: int
    jitter_ms: float


@frozen
class Registered:
    """A contact was bound, refreshed (not journalled) or removed (`expires_s` 0)."""

    at: float
    aor: str
    contact: str
    expires_s: int


@frozen
class LegMoved:
    """An answered leg takes part in this call from now on, hung up by nobody: a transfer, a pickup, a parked call that
    was fetched. Inside one call it changed its part."""

    at: float
    call_id: str
    leg: int  # what it is here: 1 is the caller's
    from_call_id: str
    agent: str | None
    sip_call_id: str


@frozen
class CallTransferred:
    """Somebody gave his party on, and is out of the call."""

    at: float
    call_id: str
    kind: str  # blind, attended; replaced: another phone took his place by itself
    by: str  # his number
    to: str  # a destination: "extension 103", "queue asia"
    other_call_id: str | None = None  # attended: his call with whom he gave the party to, over now
    agent: str | None = None  # who talked, if he was an agent
    to_agent: str | None = None  # who talks now


@frozen
class CallForwarded:
    """An extension does not take the call and says who shall."""

    at: float
    call_id: str
    extension: str
    to: str
    reason: str  # unconditional, user-busy, no-answer, unavailable, do-not-disturb, deflection


@frozen
class CallPickedUp:
    """A ringing phone's call was taken at another one."""

    at: float
    call_id: str
    extension: str  # whose phone rang
    by: str


@frozen
class CallParked:
    """The caller waits in a slot."""

    at: float
    call_id: str
    slot: str  # "house 701"
    by: str  # number of who parked it


@frozen
class CallUnparked:
    """Fetched from its slot, sent back after too long a time, given to somebody else, or over: then its CallEnded is
    next."""

    at: float
    call_id: str
    slot: str
    by: str | None  # who fetched it


@frozen
class ConferenceJoined:
    """Somebody is heard in a conference: he came to it, or his call became one."""

    at: float
    call_id: str
    conference: str
    number: str  # his
    members: int  # with him


@frozen
class ConferenceLeft:
    """Somebody is heard no more there: gone, transferred, or those who are left are an ordinary call."""

    at: float
    call_id: str
    conference: str
    number: str
    members: int  # that are left


@frozen
class SupervisionStarted:
    """Somebody listens to an agent's call from now on."""

    at: float
    call_id: str  # the agent's
    agent: str
    supervisor: str  # his extension
    mode: str  # monitor, whisper (the agent hears him), barge (all do)
    supervisor_call_id: str


@frozen
class SupervisionChanged:
    """Others hear him, or nobody, from now on."""

    at: float
    call_id: str
    agent: str
    supervisor: str
    mode: str
    supervisor_call_id: str


@frozen
class SupervisionEnded:
    """He listens no more: he or the agent has hung up, or the agent gave his call on."""

    at: float
    call_id: str
    agent: str
    supervisor: str
    mode: str  # the last
    supervisor_call_id: str
    listened_s: float


@frozen
class GatewayDown:
    """A gateway of a trunk does not answer, or says 503: calls go elsewhere."""

    topic: ClassVar[str] = "system"
    at: float
    trunk: str
    gateway: str
    usable: int  # gateways that the trunk has left


@frozen
class GatewayUp:
    """It answers again."""

    topic: ClassVar[str] = "system"
    at: float
    trunk: str
    gateway: str
    usable: int


@frozen
class TrunkDown:
    """No gateway of a trunk answers. Calls to it are tried all the same."""

    topic: ClassVar[str] = "system"
    at: float
    trunk: str


@frozen
class TrunkUp:
    """One of its gateways answers again."""

    topic: ClassVar[str] = "system"
    at: float
    trunk: str


@frozen
class PhoneUnreachable:
    """A registered phone does not answer OPTIONS: no call of a queue is offered to its agent."""

    topic: ClassVar[str] = "system"
    at: float
    extension: str


@frozen
class PhoneReachable:
    """It answers again."""

    topic: ClassVar[str] = "system"
    at: float
    extension: str


@frozen
class TrunkRegistered:
    """A carrier took our registration; refreshes are not told."""

    topic: ClassVar[str] = "system"
    at: float
    trunk: str
    registrar: str
    expires_s: int


@frozen
class TrunkRegistrationFailed:
    """A carrier did not take it; told at every try."""

    topic: ClassVar[str] = "system"
    at: float
    trunk: str
    status: int
    reason: str
    retry_s: float


@frozen
class TrunkUnregistered:
    """A carrier has our contact no more: taken away, or its time is over."""

    topic: ClassVar[str] = "system"
    at: float
    trunk: str


@frozen
class RecordingStarted:
    """The call is recorded from here on; its file is open."""

    at: float
    call_id: str
    recording: str  # its id
    by: str  # the rule or who wanted it: "queue asia", "trunk carrier", "number +33...", "flow", "supervisor x";
    # "as ID": it goes on from a recording that the last server began


@frozen
class RecordingMasked:
    """Nothing but silence is recorded until it is unmasked, at the latest after the site's `mask_at_most_s`."""

    at: float
    call_id: str
    recording: str
    masked: bool
    offset_s: float  # in the recording
    by: str


@frozen
class RecordingStopped:
    """The recording is complete."""

    at: float
    call_id: str
    recording: str
    duration_s: float
    why: str  # stopped, call ended, too long, replaced, media lost


@frozen
class RecordingFailed:
    """The file can't be written (any longer). The call goes on; what was recorded stays."""

    at: float
    call_id: str
    recording: str
    duration_s: float
    reason: str  # as the system says: "No space left on device"


@frozen
class RecordingDeleted:
    """The file is gone: it was too old, or somebody deleted it."""

    at: float
    call_id: str
    recording: str
    by: str
