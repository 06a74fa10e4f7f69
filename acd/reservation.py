"""An item held for one agent until accepted, refused or expired."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from acd.agent_state import Input
from config.agents import NotAnswered


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


# What ends an offer by nothing of the agent's. What the others mean to him, the site says.
_NOT_HIS = (Outcome.CALLER_HUNG_UP, Outcome.WITHDRAWN, Outcome.ANSWERED_ELSEWHERE)


def to_agent(outcome: Outcome, policy: NotAnswered) -> Input:
    """What an outcome means to the agent (README.md, Rules)."""
    if outcome in _NOT_HIS:
        return Input.RELEASE
    return Input.REFUSE if getattr(policy, outcome.value) == "not ready" else Input.MISS


def rest_s(failures: int, policy: NotAnswered) -> float:
    """How long an agent is left alone after so many failures in a row (1 or more)."""
    return min(policy.rest_at_most_s, policy.rest_s * 2.0 ** min(failures - 1, 10))


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
