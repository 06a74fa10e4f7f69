"""An item held for one agent until accepted, refused or expired."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from acd.agent_state import Input


class Outcome(StrEnum):
    """How a reservation ended that was not accepted."""

    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    BUSY = "busy"
    UNREGISTERED = "unregistered"
    FAILED = "failed"
    CALLER_HUNG_UP = "caller_hung_up"
    WITHDRAWN = "withdrawn"
    ANSWERED_ELSEWHERE = "answered_elsewhere"


# What each outcome means to the agent (README.md, Rules).
TO_AGENT: dict[Outcome, Input] = {
    Outcome.NO_ANSWER: Input.REFUSE,
    Outcome.REJECTED: Input.REFUSE,
    Outcome.BUSY: Input.REFUSE,
    Outcome.UNREGISTERED: Input.MISS,
    Outcome.FAILED: Input.MISS,
    Outcome.CALLER_HUNG_UP: Input.RELEASE,
    Outcome.WITHDRAWN: Input.RELEASE,
    Outcome.ANSWERED_ELSEWHERE: Input.RELEASE,
}

REST_S = 5.0  # after the first attempt that could not reach the phone; doubled each time in a row
MAX_REST_S = 60.0


def rest_s(failures: int) -> float:
    """How long an agent is left alone after so many failures in a row (1 or more)."""
    return min(MAX_REST_S, REST_S * 2.0 ** min(failures - 1, 10))


@dataclass(frozen=True, slots=True)
class Reservation:
    """Item and agent know it by reference; it knows them by name, so that no cycle is made. An item may be held for
    several agents at once (`ring all`): the first who answers gets it."""

    number: int
    item_id: str
    agent: str
    queue: str
    at: float
    expires_at: float
