"""The journal as Asterisk's `queue_log`, for the reporting tools that read that.

    unix time|call id|queue|agent|EVENT|parameters ...

Names and parameters of events are those of Asterisk's documentation ("Queue Logs"). docs/statistics.md says which of
our events becomes which, and where Asterisk has no word for what happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pbx.store.rows import JournalRow

NONE: Final = "NONE"
_KEYED: Final = "key "
_RANG: Final = frozenset(("no_answer", "rejected", "busy", "unregistered", "failed"))
_TRANSFER_KNOWN_S: Final = 2.0  # that a transfer was an attended one is journalled by then


@dataclass(slots=True)
class Item:
    """A call in a queue."""

    queue: str
    at: float
    rank: float  # in its queue; lower ones are served first
    original: int  # position when it came
    waited_s: float = 0.0


@dataclass(slots=True)
class Line:
    """To be written; a transfer may still turn out to be an attended one."""

    at: float
    call_id: str
    queue: str
    agent: str
    event: str
    parameters: tuple[object, ...]
    open_until: float | None = None

    def __str__(self) -> str:
        return "|".join(map(_clean, (int(self.at), self.call_id, self.queue, self.agent, self.event, *self.parameters)))


@dataclass(slots=True)
class Agent:
    """What is known of an agent."""

    state: str = "LOGGED_OUT"
    since: float = 0.0  # logged in


@dataclass(slots=True)
class QueueLog:
    """Rows of the journal in, in order; lines out. `members`: the queues that an agent serves, by his name."""

    members: Mapping[str, Sequence[str]] = field(default_factory=dict)
    callback_keys: Mapping[str, str] = field(default_factory=dict)  # by queue
    numbers: dict[str, str] = field(default_factory=dict)  # callers, by call
    items: dict[str, Item] = field(default_factory=dict)
    ringing: dict[int, float] = field(default_factory=dict)  # since when, by reservation
    rings: dict[tuple[str, str], int] = field(default_factory=dict)  # reservation, by call and agent
    agents: dict[str, Agent] = field(default_factory=dict)
    waiting: deque[Line] = field(default_factory=deque)

    def take(self, row: JournalRow) -> Iterator[str]:
        """What can be written now."""
        step = _STEPS.get(row.kind)
        if step is not None:
            step(self, row, row.data, row.call_id or "")
        while self.waiting:
            until = self.waiting[0].open_until
            if until is not None and row.at < until:
                return
            yield str(self.waiting.popleft())

    def rest(self) -> Iterator[str]:
        """At the end."""
        while self.waiting:
            yield str(self.waiting.popleft())

    def _say(self, row: JournalRow, call_id: str, queue: str, agent: str, event: str, *parameters: object) -> Line:
        line = Line(row.at, call_id, queue, agent, event, parameters)
        self.waiting.append(line)
        return line

    def _position(self, item: Item) -> int:
        return 1 + sum(one.queue == item.queue and one.rank < item.rank for one in self.items.values())

    # --- calls ---

    def _started(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        self.numbers[call_id] = str(data.get("from_number", ""))

    def _ended(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        self.numbers.pop(call_id, None)

    def _transferred(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        if data.get("kind") != "attended":
            return
        for line in self.waiting:
            if line.open_until is not None and line.call_id in (call_id, data.get("other_call_id")):
                line.event, line.open_until = "ATTENDEDTRANSFER", None
                line.parameters = ("BRIDGE", call_id, *line.parameters[2:])

    # --- items ---

    def _queued(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        item = Item(str(data["queue"]), row.at, row.at - float(data.get("score", 0.0)), 0)
        self.items[call_id] = item
        item.original = self._position(item)
        self._say(row, call_id, item.queue, NONE, "ENTERQUEUE", "", self.numbers.get(call_id, ""), item.original)

    def _rescored(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        if (item := self.items.get(call_id)) is not None:
            item.rank = item.at - float(data.get("score", 0.0))

    def _reserved(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        number = int(data["reservation"])
        self.ringing[number] = row.at
        self.rings[call_id, str(data["agent"])] = number

    def _not_taken(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        agent, outcome = str(data["agent"]), data.get("outcome")
        rang_ms = self._rang_ms(row, call_id, agent)[1]
        if outcome in _RANG:
            self._say(row, call_id, str(data["queue"]), agent, "RINGNOANSWER", rang_ms)
        elif outcome == "caller_hung_up":
            self._say(row, call_id, str(data["queue"]), agent, "RINGCANCELED", rang_ms)

    def _rang_ms(self, row: JournalRow, call_id: str, agent: str) -> tuple[int, int]:
        number = self.rings.pop((call_id, agent), 0)
        return number, round((row.at - self.ringing.pop(number, row.at)) * 1000)

    def _connected(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        agent = str(data["agent"])
        number, rang_ms = self._rang_ms(row, call_id, agent)
        item = self.items.pop(call_id, None) or Item(str(data["queue"]), row.at, row.at, 1)
        self.items[f"{call_id} talks"] = Item(item.queue, row.at, float("inf"), item.original, float(data["waited_s"]))
        hold_s = int(data["waited_s"])
        self._say(row, call_id, item.queue, agent, "CONNECT", hold_s, f"{call_id}.{number}", rang_ms // 1000)

    def _completed(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        item = self.items.pop(f"{call_id} talks", None) or Item(str(data["queue"]), row.at, row.at, 1)
        queue, agent, to = str(data["queue"]), str(data["agent"]), data.get("to")
        spans = int(item.waited_s), int(data["talked_s"]), item.original
        if data.get("by") != "transfer":
            event = "COMPLETEAGENT" if data.get("by") == "agent" else "COMPLETECALLER"
            self._say(row, call_id, queue, agent, event, *spans)
            return
        kind, _, name = str(to or "").partition(" ")
        line = self._say(row, call_id, queue, agent, "BLINDTRANSFER", name, kind, *spans)
        line.open_until = row.at + _TRANSFER_KNOWN_S

    def _left(self, row: JournalRow, data: dict[str, Any], call_id: str) -> tuple[str, tuple[int, int, int]]:
        """The queue; position, original position, seconds waited."""
        queue, waited_s = str(data["queue"]), int(data["waited_s"])
        item = self.items.get(call_id)
        if item is None:
            return queue, (1, 1, waited_s)
        found = self._position(item), item.original, waited_s
        del self.items[call_id]
        return queue, found

    def _abandoned(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        queue, spans = self._left(row, data, call_id)
        self._say(row, call_id, queue, NONE, "ABANDON", *spans)

    def _overflowed(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        queue, spans = self._left(row, data, call_id)
        reason = str(data.get("reason", "max_wait"))
        if reason == "max_wait":
            self._say(row, call_id, queue, NONE, "EXITWITHTIMEOUT", *spans)
        elif reason.startswith(_KEYED) or reason == "callback":
            key = reason.removeprefix(_KEYED) if reason != "callback" else self.callback_keys.get(queue, "")
            self._say(row, call_id, queue, NONE, "EXITWITHKEY", key, *spans)
        else:
            self._say(row, call_id, queue, NONE, "EXITEMPTY", *spans)

    # --- agents ---

    def _state(self, row: JournalRow, data: dict[str, Any], call_id: str) -> None:
        name, state, reason = str(data["agent"]), str(data["state"]), data.get("reason") or ""
        agent = self.agents.setdefault(name, Agent())
        before, agent.state = agent.state, state
        queues = self.members.get(name, ())
        if before == "LOGGED_OUT" != state:
            agent.since = row.at
            self._say(row, NONE, NONE, name, "AGENTLOGIN", name)
            self._each(row, queues, name, "ADDMEMBER")
        if state == "NOT_READY":
            self._each(row, queues, name, "PAUSE", reason)
            self._say(row, NONE, NONE, name, "PAUSEALL", reason)
        elif before == "NOT_READY" and state != "LOGGED_OUT":
            self._each(row, queues, name, "UNPAUSE")
            self._say(row, NONE, NONE, name, "UNPAUSEALL")
        if state == "LOGGED_OUT" != before:
            self._each(row, queues, name, "REMOVEMEMBER")
            self._say(row, NONE, NONE, name, "AGENTLOGOFF", name, int(row.at - agent.since))

    def _each(self, row: JournalRow, queues: Sequence[str], agent: str, event: str, *parameters: object) -> None:
        for queue in queues:
            self._say(row, NONE, queue, agent, event, *parameters)


async def lines(rows: AsyncIterator[JournalRow], log: QueueLog, since: float) -> AsyncIterator[str]:
    """The log of what happened from `since` on; rows before it say who is there and who waits."""
    async for row in rows:
        for line in log.take(row):
            if int(line.partition("|")[0]) >= int(since):
                yield line
    for line in log.rest():
        yield line


def _clean(value: object) -> str:
    """A field without what divides fields and lines."""
    return str(value).replace("|", "/").replace("\r", " ").replace("\n", " ")


_STEPS: Final[dict[str, Callable[[QueueLog, JournalRow, dict[str, Any], str], None]]] = {
    "CallStarted": QueueLog._started,
    "CallEnded": QueueLog._ended,
    "CallTransferred": QueueLog._transferred,
    "ItemQueued": QueueLog._queued,
    "ItemRescored": QueueLog._rescored,
    "ItemReserved": QueueLog._reserved,
    "ReservationEnded": QueueLog._not_taken,
    "ItemConnected": QueueLog._connected,
    "ItemCompleted": QueueLog._completed,
    "ItemAbandoned": QueueLog._abandoned,
    "ItemResumed": QueueLog._abandoned,
    "ItemOverflowed": QueueLog._overflowed,
    "AgentStateChanged": QueueLog._state,
}
KINDS: Final = tuple(_STEPS)
