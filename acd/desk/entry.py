"""What the desk knows of a call while it is in its hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acd.desk.customers import Customer
    from acd.desk.whisper import Whisper
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call


@dataclass(slots=True, eq=False)
class Offer:
    """An agent is being asked."""

    agent: str
    reservation: int
    ring_s: float
    attempt: Attempt | None = None  # None until the screen has it
    rang: bool = False
    whisper: Whisper | None = None  # what the agent is to hear first
    held: bool = False  # his screen has it, and his phone is not to ring yet


@dataclass(slots=True, eq=False)
class Entry:
    """A call in a queue, or from a queue to an agent."""

    call: Call
    queue: str
    offers: dict[int, Offer] = field(default_factory=dict)  # by reservation; several if many ring at once
    talks: Attempt | None = None
    agent: str | None = None  # who talks
    customer: Customer | None = None  # who is to be called, until he answers
