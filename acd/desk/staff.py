"""The part of the desk that agents, their supervisors and their phones speak to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from acd import view
from acd.agent_state import State
from acd.desk.suspects import suspects

if TYPE_CHECKING:
    from collections import Counter

    from acd.desk.entry import Entry
    from acd.engine import Engine
    from pbx.call.clock import Clock


class Staff:
    """All commands raise `UnknownAgent`, or `AgentCommandError` (with `.state`); `by` is the supervisor who gives them
    in the agent's place. What else they raise, the engine's inputs of the same names say."""

    _engine: Engine
    _clock: Clock
    _calls: dict[str, Entry]
    _counters: Counter[str]

    def _pump(self) -> None:
        raise NotImplementedError

    def login(
        self, agent: str, queues: Sequence[str] | None = None, *, phone: str | None = None, by: str = ""
    ) -> None:
        """To NOT_READY; calls come after `ready`."""
        self._engine.login(agent, self._clock.now(), None if queues is None else list(queues), phone, by)
        self._pump()

    def logout(self, agent: str, *, at_once: bool = False, by: str = "") -> None:
        """While talking: after the call and its wrap-up; `at_once`, for supervisors: it ends his conversation."""
        self._engine.logout(agent, self._clock.now(), by)
        self._end_work(agent, at_once, by)

    def ready(self, agent: str, *, by: str = "") -> None:
        self._engine.ready(agent, self._clock.now(), by)
        self._pump()

    def not_ready(self, agent: str, reason: str, *, at_once: bool = False, by: str = "") -> None:
        """While talking: after the call and its wrap-up, or `at_once` as `logout`; while ringing: at once, the caller
        goes to the next agent."""
        self._engine.not_ready(agent, reason, self._clock.now(), by)
        self._end_work(agent, at_once, by)

    def _end_work(self, agent: str, at_once: bool, by: str) -> None:
        """What he wished for does not wait until his call is over, but ends it."""
        self._pump()
        found = self._engine.floor.roster.agents.get(agent)
        if at_once and found is not None and found.state is State.BUSY:
            self.hang_up(agent, by=by)
            if found.notes is not None:  # the wrap-up
                self._engine.wrap_up_done(agent, self._clock.now(), None, by)
                self._pump()

    def hang_up(self, agent: str, *, by: str = "") -> None:
        raise NotImplementedError

    # `item`: of a chat or a mail; without it, of the call

    def note(self, agent: str, disposition: str, *, item: str | None = None, by: str = "") -> None:
        self._engine.note(agent, disposition, self._clock.now(), by, item)
        self._pump()

    def wrap_up_done(
        self, agent: str, disposition: str | None = None, *, item: str | None = None, by: str = ""
    ) -> None:
        self._engine.wrap_up_done(agent, self._clock.now(), disposition, by, item)
        self._pump()

    def extend_wrap_up(self, agent: str, seconds: float, *, item: str | None = None, by: str = "") -> None:
        self._engine.extend_wrap_up(agent, seconds, self._clock.now(), by, item)
        self._pump()

    def join_queue(self, agent: str, queue: str, *, by: str = "") -> None:
        self._engine.join_queue(agent, queue, self._clock.now(), by)
        self._pump()

    def leave_queue(self, agent: str, queue: str, *, by: str = "") -> None:
        self._engine.leave_queue(agent, queue, self._clock.now(), by)
        self._pump()

    def change_skills(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        self._engine.change_skills(agent, dict(levels), self._clock.now(), by)
        self._pump()

    def change_queues(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        self._engine.change_queues(agent, dict(levels), self._clock.now(), by)
        self._pump()

    def line_up(self, agent: str) -> None:
        """The phone of a nailed-up agent is connected (`lines`)."""
        self._engine.line_up(agent, self._clock.now())
        self._pump()

    def line_down(self, agent: str, reason: str) -> None:
        if agent in self._engine.floor.roster.agents:
            self._engine.line_down(agent, reason, self._clock.now())
            self._pump()

    def watch(self) -> None:
        """Asked now and then: agents at work on a call, or by a leg, that is gone without a word are repaired."""
        floor = self._engine.floor
        gone, legless = suspects(floor, self._calls)
        if gone or legless or floor.doubts.since:
            repaired = self._engine.watch(gone, legless, self._clock.now())
            self._counters["agents_repaired"] += len(repaired)
            for item_id in repaired:
                self._lost(item_id)
            self._pump()

    def _lost(self, item_id: str) -> None:
        raise NotImplementedError

    # --- phones -----------------------------------------------------------------------------------------------------

    def phone_registered(self, extension: str, registered: bool) -> None:
        self._engine.phone_registered(extension, registered, self._clock.now())
        self._pump()

    def phone_calls(self, extension: str, legs: int) -> None:
        self._engine.phone_calls(extension, legs, self._clock.now())
        self._pump()

    # --- views ------------------------------------------------------------------------------------------------------

    def agents(self) -> Iterator[dict[str, object]]:
        """See `view.agents`."""
        return view.agents(self._engine.floor)

    def agent_states(self) -> Counter[str]:
        """See `view.states`."""
        return view.states(self._engine.floor)

    def agent(self, name: str) -> dict[str, object]:
        """See `view.agent`. Raises `UnknownAgent`."""
        return view.agent(self._engine.floor, name)

    def names(self, kind: str) -> Collection[str]:
        """See `view.names`."""
        return view.names(self._engine.floor, kind)

    def agent_at(self, extension: str) -> str | None:
        """Who is logged in at a phone; else whose it is."""
        return view.agent_at(self._engine.floor, extension)

    def phone_of(self, agent: str) -> str | None:
        """Where an agent sits: an extension or a SIP URI; None: nowhere, or there is no such agent."""
        found = self._engine.floor.roster.agents.get(agent)
        return None if found is None else found.at
