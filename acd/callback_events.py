"""What happened to callbacks, in the past tense. `at` is seconds since 1970 (UTC). While a callback is due, its item
has the events of any item; `item_id` begins with the callback's id."""

from __future__ import annotations

from typing import ClassVar

from config.frozen import frozen


@frozen
class CallbackAsked:
    """A customer wants to be called."""

    topic: ClassVar[str] = "queues"

    at: float
    callback_id: str
    queue: str
    number: str  # E.164
    due_at: float  # not before
    attributes: dict[str, str | int | float]
    instead_of: str | None  # the call that gave up its place in the queue for it


@frozen
class CallbackRescheduled:
    """It will be at another time."""

    topic: ClassVar[str] = "queues"

    at: float
    callback_id: str
    queue: str
    due_at: float


@frozen
class CallbackTaken:
    """An agent has answered; the customer is called next."""

    topic: ClassVar[str] = "queues"

    at: float
    callback_id: str
    item_id: str
    queue: str
    agent: str


@frozen
class CallbackDialled:
    """The customer's phone is called. The call has the item's id."""

    topic: ClassVar[str] = "queues"

    at: float
    callback_id: str
    item_id: str
    queue: str
    attempt: int  # 1 is the first


@frozen
class CallbackReached:
    """The customer answered."""

    topic: ClassVar[str] = "queues"

    at: float
    callback_id: str
    item_id: str
    queue: str


@frozen
class CallbackMissed:
    """The customer was not reached: no_answer, busy, refused, unreachable, no_route, agent_hung_up."""

    topic: ClassVar[str] = "queues"

    at: float
    callback_id: str
    item_id: str
    queue: str
    attempt: int
    outcome: str
    next_at: float | None  # None: it was the last attempt


@frozen
class CallbackClosed:
    """It is over: done, left, not_reached, expired, cancelled, called_in."""

    topic: ClassVar[str] = "queues"

    at: float
    callback_id: str
    queue: str
    outcome: str
    attempts: int  # how often the customer's phone was called


CallbackEvent = (
    CallbackAsked
    | CallbackRescheduled
    | CallbackTaken
    | CallbackDialled
    | CallbackReached
    | CallbackMissed
    | CallbackClosed
)
