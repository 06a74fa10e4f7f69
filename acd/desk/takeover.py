"""The desk before it may act: the last server's floor is there, phones and calls that outlived it are still told.

    Desk(waits=True)   take_up(floor)   phones, calls told ...   open()
    nothing is done ---------------------------------------------|  what follows from all of it is done
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd.desk.entry import Entry
from acd.engine import Engine
from acd.model import ItemState, WorkItem

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call

CALL_AGAIN_S = 300.0  # who was cut off has his place again if he calls within


class Takeover:
    """`floor` was taken up; `legs` and `registered` is what was told of phones."""

    __slots__ = ("floor", "legs", "registered")

    def __init__(self) -> None:
        self.floor = False
        self.legs: dict[str, int] = {}
        self.registered: dict[str, bool] = {}

    def over(self, engine: Engine, calls: list[str], lines: list[str], now: float) -> None:
        registered = [name for name, there in self.registered.items() if there]
        engine.restarted(calls, self.legs, registered, CALL_AGAIN_S, now, lines)


def entry_of(engine: Engine, call: Call, now: float) -> Entry | None:
    """A call of the last server in the desk's hands again; None if it was in no queue, or is no more."""
    item = engine.floor.items.get(call.id)
    attempt = call.connected
    if item is None or item.state is ItemState.KEPT:
        return None
    if attempt is not None:
        return _talking(engine, item, call, attempt, now)
    if item.state is ItemState.CONNECTED:  # whom he talked with is not there any more
        engine.complete(call.id, now)
        return None
    return Entry(call, item.queue.name)


def _talking(engine: Engine, item: WorkItem, call: Call, attempt: Attempt, now: float) -> Entry | None:
    if item.state is not ItemState.CONNECTED:  # the agent answered in the last moment, of which the floor knows nothing
        held = next((one for one in item.reservations.values() if one.agent == attempt.agent), None)
        if held is None or not engine.answer(held.number, now):
            engine.withdraw(call.id, str(attempt.destination), now)
            return None
    elif item.agent != attempt.agent:
        engine.complete(call.id, now)
        return None
    return Entry(call, item.queue.name, talks=attempt, agent=attempt.agent)
