"""The server ended, however, and another has taken up its floor: what is no more, and what came instead.

Calls that did not outlive it ended with it, at the last moment that is known of it; so did every offer. Who waited is
given time to call again and has his place then. All else goes on: states, reasons, wrap-ups, rests, callbacks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from acd import callbacks
from acd.agent_state import State
from acd.commands import DropLine
from acd.deadlines import Due
from acd.model import ItemState, WorkItem
from acd.reservation import Outcome
from acd.set_back import set_back
from acd.waiting_line import WaitingLines

if TYPE_CHECKING:
    from acd.engine import Engine
    from acd.floor import Floor


def restart(
    engine: Engine, calls: Collection[str], legs: Mapping[str, int], registered: Collection[str], keep_s: float,
    now: float, lines: Collection[str] = (),
) -> None:  # fmt: skip
    """See `Engine.restarted`."""
    floor = engine.floor
    if now < floor.now:
        set_back(floor, floor.now - now)
    held = list(floor.reservations.values())
    for reservation in held:
        floor.end(reservation, Outcome.WITHDRAWN)
    for item in {reservation.item_id: floor.items[reservation.item_id] for reservation in held}.values():
        floor.lines.add(item)
        if item.queue.max_wait_s is not None and item.callback is None:  # it may have passed while it rang
            floor.deadlines.set((Due.ITEM, item.id), item.queued_at + item.queue.max_wait_s)
    for item in list(floor.items.values()):
        if item.state is ItemState.QUEUED and item.id not in calls and item.callback is None:
            _cut_off(engine, item, keep_s, max(0.0, now - floor.now))
    waiting = list(floor.lines)
    floor.lines = WaitingLines()  # until all is known of phones, nobody is matched
    for item in list(floor.items.values()):
        if item.state is ItemState.CONNECTED and item.id not in calls:
            engine.complete(item.id, floor.now)
    floor.release(held)
    floor.advance(now)
    floor.first_reservation(int(now * 1000))
    _phones(floor, legs, set(registered), set(lines))
    renewed = callbacks.to_renew(floor, {reservation.item_id for reservation in held}, calls)
    for item in waiting:
        if item not in renewed:
            floor.place(item)
    for item in renewed:
        callbacks.renew(floor, item)
    callbacks.all_placed(floor)


def _cut_off(engine: Engine, item: WorkItem, keep_s: float, down_s: float) -> None:
    """The place is kept from now on, and he left it when the server ended."""
    floor = engine.floor
    engine.abandon(item.id, floor.now, max(item.queue.resume_s, keep_s) + down_s)


def _phones(floor: Floor, legs: Mapping[str, int], registered: set[str], lines: set[str]) -> None:
    """As they are now; agents by it."""
    roster = floor.roster
    for name in registered | set(legs):
        roster.phone(name)
    for phone in list(roster.phones.values()):
        phone.registered, phone.legs = phone.name in registered, legs.get(phone.name, 0)
        phone.other_call = phone.legs > 0 and phone.held_by is None
        roster.tidy(phone)
    for agent in roster.agents.values():
        agent.line, agent.line_called = agent.name in lines, False  # who is ready, and has none, is called again
        if agent.line and (agent.state is State.LOGGED_OUT or not agent.nailed_up):
            agent.line = False
            floor.commands.append(DropLine(agent.name))
        if agent.state is State.READY:
            floor.enter(agent, State.READY, agent.reason if agent.resting else None)
