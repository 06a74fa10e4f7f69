"""Errors of this package.

AcdError
├── RequirementError    a requirement expression cannot be read (text, column)
├── QueueNeedsError     ... that of a queue (queue, cause)
├── UnknownAgent        no such agent in the site
├── UnknownQueue        no such queue in the site (any more)
└── AgentCommandError   the command makes no sense in the agent's state
"""

from __future__ import annotations


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


class AgentCommandError(AcdError):
    """The command makes no sense in the agent's state."""

    def __init__(self, agent: str, command: str, state: str) -> None:
        super().__init__(f"{command} makes no sense while {agent} is {state}")
        self.agent = agent
        self.command = command
        self.state = state
