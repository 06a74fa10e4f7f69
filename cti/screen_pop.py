"""Screen pops: what the agent sees of the caller, before the phone rings and until the work is done.

                 offer                connected             wrap_up
    (no pop) ----------->  OFFERED  ------------> CONNECTED ---------> WRAP_UP
        ^                   |    |  retract         |    | ended          | ended
        |                   |    +------------------+----+----------------+
        +-------------------+--------------- gone: never comes back ------+

`transferred` shows a call to an agent who was given it by a colleague: he talks already, so his pop begins as CONNECTED
and ends with the call, or when he gives it on.

An agent has at most one live pop. Each goes by the hub, so it is numbered and resumable; `updated` comes in any state.
What doesn't fit the state (a retract after the end) is ignored and counted: the desk may be as thorough as it likes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from config.frozen import frozen
from cti.events import EventHub
from cti.ports import CallView
from cti.web_sessions import WebSession, WebSessions
from pbx.call.clock import Clock, Timer

HEAD_START_S = 0.010  # written is not yet read: the screen is ahead of the phone on another machine, too
RING_ANYWAY_S = 0.020  # a socket that hasn't taken the offer by then delays nobody
POP_BYTES = 32_768
CALL_BYTES = 4_000  # of a pop, for the call: the session has the rest
OFFERED, CONNECTED, WRAP_UP = "offered", "connected", "wrap_up"

# (state, input) -> next state; None: the pop is gone. What is not here is ignored and counted.
_NEXT: Final[dict[tuple[str, str], str | None]] = {
    (OFFERED, "retract"): None,
    (OFFERED, "connected"): CONNECTED,
    (OFFERED, "ended"): None,
    (CONNECTED, "retract"): None,
    (CONNECTED, "wrap_up"): WRAP_UP,
    (CONNECTED, "ended"): None,
    (WRAP_UP, "retract"): None,
    (WRAP_UP, "ended"): None,
}


@frozen
class PopSent:
    """One message of a pop's life, for one agent."""

    topic: ClassVar[str] = "pops"

    at: float
    kind: str  # offer, transferred, updated, retract, connected, wrap_up, ended
    pop_id: str
    agent: str
    call_id: str
    reason: str | None = None  # of a retract
    call: dict[str, Any] | None = None  # of offer, transferred and updated
    session: WebSession | None = None  # of the same, if the call has one

    def encode(self, sequence: int) -> str:
        """As JSON, at most 32 kB: the session's own JSON is put in as it is."""
        head: dict[str, Any] = {
            "type": self.kind, "sequence": sequence, "at": self.at, "pop_id": self.pop_id,
            "agent": self.agent, "call_id": self.call_id,
        }  # fmt: skip
        if self.kind == "retract":
            head["reason"] = self.reason
        if self.call is None:
            return json.dumps(head, separators=(",", ":"))
        return _snapshot_text(head, self.call, self.session)


def _snapshot_text(head: dict[str, Any], call: dict[str, Any], session: WebSession | None) -> str:
    attributes: dict[str, Any] = {}
    room = CALL_BYTES - len(json.dumps(call | {"attributes": {}}, default=str))
    for key, value in call["attributes"].items():
        room -= len(json.dumps({key: value}, default=str))
        if room < 0:
            head["trimmed"] = True
            break
        attributes[key] = value
    match = {
        "method": call["attributes"].get("match_method"),
        "confidence": call["attributes"].get("match_confidence"),
    }
    body = head | {"call": call | {"attributes": attributes}, "match": match if match["method"] else None}
    text = json.dumps(body, separators=(",", ":"), default=str)
    return f'{text[:-1]},"session":{session.json if session else "null"}}}'


@dataclass(slots=True, eq=False)
class _Pop:
    """A live pop."""

    id: str
    call: CallView
    agent: str
    queue: str | None  # None: it came by a transfer
    state: str = OFFERED
    unwritten: int = 0  # sockets that haven't taken the offer
    then: Callable[[], None] | None = field(default=None, repr=False)
    timer: Timer | None = None


