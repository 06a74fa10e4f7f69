"""The lines of nailed-up agents: a call to each, which stays. A caller is joined to it without ringing.

    line's call       caller: the agent's leg        (absent, while he talks)
                                  |        ^
                           join   v        |  back
    queue's call      caller   <-----> the agent's leg, as if it had been rung and had answered

Whoever ends the conversation, the leg goes back to its line; only if the agent hangs up the leg itself, or gives his
caller on, the line is over: he is not ready, and is called again when he says that he is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from acd.desk.ringing import outcome_of, place_of
from config.schema import Destination
from pbx.call.absent_caller import AbsentCaller
from pbx.call.controller import Passive
from pbx.call.originate import NotDialled, becomes_caller, call_from

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.switch import Switch

RING_S: Final = 30.0
BEEP: Final = "tone:beep"  # what he hears before a caller
LOST: Final = "line lost"
_LINE: Final = "line "  # a line's call is at the destination `agent line NAME`, by which the next server knows it


class Told(Protocol):
    """What the desk wants to know."""

    def line_up(self, agent: str) -> None: ...
    def line_down(self, agent: str, reason: str) -> None: ...


class _Away:
    """An agent's leg that is in a queue's call. `before` was told of that call's end first."""

    __slots__ = ("agent", "attempt", "before")

    def __init__(self, agent: str, attempt: Attempt, before: Callable[[Call], None] | None) -> None:
        self.agent, self.attempt, self.before = agent, attempt, before


