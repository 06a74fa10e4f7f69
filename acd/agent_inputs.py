"""What agents, their supervisors and their phones tell the engine. Inputs as those of `engine`, which inherits them.

`by` is the supervisor who commands in the agent's place ("": he himself); it is journalled. All raise `UnknownAgent`,
and `AgentCommandError` if they make no sense in his state.
"""

from __future__ import annotations

from acd import agent_changes, nailed_up, wrap_up, written_notes
from acd.agent_state import Input, State
from acd.errors import AgentCommandError, UnknownReason
from acd.events import AgentCommanded
from acd.floor import Floor
from acd.model import Agent
from acd.reservation import Outcome

MAX_REASON = 64  # characters of a not-ready reason


class AgentInputs:
    __slots__ = ("floor",)
    floor: Floor

    # --- states ---

    def login(
        self, name: str, now: float, queues: list[str] | None = None, phone: str | None = None, by: str = ""
    ) -> None:
        """To NOT_READY: `ready` is a word of its own. Takes back a logout that waits for the end of a call.

        `queues`: he serves only these until he logs out, or joins others; `phone`: the extension where he sits, in
        place of his own. Raises `UnknownQueue`, and `PhoneTaken` if somebody else is logged in there.
        """
        agent = self._agent(name, now)
        agent_changes.check_queues(self.floor, queues or ())
        if phone is not None:
            agent_changes.check_seat(self.floor, agent, phone)
        self._commanded(agent, "login", by)
        if phone is not None:
            agent_changes.sit(self.floor, agent, phone)
        if agent.state is State.LOGGED_OUT or queues is not None:
            agent_changes.serve_only(self.floor, agent, queues)
        if agent.wish is State.LOGGED_OUT and not agent.retired:
            agent.wish, agent.wish_reason = State.NOT_READY, "logged in"
        self.floor.apply(agent, Input.LOGIN, "logged in")

    def logout(self, name: str, now: float, by: str = "") -> None:
        agent = self._agent(name, now)
        wrap_up.check(agent, Input.LOGOUT, by)
        written_notes.check_logout(self.floor, agent, by)
        self._commanded(agent, "logout", by)
        self.floor.leave(agent, Input.LOGOUT, None)

    def ready(self, name: str, now: float, by: str = "") -> None:
        agent = self._agent(name, now)
        wrap_up.check(agent, Input.READY, by)
        self._refused(agent, Input.READY)
        self._commanded(agent, "ready", by)
        self.floor.rested(agent)
        self.floor.apply(agent, Input.READY)

    def not_ready(self, name: str, reason: str, now: float, by: str = "") -> None:
        """Raises `UnknownReason` if the site has a list and this is not in it."""
        agent, reason = self._agent(name, now), reason.strip()[:MAX_REASON]
        allowed = self.floor.acd.not_ready_reasons
        if allowed and reason not in allowed:
            raise UnknownReason(reason, allowed)
        wrap_up.check(agent, Input.NOT_READY, by)
        self._refused(agent, Input.NOT_READY)
        self._commanded(agent, "not_ready", by)
        self.floor.leave(agent, Input.NOT_READY, reason or None)

    # --- notes ---

    # `item`: the chat or mail that is meant; without it, or with the call's id, the call. Raise `UnknownItem` if he has
    # it not, `ItemCommandError` if it is not in its wrap-up.

    def note(self, name: str, disposition: str, now: float, by: str = "", item: str | None = None) -> None:
        """How it ended, while it lasts or while it is noted down; given again, it changes. Raises
        `UnknownDisposition`."""
        agent = self._agent(name, now)
        if item not in (None, agent.item_id):
            written_notes.note(self.floor, agent, item, disposition)
            self._commanded(agent, "note", by)
            return
        wrap_up.check_note(agent, disposition)
        self._commanded(agent, "note", by)
        wrap_up.note(self.floor, agent, disposition)

    def wrap_up_done(
        self, name: str, now: float, disposition: str | None = None, by: str = "", item: str | None = None
    ) -> None:
        """Raises `UnknownDisposition`, and `DispositionNeeded` if none was given where one must be."""
        agent = self._agent(name, now)
        if item not in (None, agent.item_id):
            written_notes.done(self.floor, agent, item, disposition, by)
            self._commanded(agent, "wrap_up_done", by)
            return
        self._refused(agent, Input.WRAP_UP_DONE)
        if disposition is not None:
            wrap_up.check_note(agent, disposition)
            wrap_up.note(self.floor, agent, disposition, ends=False)
        wrap_up.check(agent, Input.WRAP_UP_DONE, by)
        self._commanded(agent, "wrap_up_done", by)
        self.floor.apply(agent, Input.WRAP_UP_DONE)

    def extend_wrap_up(
        self, name: str, seconds: float, now: float, by: str = "", item: str | None = None
    ) -> None:  # fmt: skip
        """So much longer, within the site's `wrap_up_at_most_s`. Raises `WrapUpTooLong` when that is used up."""
        agent = self._agent(name, now)
        if item in (None, agent.item_id):
            wrap_up.extend(self.floor, agent, seconds)
        else:
            written_notes.extend(self.floor, agent, item, seconds)
        self._commanded(agent, "extend_wrap_up", by)

    # --- queues and skills ---

    def join_queue(self, name: str, queue: str, now: float, by: str = "") -> None:
        """He serves it again. Raises `UnknownQueue`."""
        agent = self._agent(name, now)
        agent_changes.check_queues(self.floor, (queue,))
        self._commanded(agent, "join_queue", by)
        agent_changes.leave_queues(self.floor, agent, agent.left - {queue}, by)

    def leave_queue(self, name: str, queue: str, now: float, by: str = "") -> None:
        """He serves it no longer, until he joins it or logs in anew; a call that rings goes on ringing. Raises
        `UnknownQueue`."""
        agent = self._agent(name, now)
        agent_changes.check_queues(self.floor, (queue,))
        self._commanded(agent, "leave_queue", by)
        agent_changes.leave_queues(self.floor, agent, agent.left | {queue}, by)

    def change_skills(self, name: str, levels: dict[str, int | None], now: float, by: str = "") -> None:
        """Other levels than the site file's, from now on and whatever is reloaded; 0: he has it not; None: as the file
        says. Raises `BadLevel` and `UnknownSkill`."""
        agent_changes.change_skills(self.floor, self._agent(name, now), levels, by)

    def change_queues(self, name: str, levels: dict[str, int | None], now: float, by: str = "") -> None:
        """The same for his queues and the level he has in each; 0: he does not serve it. Raises `BadLevel` and
        `UnknownQueue`."""
        agent = self._agent(name, now)
        agent_changes.check_queues(self.floor, [queue for queue, level in levels.items() if level is not None])
        agent_changes.change_queues(self.floor, agent, levels, by)

    # --- phones ---

    def phone_registered(self, extension: str, registered: bool, now: float) -> None:
        """The extension has a contact, or lost its last. Should it ring for a queue, the call is offered on."""
        floor = self.floor
        floor.advance(now)
        phone = floor.roster.phone(extension)
        phone.registered = registered
        for name in tuple(phone.agents):
            agent = floor.roster.agents[name]
            if agent.nailed_up:
                continue  # his line says whether he is there
            if agent.reservation is not None and not phone.reachable:
                floor.give_back(floor.end(agent.reservation, Outcome.UNREGISTERED))
                rests = floor.acd.not_answered.unregistered == "rest"  # he does so by being unreachable
                floor.apply(agent, Input.RELEASE if rests else Input.REFUSE, None if rests else "unregistered")
            elif agent.state is State.READY:
                if agent.resting and agent.reason in _UNREACHED:
                    floor.rested(agent)
                floor.enter(agent, State.READY, agent.reason if agent.resting else None)
        floor.roster.tidy(phone)

    def phone_calls(self, extension: str, legs: int, now: float) -> None:
        """So many legs of any calls are live on the extension."""
        floor = self.floor
        now = floor.advance(now)
        phone = floor.roster.phone(extension)
        if legs and not phone.legs:
            phone.other_call = phone.held_by is None
        over = phone.other_call and not legs
        phone.legs = legs
        for name in tuple(phone.agents):
            agent = floor.roster.agents[name]
            if over and agent.state is State.READY:
                agent.idle_since = now
            floor.update(agent)
        if not legs:
            phone.other_call = False
            floor.roster.tidy(phone)

    def line_up(self, name: str, now: float) -> None:
        """The phone of a nailed-up agent is connected."""
        nailed_up.up(self.floor, self._agent(name, now))

    def line_down(self, name: str, reason: str, now: float) -> None:
        """It is not, any more or at all."""
        nailed_up.down(self.floor, self._agent(name, now), reason)

    # --- inside ---

    def _agent(self, name: str, now: float) -> Agent:
        self.floor.advance(now)
        return self.floor.roster.agent(name)

    def _agent_due(self, agent: Agent) -> None:
        """The end of a wrap-up, or of a rest."""
        if agent.state is State.WRAP_UP:
            wrap_up.over(self.floor, agent)
        else:
            agent.resting = False
            self.floor.enter(agent, State.READY, None)

    @staticmethod
    def _refused(agent: Agent, what: Input) -> None:
        """Before anything is told, or changed."""
        if wrap_up.refused(agent, what):
            raise AgentCommandError(agent.name, what.value, agent.state.value)

    def _commanded(self, agent: Agent, command: str, by: str) -> None:
        if by:
            self.floor.tell(AgentCommanded(self.floor.now, agent.name, command, by))


_UNREACHED = (Outcome.UNREGISTERED.value, Outcome.FAILED.value)  # that a phone which registers anew makes good
