"""What supervisors do to queues and to those who wait in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from acd.desk.entry import Entry
from acd.engine import Engine
from acd.errors import ItemCommandError, UnknownDestination, UnknownItem, UnknownQueue
from acd.model import ItemState, WorkItem
from config.schema import Destination, Site

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.clock import Clock

#: Where the names behind a destination are defined.
_SECTIONS: Final = {
    "extension": "extensions", "queue": "queues", "ivr": "ivr", "trunk": "trunks", "group": "groups",
    "conference": "conferences",
}  # fmt: skip
_CALLED: Final = frozenset(("uri", "number"))  # whoever that is


class QueueCommands:
    """A part of the desk. They raise `UnknownQueue`, `UnknownItem`, `UnknownDestination`, `ItemCommandError`."""

    _clock: Clock
    _site: Site
    _engine: Engine
    _calls: dict[str, Entry]

    def set_emergency(self, queue: str, on: bool) -> None:
        """While it is on, callers go where the queue says for that; those who wait, at once."""
        self._engine.set_emergency(queue, on, self._clock.now())
        self._pump()

    def set_queue_priority(self, queue: str, priority: float | None) -> None:
        """None: as the site says again. The order of those who wait follows."""
        self._engine.set_queue_priority(queue, priority, self._clock.now())
        self._pump()

    def set_priority(self, queue: str, call_id: str, priority: float | None) -> None:
        """Of one who waits; None: as the queue's again."""
        self._waiting(queue, call_id, "priority")
        self._engine.set_priority(call_id, priority, self._clock.now())
        self._pump()

    def move(self, queue: str, call_id: str, to: Destination) -> None:
        """A caller who waits goes elsewhere; to another queue with the age he has."""
        entry = self._on_the_line(self._waiting(queue, call_id, "move"), "move")
        if to.kind not in _CALLED and to.name not in getattr(self._site, _SECTIONS.get(to.kind, ""), ()):
            raise UnknownDestination(to)
        self._send(entry.call, to, "moved")

    def withdraw(self, queue: str, call_id: str) -> None:
        """A caller who waits is hung up; a kept place is kept no longer."""
        item, now = self._waiting(queue, call_id, "withdraw"), self._clock.now()
        if item.state is ItemState.KEPT:
            self._engine.withdraw(call_id, None, now)
        else:
            entry = self._on_the_line(item, "withdraw")
            self._take_out(entry)
            self._engine.withdraw(call_id, None, now)
            entry.call.hang_up(f"withdrawn from queue {queue}")
        self._pump()

    def _waiting(self, queue: str, call_id: str, command: str) -> WorkItem:
        """An item of the queue that talks to nobody yet."""
        floor = self._engine.floor
        if queue not in floor.queues:
            raise UnknownQueue(queue)
        item = floor.queues[queue].items.get(call_id)
        if item is None:
            raise UnknownItem(call_id, queue)
        if item.state is ItemState.CONNECTED:
            raise ItemCommandError(call_id, command, item.state.value)
        return item

    def _on_the_line(self, item: WorkItem, command: str) -> Entry:
        entry = self._calls.get(item.id)
        if entry is None or entry.customer is not None:  # a kept place, a callback: `/v1/callbacks` is for these
            raise ItemCommandError(item.id, command, "CALLBACK" if item.channel == "callback" else item.state.value)
        return entry

    def _pump(self) -> None:
        raise NotImplementedError

    def _take_out(self, entry: Entry) -> None:
        raise NotImplementedError

    def _send(self, call: Call, to: Destination, reason: str) -> None:
        raise NotImplementedError
