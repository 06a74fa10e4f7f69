"""Queues: who serves them in which order, and how callers are treated while they wait.

What cannot be written here is decided in `acd`; the language of `needs` is in `acd/requirement.py`, that of rules in
`config/queue_rules.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.fields import AttributeName, DestinationText, Expected, Key, Names, OneOrMany, Seconds
from config.model import Model
from config.queue_rules import QueueRuleText
from config.sayings import Sayings

Needs = Annotated[str, Expected("a requirement, as asia >= 5 and (french or english >= 7)")]
Calendar = Annotated[str, Expected("the name of a calendar, that is an entry of the section hours")]
Strategy = Literal[
    "longest idle", "most skilled", "least occupied", "round robin", "fewest calls", "least talk time", "top down",
    "random", "weighted", "ring all", "ring progressively",
]  # fmt: skip


class Relaxation(Model):
    """From `after_s` of waiting on, `needs` in place of the queue's: more agents may take the call. At once, if nobody
    who is logged in could fulfil what it needs before."""

    after_s: Seconds
    needs: Needs


class Borrowing(Model):
    """While the rule holds, agents of other queues take calls of this one, too, whatever it needs (or those among them
    who fulfil `needs`)."""

    when: QueueRuleText
    agents_of: Annotated[Names, Field(min_length=1)]
    needs: Needs | None = None


class Rule(Model):
    """When it holds, the call goes to `to`."""

    when: QueueRuleText
    to: DestinationText


class Preference(Model):
    """One agent is waited for: the one that call attribute `attribute` names, else (`last_agent_days`) the one who
    talked with this number last. After `wait_s` without him, or at once if he is logged out, anybody who fits."""

    attribute: AttributeName = "preferred_agent"
    last_agent_days: float | None = Field(default=None, gt=0)
    wait_s: Seconds = 30


class Announcements(Model):
    """What is said over the music. Position and expected wait are said at most every `every_s`, the first time after
    `first_after_s`; a wait that has grown is said to have grown, and only then. `messages` in turn, every
    `messages_every_s`."""

    first_after_s: float = Field(default=10, ge=0)
    every_s: Seconds = 60
    position: Annotated[bool | Annotated[int, Field(ge=1)], Expected("true, false or up to which position")] = False
    wait: bool = False
    wait_at_most_s: Seconds = 1800
    your_position: Sayings = ()
    your_wait: Sayings = ()
    wait_grown: Sayings = ()
    messages: Sayings = ()
    messages_every_s: Seconds = 45


class Callback(Model):
    """The caller presses `key` and hangs up; his place is kept, and he is called when it comes up.

    `agent first`: an agent takes it, then the customer is called. `customer first`: the customer is called when an
    agent is held for him, and the agent rings when he answers.
    """

    key: Key = "1"
    offer: Sayings = ()
    offer_after_s: float = Field(default=30, ge=0)
    number: Literal["caller", "ask"] = "caller"
    ask_number: Sayings = ()
    confirm: Sayings = ()
    order: Literal["agent first", "customer first"] = "agent first"
    through: str | None = None  # trunk; None: as if a phone of ours dialled it
    ring_s: Seconds = 30
    retries: int = Field(default=2, ge=0, le=20)
    retry_after_s: Seconds = 600
    keep_s: Seconds = 86_400
    hours: Calendar | None = None
    most: int = Field(default=1000, ge=1)


class ServiceLevel(Model):
    """Answered within `within_s`, of all offered; who leaves before `short_abandon_s` is not counted. `target`: for
    simulations and wall boards."""

    within_s: Seconds = 20
    target: float = Field(default=0.8, gt=0, le=1)
    short_abandon_s: float = Field(default=5, ge=0)


class Queue(Model):
    """Callers who wait. An agent serves the queue if he fulfils `needs` (see `acd/requirement.py` for the language).

    Order over all queues: score = priority + value_weight x basket (euro) + seconds waited.
    `record`: calls are recorded from when an agent answers.
    """

    needs: Needs | None = None
    agents: Annotated[tuple[str, ...], OneOrMany] | None = None
    strategy: Strategy = "longest idle"
    ring_another_s: Seconds = 5
    relax: tuple[Relaxation, ...] = ()
    borrow: Borrowing | None = None
    prefer: Preference | None = None
    assign: Literal["at once", "together"] = "at once"

    hours: Calendar | None = None
    closed: DestinationText | None = None
    emergency: DestinationText | None = None
    enter: tuple[Rule, ...] = ()
    leave: tuple[Rule, ...] = ()
    max_wait_s: Seconds | None = None
    overflow: DestinationText | None = None
    keys: dict[Key, DestinationText] = Field(default_factory=dict)
    resume_s: float = Field(default=0, ge=0)
    callback: Callback | None = None

    music: str | None = None
    answer: Literal["on entry", "on agent"] = "on entry"
    announce: Announcements | None = None
    whisper: Sayings = ()

    priority: float = 0
    value_weight: float = Field(default=0, ge=0)
    ivr_credit: float = Field(default=0, ge=0, le=1)
    ring_s: Seconds = 20
    wrap_up_s: float = Field(default=30, ge=0)
    dispositions: Names = ()
    disposition_needed: bool = False
    service_level: ServiceLevel = ServiceLevel()
    record: bool = False
    keep_recordings_days: float | None = Field(default=None, gt=0)
