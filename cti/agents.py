"""The commands of agents over REST: one operation for each entry of the table of commands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from aiohttp import web

from cti.commands import COMMANDS, AgentCommands
from cti.replies import reply

if TYPE_CHECKING:
    from cti.models import Body
    from cti.rest import Ask


class AgentRest:
    """Has a method of each command's name."""

    def __init__(self, commands: AgentCommands) -> None:
        self._commands = commands
        for name in COMMANDS:
            setattr(self, name, partial(self._run, name))

    async def _run(self, name: str, ask: Ask) -> web.StreamResponse:
        return reply(self._commands.run(ask.who, ask.path["name"], name, cast("Body | None", ask.body)))
