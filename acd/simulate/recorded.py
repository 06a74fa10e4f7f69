"""A day as the journal has it: its calls, how long they were patient and talked, who worked when.

What was not seen is drawn: how long those would have stayed who were answered (patience is taken to be exponential;
its mean by `demand.censored_mean_s`), how long those would have talked who hung up (as any other of the queue). Who
took a callback is a caller like any other, who talked when he was called; whether he takes one again is drawn, too. A
callback that the web page or a flow asked for is played as a call. Chats and mails are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from acd.capacity import PHONE
from acd.simulate.demand import Arrival, Demand, Habits, Values, censored_mean_s
from acd.simulate.distributions import NEVER, Distribution, Exponential, any_of
from acd.simulate.staff import Shift

KINDS = (
    "ItemQueued", "ItemRescored", "ItemConnected", "ItemCompleted", "ItemAbandoned", "ItemKept", "ItemOverflowed",
    "AgentStateChanged", "CallbackAsked",
)  # fmt: skip
DAY_S = 86_400.0
OFF_DUTY = ("LOGGED_OUT", "NOT_READY")

Row = tuple[float, str, str | None, Mapping[str, Any]]  # at, kind, item, the event's other fields


@dataclass(slots=True)
class Recorded:
    """How a queue's callers fared, as recorded."""

    offered: int = 0
    left: list[float] = field(default_factory=list)  # waits of those who hung up
    answered: list[float] = field(default_factory=list)  # waits of those answered
    sent_on: int = 0
    called_back: int = 0  # gave up the place on the line for a callback
    talks: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """A caller, from the first queue on."""

    at: float
    queue: str
    attributes: Values
    now_in: str
    patience_s: float | None = None
    waited_s: float = 0.0
    talk_s: float | None = None
    called_back: bool = False  # from now on; no wait of his is one on the line


class RecordedDay:
    """Rows of the journal in order, from before the day (for who was at work then) to its end."""

    def __init__(self, rows: Iterable[Row], midnight: float, day_s: float = DAY_S) -> None:
        self._midnight = midnight
        self._end = midnight + day_s
        self.queues: dict[str, Recorded] = {}
        self.calls: list[Call] = []
        self.shifts: list[Shift] = []
        self._live: dict[str, Call] = {}
        self._called: dict[str, Call] = {}  # by callback
        self._on: dict[str, float] = {}  # agents on duty: since
        for at, kind, item, data in rows:
            if kind == "AgentStateChanged":
                self._agent(str(data["agent"]), str(data["state"]), at)
            elif kind == "CallbackAsked":
                if (caller := self._live.get(str(data["instead_of"]))) is not None:
                    self._called[str(data["callback_id"])] = caller
            elif item is not None and midnight <= at:
                self._call(at, kind, item, data)
        for agent, since in self._on.items():
            self._worked(agent, since, self._end)
        self._on.clear()

    def _call(self, at: float, kind: str, item: str, data: Mapping[str, Any]) -> None:
        call = self._live.get(item)
        if kind == "ItemQueued":
            if at >= self._end:
                return
            queue, channel = str(data["queue"]), data.get("channel", "call")
            if channel not in PHONE:
                return
            callback = item.rpartition("-")[0] if channel == "callback" else ""
            call = call or self._called.get(callback)
            if call is None:
                call = Call(at - self._midnight, queue, dict(data["attributes"]), queue, called_back=bool(callback))
                self.calls.append(call)
            self._live[item] = call
            call.now_in = queue
            if callback:
                self._called[callback] = call
            else:
                self._of(queue).offered += 1
        elif call is None:
            return
        elif kind == "ItemRescored":
            call.attributes = dict(data["attributes"])
        elif kind == "ItemCompleted":
            call.talk_s = float(data["talked_s"])
            self._of(call.now_in).talks.append(call.talk_s)
            del self._live[item]
        elif call.called_back:
            return
        elif kind == "ItemConnected":
            call.waited_s = at - self._midnight - call.at
            self._of(call.now_in).answered.append(float(data["waited_s"]))
        elif kind == "ItemOverflowed":
            call.waited_s = at - self._midnight - call.at
            call.called_back = data.get("reason") == "callback"
            told = self._of(call.now_in)
            told.called_back += call.called_back
            told.sent_on += not call.called_back
        else:  # ItemAbandoned; ItemKept: he hung up, too
            call.patience_s = at - self._midnight - call.at
            self._of(call.now_in).left.append(float(data["waited_s"]))
            del self._live[item]

    def _agent(self, name: str, state: str, at: float) -> None:
        if state in OFF_DUTY:
            since = self._on.pop(name, None)
            if since is not None:
                self._worked(name, since, at)
        else:
            self._on.setdefault(name, at)

    def _worked(self, agent: str, since: float, until: float) -> None:
        since, until = max(since, self._midnight), min(until, self._end)
        if until > since:
            self.shifts.append(Shift(agent, since - self._midnight, until - self._midnight))

    def _of(self, queue: str) -> Recorded:
        return self.queues.setdefault(queue, Recorded())

    # --- what to simulate -------------------------------------------------------------------------------------------

    def demand(self) -> Demand:
        """The day's calls, with what was seen of each."""
        calls = [Arrival(c.at, c.queue, c.attributes, c.patience_s, c.talk_s, c.waited_s) for c in self.calls]
        return Demand(arrivals=sorted(calls, key=lambda one: one.at), habits=self._habits(), others=self._everybody())

    def _habits(self) -> dict[str, Habits]:
        everybody = self._everybody()
        habits: dict[str, Habits] = {}
        for name in {call.queue for call in self.calls}:
            mine = [call for call in self.calls if call.queue == name]
            talk = any_of([call.talk_s for call in mine if call.talk_s is not None]) or everybody.talk
            habits[name] = Habits(talk, _patience(mine) or everybody.patience)
        return habits

    def _everybody(self) -> Habits:
        talk = any_of([call.talk_s for call in self.calls if call.talk_s is not None])
        found = Habits(patience=_patience(self.calls) or NEVER)
        return found if talk is None else replace(found, talk=talk)


def _patience(calls: Iterable[Call]) -> Distribution | None:
    """Of those who were not seen to hang up; None if nobody hung up."""
    known = list(calls)
    left = [call.patience_s for call in known if call.patience_s is not None]
    mean_s = censored_mean_s(left, [call.waited_s for call in known if call.patience_s is None])
    return Exponential(mean_s) if 0 < mean_s < math.inf else None
