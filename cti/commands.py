"""Agent commands: one meaning, whether they come by websocket or by REST."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from acd.errors import AgentCommandError, UnknownAgent
from cti.errors import Forbidden, StateConflict, UnknownCommand, UnknownResource
from cti.tokens import Identity
from cti.views import LiveView

COMMANDS: Final = ("login", "logout", "ready", "not_ready", "wrap_up_done")


class AgentCommands:
    """Checks the right, tells the desk, answers with the agent's state after it."""

    def __init__(self, view: LiveView, counters: Counter[str]) -> None:
        self._view = view
        self._counters = counters

    def run(self, who: Identity, agent: str, command: str, reason: str = "") -> Mapping[str, Any]:
        """Raises Forbidden, UnknownResource (no such agent), StateConflict (senseless now), UnknownCommand."""
        if not who.may_command(agent):
            raise Forbidden(f"{who.role} {who.name} may not command agent {agent}")
        desk = self._view.desk
        todo: dict[str, Callable[[], None]] = {
            "login": lambda: desk.login(agent),
            "logout": lambda: desk.logout(agent),
            "ready": lambda: desk.ready(agent),
            "not_ready": lambda: desk.not_ready(agent, reason),
            "wrap_up_done": lambda: desk.wrap_up_done(agent),
        }
        if command not in todo:
            raise UnknownCommand(f"no command {command!r}, expected one of: {', '.join(COMMANDS)}")
        try:
            todo[command]()
        except AgentCommandError as e:
            self._counters["agent_commands_refused"] += 1
            raise StateConflict(str(e), e.state) from None
        except UnknownAgent as e:
            raise UnknownResource(str(e)) from None
        self._counters["agent_commands"] += 1
        return self._view.agent(agent)
