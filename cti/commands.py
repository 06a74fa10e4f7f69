"""Agent commands: one meaning, whether they come by websocket or by REST."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from acd.errors import (
    AgentCommandError,
    BadLevel,
    DispositionNeeded,
    ItemCommandError,
    UnknownAgent,
    UnknownDisposition,
    UnknownItem,
    UnknownQueue,
    UnknownReason,
    UnknownSkill,
)
from cti import agent_models as models
from cti.errors import FieldError, Forbidden, InvalidBody, NotInList, StateConflict, UnknownCommand, UnknownResource
from cti.models import Body
from cti.ports import AgentDesk
from cti.problems import of_validation
from cti.tokens import Identity
from cti.views import LiveView


@dataclass(frozen=True, slots=True)
class Command:
    """What a command takes, and how the desk is told: `tell(desk, agent, body, by)`, `by` the supervisor or ""."""

    summary: str
    body: type[Body]
    tell: Callable[[AgentDesk, str, Any, str], None]
    supervisors: bool = False  # not for agents themselves
    body_required: bool = False  # all that it takes may be left out


COMMANDS: Final[Mapping[str, Command]] = {
    "login": Command("The agent is here; not ready yet", models.Login,
                     lambda desk, agent, body, by: desk.login(agent, body.queues, by=by)),
    "logout": Command("The agent leaves; while he talks, when the call is over", models.Logout,
                      lambda desk, agent, body, by: desk.logout(agent, at_once=body.now, by=by)),
    "ready": Command("The agent takes calls", models.NoMore, lambda desk, agent, body, by: desk.ready(agent, by=by)),
    "not_ready": Command("The agent pauses; while he talks, when the call is over", models.NotReady,
                         lambda desk, agent, body, by: desk.not_ready(agent, body.reason, at_once=body.now, by=by)),
    "hang_up": Command("The agent ends his conversation; a nailed-up agent's line stays", models.HangUp,
                       lambda desk, agent, body, by: desk.hang_up(agent, by=by)),
    "note": Command("How the call ended", models.Note,
                    lambda desk, agent, body, by: desk.note(agent, body.disposition, item=body.item, by=by),
                    body_required=True),
    "wrap_up_done": Command("The work after a call is done", models.WrapUpDone,
                            lambda desk, agent, body, by: desk.wrap_up_done(
                                agent, body.disposition, item=body.item, by=by)),
    "extend_wrap_up": Command("The work after a call takes longer", models.ExtendWrapUp,
                              lambda desk, agent, body, by: desk.extend_wrap_up(
                                  agent, body.seconds, item=body.item, by=by)),
    "join_queue": Command("The agent serves a queue again", models.OfQueue,
                          lambda desk, agent, body, by: desk.join_queue(agent, body.queue, by=by), body_required=True),
    "leave_queue": Command("The agent serves a queue no longer, until he joins it or logs in anew", models.OfQueue,
                           lambda desk, agent, body, by: desk.leave_queue(agent, body.queue, by=by),
                           body_required=True),
    "change_skills": Command("What the agent can do, whatever the site file says", models.Change,
                             lambda desk, agent, body, by: desk.change_skills(agent, body.levels, by=by),
                             supervisors=True, body_required=True),
    "change_queues": Command("Which queues the agent serves, whatever the site file says", models.Change,
                             lambda desk, agent, body, by: desk.change_queues(agent, body.levels, by=by),
                             supervisors=True, body_required=True),
}  # fmt: skip


class AgentCommands:
    """Checks the right, tells the desk, answers with the agent's state after it."""

    def __init__(self, view: LiveView, counters: Counter[str]) -> None:
        self._view = view
        self._counters = counters

    def run(
        self, who: Identity, agent: str, name: str, more: Mapping[str, Any] | Body | None = None
    ) -> Mapping[str, Any]:
        """`more` is what the command takes. Raises Forbidden, UnknownResource (no such agent or queue), StateConflict
        (senseless now), NotInList, InvalidBody, UnknownCommand."""
        if not who.may_command(agent):
            raise Forbidden(f"{who.role} {who.name} may not command agent {agent}")
        command = COMMANDS.get(name)
        if command is None:
            raise UnknownCommand(f"no command {name!r}, expected one of: {', '.join(COMMANDS)}")
        supervisor = who.role == "supervisor"
        if command.supervisors and not supervisor:
            raise Forbidden(f"{name} is for supervisors")
        try:
            body = more if isinstance(more, Body) else command.body.model_validate(more or {})
        except ValidationError as e:
            raise of_validation(e) from None
        if not supervisor and getattr(body, "now", False):
            raise Forbidden("`now` is for supervisors")
        self._same_call(agent, getattr(body, "call_id", None))
        self._tell(command, agent, body, who.name if supervisor else "")
        self._counters["agent_commands"] += 1
        return self._view.agent(agent)

    def _same_call(self, agent: str, call_id: str | None) -> None:
        """Who gave the command saw the agent at this call: another one is not to be ended in its place."""
        if call_id is None:
            return
        now = self._view.agent(agent)
        if now["call_id"] != call_id:
            self._counters["agent_commands_refused"] += 1
            raise StateConflict(f"agent {agent} is not at call {call_id}", str(now["state"]))

    def _tell(self, command: Command, agent: str, body: Body, by: str) -> None:
        try:
            command.tell(self._view.desk, agent, body, by)
        except AgentCommandError as e:
            self._counters["agent_commands_refused"] += 1
            allowed = e.allowed if isinstance(e, DispositionNeeded) else ()
            raise StateConflict(str(e), e.state, allowed) from None
        except (UnknownReason, UnknownDisposition) as e:
            self._counters["agent_commands_refused"] += 1
            raise NotInList(str(e), e.allowed) from None
        except ItemCommandError as e:
            self._counters["agent_commands_refused"] += 1
            raise StateConflict(str(e), e.state) from None
        except (UnknownAgent, UnknownQueue, UnknownItem) as e:
            raise UnknownResource(str(e)) from None
        except UnknownSkill as e:
            raise InvalidBody([FieldError(f"levels.{e.skill}", str(e))]) from None
        except BadLevel as e:
            raise InvalidBody([FieldError("levels", str(e))]) from None
