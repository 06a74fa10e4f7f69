"""Errors about callbacks.

CallbackError           an AcdError: a callback can't be had
├── UnknownCallback     there is none (any more)
├── CallbackStateError  the command makes no sense in its state
├── NoCallbacks         the queue offers none
├── DuplicateCallback   the number is to be called by that queue already
├── CallbacksFull       so many wait already
└── NotANumber          it can't be called
"""

from __future__ import annotations

from acd.errors import AcdError


class CallbackError(AcdError):
    """A callback can't be had."""


class UnknownCallback(CallbackError):
    """There is none, or it is over."""

    def __init__(self, callback: str) -> None:
        super().__init__(f"no callback {callback!r}")


class CallbackStateError(CallbackError):
    """The command makes no sense in the callback's state."""

    def __init__(self, callback: str, command: str, state: str) -> None:
        super().__init__(f"{command} makes no sense while callback {callback} is {state}")
        self.state = state


class NoCallbacks(CallbackError):
    """The queue offers none."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"queue {queue} offers no callbacks")


class DuplicateCallback(CallbackError):
    """One number waits for one call from a queue."""

    def __init__(self, queue: str, number: str, state: str) -> None:
        super().__init__(f"queue {queue} is going to call {number} already")
        self.state = state  # of the one that is there


class CallbacksFull(CallbackError):
    """As many wait for a call from this queue as the site allows."""

    def __init__(self, queue: str, most: int) -> None:
        super().__init__(f"{most} wait for a call from queue {queue}, no more are taken")


class NotANumber(CallbackError):
    """It is no number that we call; the text says why."""
