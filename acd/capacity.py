"""How much of which channel an agent may have at once, and what may come while he is at work of others.

Calls and callbacks are work at the phone: the table of states says when there may be one. Other channels (chat, mail)
have no state of their own: an agent has as many of each as his `channels` say. What he has of one keeps work of another
from him, unless the site's `interrupts` say otherwise: by default a call comes in the middle of chats, and no chat
comes in the middle of a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from acd.agent_state import State

if TYPE_CHECKING:
    from acd.model import Agent

PHONE: Final = ("call", "callback")
Interrupts = Mapping[str, tuple[str, ...]]


def capacity(agent: Agent, channel: str) -> int:
    """How many at once. Who takes calls takes callbacks, unless it is said that he does not."""
    most = agent.channels.get(channel)
    return most if most is not None else agent.channels.get("call", 0) if channel == "callback" else 0


def load(agent: Agent, channel: str) -> int:
    """Of a channel that is not the phone's: what he was asked to take, and has."""
    return sum(other == channel for other in agent.work.values())


def phone_open(agent: Agent, interrupts: Interrupts) -> bool:
    """Whether what he has of other channels lets calls come."""
    if not agent.work:
        return True
    may = interrupts.get("call", ())
    return all(channel in may for channel in agent.work.values())


def open_to(agent: Agent, channel: str, interrupts: Interrupts) -> bool:
    """Whether an agent may get one more of a channel that is not the phone's."""
    may = interrupts.get(channel, ())
    if agent.state is not State.READY and not (agent.state in _AT_PHONE and "call" in may):
        return False
    if agent.resting or agent.retired or agent.wish is not State.READY:
        return False
    if load(agent, channel) >= capacity(agent, channel):
        return False
    if agent.phone.legs and agent.state is State.READY and "call" not in may:
        return False  # he talks with somebody who came by no queue
    return all(other == channel or other in may for other in agent.work.values())


_AT_PHONE: Final = (State.RESERVED, State.BUSY, State.WRAP_UP)
