"""The clock of this server is behind that of the last one: its times of the floor are moved back by as much.

Whatever is a length (waits, wrap-ups, rests, pauses, offers, the memory of talks) then goes on as if nothing were. What
was appointed at a time of day (a wished callback, the intervals and days of statistics) stays where it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from acd.columns import Columns
from acd.deadlines import Deadlines, Due
from acd.selection import IdleOrder
from acd.waiting_line import WaitingLines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acd.floor import Floor
    from acd.model import WorkItem
    from acd.wrap_up import Notes


def set_back(floor: Floor, by_s: float) -> None:
    waiting = list(floor.lines)
    appointed = {
        callback.id for callback in floor.callbacks.values() if callback.wished and callback.due_at > floor.now
    }  # fmt: skip
    floor.now -= by_s
    _deadlines(floor, by_s, appointed)
    _callbacks(floor, by_s, appointed)
    _reservations(floor, by_s)
    for item in _items(floor):
        item.queued_at -= by_s
        item.age_from -= by_s
        item.connected_at -= by_s
        item.left_at -= by_s
    for notes in _notes(floor):
        notes.began = None if notes.began is None else notes.began - by_s
        notes.until = None if notes.until is None else notes.until - by_s
    _agents(floor, by_s)
    floor.talks.set_back(by_s)
    floor.doubts.since = {name: (wrong, at - by_s) for name, (wrong, at) in floor.doubts.since.items()}
    for rates in floor.measured.queues.values():
        rates.came_at -= by_s
    for work in floor.measured.work.values():
        work.since -= by_s
    floor.turns.set_back(by_s)
    floor.statistics.set_back(by_s)
    floor.lines = WaitingLines()  # their order is by time
    for item in waiting:
        floor.lines.add(item)
    for channel, line in floor.written.lines.items():
        floor.written.lines[channel] = again = WaitingLines()
        for item in line:
            again.add(item)


def _items(floor: Floor) -> Iterator[WorkItem]:
    yield from floor.items.values()
    yield from floor.written.items.values()


def _notes(floor: Floor) -> list[Notes]:
    """Each once."""
    found = [agent.notes for agent in floor.roster.agents.values()] + [item.notes for item in _items(floor)]
    return list({id(notes): notes for notes in found if notes is not None}.values())


def _deadlines(floor: Floor, by_s: float, appointed: set[str]) -> None:
    live, number = floor.deadlines.entries()
    stay = {(Due.CALLBACK, callback_id) for callback_id in appointed}
    moved = [(at if key in stay else at - by_s, nth, key) for at, nth, key in live]
    floor.deadlines = Deadlines(sorted(moved), number)


def _callbacks(floor: Floor, by_s: float, appointed: set[str]) -> None:
    for callback in floor.callbacks.values():
        callback.asked_at -= by_s
        if callback.dialled_until is not None:
            callback.dialled_until -= by_s
        if callback.id not in appointed:
            callback.age_from -= by_s
            callback.queued_at -= by_s
            callback.due_at -= by_s
            callback.expires_at -= by_s


def _reservations(floor: Floor, by_s: float) -> None:
    for of_all, items in ((floor.reservations, floor.items), (floor.written.reservations, floor.written.items)):
        for number, held in of_all.items():
            moved = replace(held, at=held.at - by_s, expires_at=held.expires_at - by_s)
            of_all[number] = items[held.item_id].reservations[number] = moved
            agent = floor.roster.agents[held.agent]
            if agent.reservation is held:
                agent.reservation = moved


def _agents(floor: Floor, by_s: float) -> None:
    roster = floor.roster
    roster.idle, roster.columns = IdleOrder(), Columns()  # by time, too
    for agent in roster.agents.values():
        agent.since -= by_s
        agent.idle_since -= by_s
        agent.on_duty_from -= by_s
        roster.update(agent)
