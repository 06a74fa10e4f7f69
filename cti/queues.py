"""What supervisors do to queues and those who wait, by REST."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from acd.errors import ItemCommandError, UnknownDestination, UnknownItem, UnknownQueue
from cti.errors import FieldError, InvalidBody, StateConflict, UnknownResource
from cti.queue_models import EmergencyPut, ItemPut, MovePost, QueuePut
from cti.replies import reply
from cti.views import LiveView

if TYPE_CHECKING:
    from cti.rest import Ask


class QueueRest:
    """Operations of the routes whose names begin with `queue.`."""

    def __init__(self, view: LiveView, counters: Counter[str]) -> None:
        self._view = view
        self._counters = counters

    async def get(self, ask: Ask) -> web.StreamResponse:
        return reply(self._queue(ask.path["name"]))

    async def put(self, ask: Ask) -> web.StreamResponse:
        name, put = ask.path["name"], ask.body
        assert isinstance(put, QueuePut)
        self._queue(name)
        with self._told():
            if "priority" in put.model_fields_set:
                self._view.desk.set_queue_priority(name, put.priority)
            if put.emergency is not None:
                self._view.desk.set_emergency(name, put.emergency)
        return reply(self._queue(name))

    async def emergency(self, ask: Ask) -> web.StreamResponse:
        put = ask.body
        assert isinstance(put, EmergencyPut)
        for queue in self._view.desk.queues():
            with self._told():
                self._view.desk.set_emergency(queue["name"], put.on)
        return reply(self._view.queues())

    async def put_call(self, ask: Ask) -> web.StreamResponse:
        name, put = ask.path["name"], ask.body
        assert isinstance(put, ItemPut)
        with self._told():
            self._view.desk.set_priority(name, ask.path["id"], put.priority)
        return reply(self._queue(name))

    async def move(self, ask: Ask) -> web.StreamResponse:
        name, post = ask.path["name"], ask.body
        assert isinstance(post, MovePost)
        with self._told():
            self._view.desk.move(name, ask.path["id"], post.to)
        return reply(self._queue(name))

    async def withdraw(self, ask: Ask) -> web.StreamResponse:
        name = ask.path["name"]
        with self._told():
            self._view.desk.withdraw(name, ask.path["id"])
        return reply(self._queue(name))

    def _queue(self, name: str) -> Mapping[str, Any]:
        for queue in self._view.desk.queues():
            if queue["name"] == name:
                return queue
        raise UnknownResource(f"no queue {name!r}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the desk says of it, as HTTP does."""
        try:
            yield
        except (UnknownQueue, UnknownItem) as e:
            raise UnknownResource(str(e)) from None
        except UnknownDestination as e:
            raise InvalidBody([FieldError("to", str(e))]) from None
        except ItemCommandError as e:
            self._counters["queue_commands_refused"] += 1
            raise StateConflict(str(e), e.state) from None
        self._counters["queue_commands"] += 1
