"""Agents whose phone stays connected: it is called once, when they log in, and calls come in without ringing.

              login, ready                 line_up                       hang-up, no answer
    no line  -------------->  CallLine  -------------->  line there  ---------------------->  no line, not ready
                                                             | logout: DropLine
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd.agent_state import Input, State
from acd.commands import CallLine, DropLine
from acd.reservation import Outcome

if TYPE_CHECKING:
    from acd.floor import Floor
    from acd.model import Agent


def follow(floor: Floor, agent: Agent, before: State) -> None:
    """His state is another one: his line is called, or hung up."""
    if agent.state is State.LOGGED_OUT:
        if before is not State.LOGGED_OUT and (agent.line or agent.line_called):
            agent.line = agent.line_called = False
            floor.commands.append(DropLine(agent.name))
    elif not agent.line and not agent.line_called and (before is State.LOGGED_OUT or agent.state is State.READY):
        agent.line_called = True
        floor.commands.append(CallLine(agent.name))


def up(floor: Floor, agent: Agent) -> None:
    """He answered: calls may come."""
    if agent.state is State.LOGGED_OUT:
        floor.commands.append(DropLine(agent.name))
        return
    agent.line, agent.line_called = True, False
    if agent.state is State.READY:
        agent.idle_since = floor.now
        floor.enter(agent, State.READY, None)
    floor.update(agent)


def down(floor: Floor, agent: Agent, reason: str) -> None:
    """It is hung up, or nobody answered: he is not ready until he says so; then he is called again."""
    if not agent.line and not agent.line_called:
        return
    agent.line = agent.line_called = False
    if agent.reservation is not None:
        floor.give_back(floor.end(agent.reservation, Outcome.UNREGISTERED))
        floor.apply(agent, Input.REFUSE, reason)
    elif agent.state is State.BUSY or agent.state is State.WRAP_UP:
        if agent.wish is State.READY:
            agent.wish, agent.wish_reason = State.NOT_READY, reason
    elif agent.state is not State.LOGGED_OUT:
        floor.apply(agent, Input.NOT_READY, reason)


def changed(floor: Floor) -> None:
    """The site has changed: who is nailed up no longer needs no line."""
    for agent in floor.roster.agents.values():
        if not agent.nailed_up and (agent.line or agent.line_called):
            agent.line = agent.line_called = False
            floor.commands.append(DropLine(agent.name))


def is_free(agent: Agent) -> bool:
    """The line is there, and its leg the only one on his phone."""
    phone = agent.phone
    return agent.line and phone.legs <= 1 and phone.held_by is None