class Lines(Passive):
    """In charge of the lines' calls. `switch` makes them; without one (a desk in a test) no line can be had."""

    def __init__(self, told: Told, phone_of: Callable[[str], str | None], counters: Counter[str]) -> None:
        self._told = told
        self._phone_of = phone_of
        self._counters = counters
        self.switch: Switch | None = None
        self._lines: dict[str, Call] = {}  # by agent, from when it is called
        self._agents: dict[str, str] = {}  # by the line's call
        self._rang: set[str] = set()  # lines' calls
        self._away: dict[str, _Away] = {}  # by the queue's call
        self._brought: dict[str, Call] = {}  # by agent: the call by which he logs in
        self._closing = False

    # --- the line ---

    def call(self, agent: str) -> None:
        """Ring his phone, unless he is there already."""
        brought = self._brought.pop(agent, None)
        if brought is not None:
            brought.answer()
        if brought is not None and brought.answered and not brought.ended:
            self._begin(agent, brought)
            brought.destination = _line_of(agent)
            brought.silence()
            self._told.line_up(agent)
            return
        try:
            line, to = self._new(agent)
        except NotDialled as error:
            self._told.line_down(agent, str(error))
            return
        self._counters["agent_lines_called"] += 1
        line.dial(to, ring_s=RING_S, agent=agent)

    def _new(self, agent: str) -> tuple[Call, Destination]:
        """A line's call in which nobody is yet, and where his phone is. Raises NotDialled."""
        phone, switch = self._phone_of(agent), self.switch
        if phone is None or switch is None or self._closing:
            raise NotDialled("unknown", "no phone")
        to = place_of(phone)
        now = switch.clock.now()
        line = call_from(switch, phone, agent, phone if to.kind == "extension" else None, now)
        self._begin(agent, line)
        line.destination = to
        switch.begin(line, now)
        return line, to

    def bring(self, agent: str, call: Call) -> None:
        """He is about to log in by this call: it is his line."""
        self._brought[agent] = call

    def brought(self, agent: str, call: Call) -> bool:
        """Whether it became that."""
        self._brought.pop(agent, None)
        return self._lines.get(agent) is call

    def drop(self, agent: str) -> None:
        """He is logged out."""
        line = self._lines.get(agent)
        if line is not None:
            self._end(agent, line)
            line.hang_up("logged out")

    def close(self) -> None:
        """The server ends: who talks goes on, all others are hung up; nobody's state changes by it."""
        self._closing = True
        away = {one.agent for one in self._away.values()}
        for agent, line in list(self._lines.items()):
            if agent not in away:
                self._end(agent, line)
                line.hang_up("drained")

    def _begin(self, agent: str, line: Call) -> None:
        self._lines[agent] = line
        self._agents[line.id] = agent
        line.controller = self
        line.on_over = self._over

    def _end(self, agent: str, line: Call) -> None:
        del self._lines[agent], self._agents[line.id]
        self._rang.discard(line.id)
        line.on_over = None

    def on_ringing(self, call: Call, attempt: Attempt) -> None:
        self._rang.add(call.id)

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        agent = self._agents.get(call.id)
        if agent is None:
            call.hang_up("logged out")
            return
        call.destination = _line_of(agent)
        becomes_caller(call, attempt)
        call.silence()
        self._told.line_up(agent)

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        agent = self._agents.get(call.id)
        if agent is not None:
            rang = call.id in self._rang
            self._end(agent, call)
            call.hang_up(cause)
            self._told.line_down(agent, outcome_of(status, rang=rang).replace("_", " "))

    def _over(self, call: Call) -> None:
        """The line's call ends, and not by our doing."""
        agent = self._agents.get(call.id)
        if agent is not None:
            self._end(agent, call)
            self._counters["agent_lines_lost"] += 1
            self._told.line_down(agent, LOST)

    # --- after the last server ---

    @property
    def up(self) -> list[str]:
        """Whose lines stand, with a caller or without."""
        return [agent for agent, line in self._lines.items() if line.answered]

    def revived(self, call: Call) -> bool:
        """Whether a call that outlived the last server is a line, on which nobody talks."""
        if call.destination.kind != "agent" or not call.destination.name.startswith(_LINE):
            return False
        agent = call.destination.name.removeprefix(_LINE)
        if self._phone_of(agent) is None:
            call.hang_up("logged out")
        else:
            self._begin(agent, call)
            call.silence()
        return True

    def revived_away(self, agent: str, call: Call, attempt: Attempt) -> None:
        """A nailed-up agent still talks in a queue's call: his leg has a line to go back to."""
        try:
            line, _ = self._new(agent)
        except NotDialled:
            return  # the leg is hung up with the call, and he is called when he is ready
        line.destination, line.answered = _line_of(agent), True
        self._away[call.id] = _Away(agent, attempt, call.on_over)
        call.on_over = self._call_over

    # --- callers ---

    def stands(self, agent: str) -> bool:
        """He can be joined to a caller."""
        line = self._lines.get(agent)
        return line is not None and line.answered and not isinstance(line.caller, AbsentCaller)

    def join(self, agent: str, call: Call, to: Destination) -> Attempt:
        """His leg becomes part of a queue's call, as one who has answered."""
        line = self._lines[agent]
        leg = line.replace_caller(AbsentCaller(line.switch, line, None))
        attempt = call.adopt(leg, to, agent)
        self._away[call.id] = _Away(agent, attempt, call.on_over)
        call.on_over = self._call_over
        return attempt

    def back(self, call: Call, attempt: Attempt) -> bool:
        """The leg of an attempt goes back to its line; false if it came from none."""
        away = self._away.get(call.id)
        if away is None or away.attempt is not attempt:
            return False
        del self._away[call.id]
        call.on_over = away.before
        self._return(away, call)
        return True

    def given_on(self, call: Call) -> None:
        """The agent gives his caller on, by his phone: what becomes of his leg is the phone's business."""
        away = self._away.pop(call.id, None)
        if away is not None:
            if call.on_over == self._call_over:
                call.on_over = away.before
            self._lost(away.agent)

    def _call_over(self, call: Call) -> None:
        away = self._away.pop(call.id)
        call.on_over = None
        if away.before is not None:
            away.before(call)
        self._return(away, call)

    def _return(self, away: _Away, call: Call) -> None:
        line = self._lines.get(away.agent)
        if away.attempt.call is None or away.attempt.winner is None:
            self._lost(away.agent)  # he hung up
            return
        leg = call.take_out(away.attempt)
        if line is None:  # logged out meanwhile
            leg.call = None
            leg.drop(call.clock.now())
            return
        absent = line.replace_caller(leg)
        absent.end()
        absent.free()
        line.silence()
        if self._closing:
            self._end(away.agent, line)
            line.hang_up("drained")

    def _lost(self, agent: str) -> None:
        line = self._lines.get(agent)
        if line is not None:
            self._counters["agent_lines_lost"] += 1
            self._end(agent, line)
            line.hang_up(LOST)
            self._told.line_down(agent, LOST)


def _line_of(agent: str) -> Destination:
    return Destination("agent", f"{_LINE}{agent}")
