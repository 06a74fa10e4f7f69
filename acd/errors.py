"""Errors of this package.

AcdError
├── RequirementError    a requirement expression cannot be read (text, column)
├── QueueNeedsError     ... that of a queue (queue, cause)
├── UnknownAgent        no such agent in the site
├── UnknownQueue        no such queue in the site (any more)
├── UnknownSkill        no agent of the site has it, and no queue asks for it
├── UnknownReason       a not-ready reason that is not in the site's list (allowed)
├── UnknownDisposition  a disposition that is not in the queue's list (allowed)
├── BadLevel            a level that is none
├── UnknownItem         no such item in any queue, or in this one
├── CallbackError       a callback can't be had (`callback_errors.py`)
├── UnknownDestination  nothing of that name to send a call to
├── ItemCommandError    the command makes no sense in the call's state
└── AgentCommandError   the command makes no sense in the agent's state
    ├── DispositionNeeded   ... before a disposition is given (allowed)
    ├── WrapUpTooLong       ... and may not be extended further
    └── PhoneTaken          ... another agent is logged in at that phone
"""

from __future__ import annotations

from collections.abc import Collection

from config.suggestion import did_you_mean


class AcdError(Exception):
    """Root of the tree. Raised as itself only for an input that cannot be: an error of the caller's program."""


class RequirementError(AcdError):
    """A requirement expression cannot be read."""

    def __init__(self, message: str, text: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.text = text
        self.column = column  # counts from 1


class QueueNeedsError(AcdError):
    """The `needs` of a queue cannot be read; `cause` says where."""

    def __init__(self, queue: str, cause: RequirementError) -> None:
        super().__init__(f"queue {queue}: needs: {cause}")
        self.queue = queue
        self.cause = cause


class UnknownAgent(AcdError):
    """No such agent in the site."""

    def __init__(self, agent: str) -> None:
        super().__init__(f"no agent {agent!r}")
        self.agent = agent


class UnknownQueue(AcdError):
    """No such queue in the site, or it was removed and serves only those who still wait in it."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"no queue {queue!r}")
        self.queue = queue


class UnknownSkill(AcdError):
    """No agent of the site has it, and no queue asks for it."""

    def __init__(self, skill: str, known: Collection[str]) -> None:
        hint = did_you_mean(skill, known)
        super().__init__(f"no skill {skill!r}" + (f", {hint}" if hint else ""))
        self.skill = skill


class UnknownItem(AcdError):
    """No item of that name waits, rings or talks; `queue`: in that one."""

    def __init__(self, item: str, queue: str | None = None) -> None:
        super().__init__(f"no item {item!r} in {'any queue' if queue is None else f'queue {queue}'}")
        self.item = item


class AgentCommandError(AcdError):
    """The command makes no sense in the agent's state."""

    def __init__(self, agent: str, command: str, state: str, why: str = "") -> None:
        super().__init__(why or f"{command} makes no sense while {agent} is {state}")
        self.agent = agent
        self.command = command
        self.state = state


class UnknownReason(AcdError):
    """A not-ready reason that is not in the site's list."""

    def __init__(self, reason: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"no reason {reason!r}, expected one of: {', '.join(allowed)}")
        self.allowed = allowed


class UnknownDisposition(AcdError):
    """A disposition that is not in the queue's list."""

    def __init__(self, disposition: str, queue: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            f"no disposition {disposition!r}, "
            + (f"expected one of: {', '.join(allowed)}" if allowed else f"queue {queue} has none")
        )
        self.allowed = allowed


class BadLevel(AcdError):
    """Not the level of a skill, or in a queue."""

    def __init__(self, name: str, level: object, most: int) -> None:
        super().__init__(f"{name!r}: {level!r} is no level, expected 0 to {most}, or null for what the site file says")


class DispositionNeeded(AgentCommandError):
    """The queue wants a disposition before the wrap-up ends."""

    def __init__(self, agent: str, command: str, state: str, allowed: tuple[str, ...]) -> None:
        super().__init__(agent, command, state, f"a disposition is needed first: {', '.join(allowed)}")
        self.allowed = allowed


class WrapUpTooLong(AgentCommandError):
    """It may not be extended further."""

    def __init__(self, agent: str, state: str, most_s: float) -> None:
        super().__init__(agent, "extend wrap-up", state, f"the wrap-up may last {most_s:g} s at most")


class PhoneTaken(AgentCommandError):
    """Somebody else is logged in at that phone."""

    def __init__(self, phone: str, agent: str, state: str) -> None:
        super().__init__(agent, "login", state, f"{agent} is logged in at {phone}")


class UnknownDestination(AcdError):
    """There is nothing of that name to send a call to, or it is nothing that takes calls."""

    def __init__(self, destination: object) -> None:
        super().__init__(f"no destination {str(destination)!r} that takes calls")


class ItemCommandError(AcdError):
    """The command makes no sense in the state of the call."""

    def __init__(self, item: str, command: str, state: str) -> None:
        super().__init__(f"{command} makes no sense while call {item} is {state}")
        self.item = item
        self.command = command
        self.state = state
