"""What happened in the queues, in the past tense. The engine's state can be rebuilt from these alone.

`at` is seconds since 1970 (UTC).
"""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from acd.callback_events import CallbackEvent
from config.frozen import frozen


@frozen
class AgentStateChanged:
    """LOGGED_OUT NOT_READY READY RESERVED BUSY WRAP_UP."""

    at: float
    agent: str
    state: str
    reason: str | None  # not-ready reason: "lunch", "no answer", "rejected", "unregistered" ...
    call_id: str | None


@frozen
class AgentSeated:
    """He is reached at another phone: he logged in there, or left it."""

    topic: ClassVar[str] = "agents"
    at: float
    agent: str
    phone: str | None  # None: at none


@frozen
class AgentQueuesChanged:
    """Which queues he serves."""

    topic: ClassVar[str] = "agents"
    at: float
    agent: str
    left: list[str]  # those he does not serve for now
    changes: dict[str, int]  # levels over the site file's; 0: he does not serve it
    by: str  # the supervisor; "": himself


@frozen
class AgentSkillsChanged:
    """A supervisor changed what he can do."""

    topic: ClassVar[str] = "agents"
    at: float
    agent: str
    skills: dict[str, int]  # all of them, now
    changes: dict[str, int]  # those over the site file's; 0: he has it not
    by: str


@frozen
class AgentCommanded:
    """A supervisor did it in the agent's place; what came of it is told by other events."""

    topic: ClassVar[str] = "agents"
    at: float
    agent: str
    command: str  # as in the API: login, logout, ready, hang_up, note ...
    by: str


@frozen
class AgentRepaired:
    """He was at work on something that is not there any more, and is free of it."""

    topic: ClassVar[str] = "agents"
    at: float
    agent: str
    state: str  # that he was in
    call_id: str | None
    why: str


@frozen
class WorkNoted:
    """How a call ended, in a word of its queue's list. Told again when the agent changes it: the last one counts."""

    topic: ClassVar[str] = "agents"
    at: float
    item_id: str
    queue: str
    agent: str
    disposition: str
    before: str | None = None  # in whose place it comes


@frozen
class WrapUpExtended:
    """The agent needs longer for his notes."""

    topic: ClassVar[str] = "agents"
    at: float
    item_id: str
    queue: str
    agent: str
    until: float


@frozen
class WrapUpEnded:
    """A chat or a mail is noted down. Of a call the agent's state tells it."""

    topic: ClassVar[str] = "agents"
    at: float
    item_id: str
    queue: str
    agent: str
    wrapped_s: float
    channel: str


@frozen
class ItemQueued:
    """A call began to wait."""

    at: float
    item_id: str  # the call's id
    queue: str
    attributes: dict[str, str | int | float]
    score: float  # priority + value weight x basket, before age
    channel: str = "call"
    skills: tuple[str, ...] = ()  # that its queue's `needs` names


@frozen
class ItemRescored:
    """What is known of the call changed while it waited, and with it its score or who fits."""

    at: float
    item_id: str
    queue: str
    attributes: dict[str, str | int | float]  # all of them
    score: float  # before age


@frozen
class ItemReserved:
    """An item is held for one agent until accepted, refused or expired."""

    at: float
    item_id: str
    queue: str
    agent: str
    reservation: int
    waited_s: float
    why: str  # one line: what decided
    decision: tuple[object, ...] = ()  # as `decision.Decision`


@frozen
class ItemWaits:
    """Nobody takes the item now: when it comes, comes to another step, or leaves for having waited too long."""

    at: float
    item_id: str
    queue: str
    fitting: tuple[object, ...]  # as `decision.Fitting`


@frozen
class ReservationEnded:
    """Not accepted: outcome is no_answer, rejected, busy, unregistered, failed, caller_hung_up, withdrawn or,
    when a colleague was quicker, answered_elsewhere."""

    at: float
    item_id: str
    queue: str
    agent: str
    reservation: int
    outcome: str