class ScreenPops:
    """Implements the desk's `ScreenPops` protocol over the hub."""

    def __init__(self, hub: EventHub, sessions: WebSessions, clock: Clock, counters: Counter[str]) -> None:
        self._hub = hub
        self._sessions = sessions
        self._clock = clock
        self._counters = counters
        self._pops: dict[str, _Pop] = {}  # by agent
        self._transfers = 0
        self._agents_of: dict[str, set[str]] = {}  # call id -> agents who have its pop

    # --- the desk's side --------------------------------------------------------------------------------------------

    def offer(self, call: CallView, agent: str, queue: str, reservation: int, then: Callable[[], None]) -> None:
        """Show the call to the agent; `then()` 10 ms after it is on the wire of each of his sockets, at once if he has
        none; a socket that takes no bytes is waited for 20 ms at most. Never after a retract."""
        pop_id = f"{call.id}-{reservation}"
        old = self._pops.get(agent)
        if old is not None and old.id == pop_id:  # said twice
            self._counters["pops_out_of_order"] += 1
            return
        pop = self._show(_Pop(pop_id, call, agent, queue))
        self._counters["pops_offered"] += 1
        pop.then = then
        pop.unwritten = self._hub.sockets(agent)
        if not pop.unwritten:
            self._counters["pops_unseen"] += 1
            self._hub.publish(self._full("offer", pop))
            self._ring(pop)
            return
        self._hub.publish_written(self._full("offer", pop), lambda: self._written(pop))
        if pop.unwritten:  # a socket cut off at that very moment counts as written
            pop.timer = self._clock.after(RING_ANYWAY_S, self._late, pop)

    def retract(self, call: CallView, agent: str, reason: str) -> None:
        """Take it back: answered_elsewhere, no_answer, rejected, busy, unregistered, caller_hung_up, withdrawn."""
        self._input(call, agent, "retract", reason)

    def connected(self, call: CallView, agent: str) -> None:
        self._input(call, agent, "connected")

    def wrap_up(self, call: CallView, agent: str) -> None:
        self._input(call, agent, "wrap_up")

    def ended(self, call: CallView, agent: str) -> None:
        self._input(call, agent, "ended")

    # --- transfers --------------------------------------------------------------------------------------------------

    def transferred(self, call: CallView, agent: str) -> None:
        """A colleague gave him the call: he gets the whole record."""
        self._transfers += 1
        pop = self._show(_Pop(f"{call.id}-t{self._transfers}", call, agent, None, CONNECTED))
        self._counters["pops_transferred"] += 1
        self._hub.publish(self._full("transferred", pop))

    def call_over(self, call_id: str) -> None:
        """A call has ended, or was given on: pops that came by a transfer end with it."""
        for agent in tuple(self._agents_of.get(call_id, ())):
            if self._pops[agent].queue is None:
                self._step(self._pops[agent], "ended")

    def again(self, call: CallView, agent: str, queue: str) -> None:
        """A call that outlived the last server, of the agent who talks. His client starts anew, too: it asks for it."""
        self._show(_Pop(f"{call.id}-again", call, agent, queue, CONNECTED))

    # --- both -------------------------------------------------------------------------------------------------------

    def _show(self, pop: _Pop) -> _Pop:
        """It takes the place of what the agent had."""
        old = self._pops.get(pop.agent)
        if old is not None:
            self._step(old, "ended" if old.state == WRAP_UP else "retract", "withdrawn")
        self._pops[pop.agent] = pop
        self._agents_of.setdefault(pop.call.id, set()).add(pop.agent)
        return pop

    # --- matching's side --------------------------------------------------------------------------------------------

    def updated(self, call: CallView) -> None:
        """The call's session or attributes changed: whoever has its pop gets the whole record again."""
        for agent in self._agents_of.get(call.id, ()):
            self._hub.publish(self._full("updated", self._pops[agent]))

    # --- the server's side ------------------------------------------------------------------------------------------

    def live(self, agent: str) -> list[dict[str, Any]]:
        """The agent's pops as they are now, for a client that (re)starts: the body of `updated` and the state."""
        pop = self._pops.get(agent)
        if pop is None:
            return []
        body: dict[str, Any] = json.loads(self._full("updated", pop).encode(0))
        del body["sequence"], body["type"]
        return [body | {"state": pop.state}]

    def shows(self, agent: str, session_id: str) -> bool:
        """Whether the agent has that session on his screen now."""
        pop = self._pops.get(agent)
        return pop is not None and pop.call.attributes.get("web_session") == session_id

    # --- inside -----------------------------------------------------------------------------------------------------

    def _full(self, kind: str, pop: _Pop) -> PopSent:
        call, now = pop.call, self._clock.now()
        session_id = call.attributes.get("web_session")
        name, number = call.shown
        session = self._sessions.get(session_id, now) if isinstance(session_id, str) and session_id else None
        snapshot = {
            "id": call.id, "from": number, "from_name": name, "to": call.to_number,
            "queue": pop.queue, "waited_s": round(now - call.started_at, 1), "attributes": dict(call.attributes),
        }  # fmt: skip
        return PopSent(now, kind, pop.id, pop.agent, call.id, call=snapshot, session=session)

    def _input(self, call: CallView, agent: str, what: str, reason: str | None = None) -> None:
        pop = self._pops.get(agent)
        if pop is None or pop.call.id != call.id:
            self._counters["pops_out_of_order"] += 1
        else:
            self._step(pop, what, reason)

    def _step(self, pop: _Pop, what: str, reason: str | None = None) -> None:
        try:
            state = _NEXT[pop.state, what]
        except KeyError:
            self._counters["pops_out_of_order"] += 1
            return
        if state is None:
            self._remove(pop)
        else:
            pop.state = state
        self._hub.publish(PopSent(self._clock.now(), what, pop.id, pop.agent, pop.call.id, reason))

    def _remove(self, pop: _Pop) -> None:
        del self._pops[pop.agent]
        agents = self._agents_of[pop.call.id]
        agents.discard(pop.agent)
        if not agents:
            del self._agents_of[pop.call.id]
        pop.then = None
        self._stop_timer(pop)

    def _written(self, pop: _Pop) -> None:
        pop.unwritten -= 1
        if pop.unwritten == 0 and pop.then is not None:
            self._stop_timer(pop)
            pop.timer = self._clock.after(HEAD_START_S, self._go, pop)

    def _go(self, pop: _Pop) -> None:
        pop.timer = None
        self._ring(pop)

    def _late(self, pop: _Pop) -> None:
        pop.timer = None
        if pop.then is not None:
            self._counters["pops_late"] += 1
            self._ring(pop)

    @staticmethod
    def _stop_timer(pop: _Pop) -> None:
        if pop.timer is not None:
            pop.timer.cancel()
            pop.timer = None

    @staticmethod
    def _ring(pop: _Pop) -> None:
        then, pop.then = pop.then, None
        if then is not None:
            then()