@frozen
class ItemConnected:
    """Agent and caller talk."""

    at: float
    item_id: str
    queue: str
    agent: str
    waited_s: float
    in_time: bool = True  # not later than the queue's service level says
    predicted_s: float | None = None  # the wait that was expected when it came; None: it was not asked, or not known
    channel: str = "call"


@frozen
class ItemCompleted:
    """The conversation ended."""

    at: float
    item_id: str
    queue: str
    agent: str
    talked_s: float
    by: str = ""  # who ended it: caller, agent; transfer: the call went on elsewhere
    to: str | None = None  # transferred there: "queue asia", "extension 103"
    to_agent: str | None = None  # whose phone that is
    channel: str = "call"
    wraps_up: bool = False  # a chat or a mail that its agent notes down: `WrapUpEnded` follows


@frozen
class ItemAbandoned:
    """The caller hung up while waiting."""

    at: float
    item_id: str
    queue: str
    waited_s: float
    short: bool = False  # so soon that nobody counts it as lost
    channel: str = "call"


@frozen
class ItemOverflowed:
    """The item left the queue by its rules, or by somebody's decision."""

    at: float
    item_id: str
    queue: str
    waited_s: float
    to: str | None
    reason: str  # max_wait, closed, emergency, rule: waiting >= 20, key 0, moved, withdrawn, callback expired ...
    channel: str = "call"


@frozen
class ItemKept:
    """The caller hung up while waiting; the place is kept. Abandoned then, or resumed."""

    at: float
    item_id: str
    queue: str
    waited_s: float
    until: float


@frozen
class ItemResumed:
    """The place is another's now: of the call with which the caller is back, or of his callback."""

    at: float
    item_id: str
    queue: str
    waited_s: float  # until he hung up
    by: str  # the item, or the callback, that goes on
    channel: str = "call"


@frozen
class CallsInterval:
    """The figures of a queue, or of a skill, in a quarter of an hour that is over."""

    topic: ClassVar[str] = "statistics"
    at: float
    kind: str  # queue, skill
    name: str
    channel: str
    start: int  # seconds since 1970, a multiple of 900
    figures: list[int]  # the columns of `figures.CALLS`
    dispositions: dict[str, int] = field(default_factory=dict)  # how often each was noted


@frozen
class AgentInterval:
    """The figures of an agent in a quarter of an hour that is over."""

    topic: ClassVar[str] = "statistics"
    at: float
    agent: str
    start: int
    figures: list[int]  # the columns of `figures.AGENTS`
    not_ready_ms: dict[str, int]  # by reason
    dispositions: dict[str, int] = field(default_factory=dict)


@frozen
class ItemPrefers:
    """The item waits for one agent."""

    at: float
    item_id: str
    queue: str
    agent: str
    until: float  # for as long as this at most


@frozen
class ItemRelaxed:
    """Others may take the item from now on: a step of `relax`, agents borrowed or no longer borrowed, or the end of
    waiting for one agent."""

    at: float
    item_id: str
    queue: str
    step: int  # 0: what the queue needs at first
    needs: str | None  # of a new step
    why: str


@frozen
class PriorityChanged:
    """A supervisor gave a queue, or one item, another priority, or (None) its own again."""

    at: float
    queue: str
    item_id: str | None  # None: the whole queue
    priority: float | None


@frozen
class EmergencySwitched:
    """Somebody switched a queue to emergency, or back."""

    at: float
    queue: str
    on: bool


AcdEvent = (
    AgentStateChanged
    | AgentSeated
    | AgentQueuesChanged
    | AgentSkillsChanged
    | AgentCommanded
    | AgentRepaired
    | WorkNoted
    | WrapUpExtended
    | WrapUpEnded
    | ItemQueued
    | ItemRescored
    | ItemReserved
    | ItemWaits
    | ReservationEnded
    | ItemConnected
    | ItemCompleted
    | ItemAbandoned
    | ItemOverflowed
    | ItemKept
    | ItemPrefers
    | ItemRelaxed
    | PriorityChanged
    | ItemResumed
    | EmergencySwitched
    | CallsInterval
    | AgentInterval
    | CallbackEvent
)
