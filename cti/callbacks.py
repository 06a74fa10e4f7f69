"""Callbacks by REST: asked for from the shop's page or by a supervisor, listed, put off, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from acd.callback_errors import (
    CallbackError,
    CallbacksFull,
    CallbackStateError,
    DuplicateCallback,
    NoCallbacks,
    NotANumber,
)
from acd.errors import UnknownQueue
from cti.errors import CallbacksExhausted, CtiError, FieldError, Forbidden, InvalidBody, StateConflict, UnknownResource
from cti.matching import attributes_of
from cti.models import SESSION_ID, Body, Reply
from cti.ports import CallbackDesk
from cti.replies import reply
from cti.views import LiveView
from cti.web_sessions import WebSession, WebSessions
from pbx.call.clock import Clock

if TYPE_CHECKING:
    from cti.rest import Ask

AHEAD_S: Final = 30 * 86_400.0  # how far ahead a call may be wished
LATE_S: Final = 60.0  # a wished time that has just passed is now


class CallbackPost(Body):
    """Who is to be called, and when."""

    queue: str = Field(min_length=1, max_length=100)
    number: str = Field(min_length=3, max_length=40, description="as it is written at home, or with + and country")
    at: float | None = Field(None, description="not before, seconds since 1970; null: as soon as it is his turn")
    web_session: str | None = Field(
        None, min_length=8, max_length=128, pattern=SESSION_ID,
        description="the visitor's session, for the agent's screen and the order of the queue; the shop must give it",
    )  # fmt: skip
    attributes: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")], Annotated[str, Field(max_length=500)] | int | float
    ] = Field(default_factory=dict, max_length=50, description="supervisors: further attributes of the call")


class CallbackPut(Body):
    """Another time."""

    at: float = Field(description="not before, seconds since 1970")


class Callback(Reply):
    """A customer who is to be called."""

    id: str
    queue: str
    number: str = Field(description="E.164")
    state: str = Field(description="SCHEDULED, QUEUED, RESERVED, DIALLING, REACHED, CONNECTED")
    asked_at: float
    due_at: float
    waiting_since: float = Field(description="what his place in line follows from")
    expires_at: float
    attempts: int = Field(description="how often his phone was called")
    last_outcome: str | None = Field(description="why he was not reached: no_answer, busy ...")
    agent: str | None = Field(description="who is held for it, or talks")
    call_id: str | None = Field(description="while there is a call")
    attributes: dict[str, Any]


class Callbacks(Reply):
    """All that are not over, next one first."""

    callbacks: list[Callback]
    left_off: int


class CallbackCancelled(Reply):
    """Nobody will be called."""

    id: str
    cancelled: bool


class CallbackRest:
    """Operations of the routes whose names begin with `callbacks.`."""

    def __init__(self, desk: CallbackDesk | None, view: LiveView, sessions: WebSessions, clock: Clock) -> None:
        self._desk, self._view, self._sessions, self._clock = desk, view, sessions, clock

    @property
    def _callbacks(self) -> CallbackDesk:
        if self._desk is None:
            raise UnknownResource("nobody is called back here")
        return self._desk

    async def post(self, ask: Ask) -> web.StreamResponse:
        post = ask.body
        assert isinstance(post, CallbackPost)
        if ask.who.role == "shop" and (post.web_session is None or post.attributes):
            raise Forbidden("the shop asks for callbacks of its web sessions only, and sets no attributes")
        attributes: dict[str, str | int | float] = dict(post.attributes)
        if post.web_session is not None:
            session = self._sessions.get(post.web_session, self._clock.now())
            if session is None:
                raise UnknownResource("no such web session, or it has expired")
            attributes |= attributes_of(session) | {"web_session": session.id}
        at = None if post.at is None else self._time(post.at)
        try:
            callback_id = self._callbacks.ask(post.queue, post.number, attributes, due_at=at)
        except (CallbackError, UnknownQueue) as error:
            raise _of(error) from None
        return reply(self._one(callback_id), 201)

    async def find(self, ask: Ask) -> web.StreamResponse:
        queue, limit = ask.request.query.get("queue"), ask.query["limit"]
        if queue is not None:
            self._view.must_know("queue", queue)
        found = [one for one in self._callbacks.views() if queue is None or one["queue"] == queue]
        return reply({"callbacks": found[:limit], "left_off": max(0, len(found) - limit)})

    async def get(self, ask: Ask) -> web.StreamResponse:
        return reply(self._one(ask.path["id"]))

    async def put(self, ask: Ask) -> web.StreamResponse:
        put, callback_id = ask.body, ask.path["id"]
        assert isinstance(put, CallbackPut)
        try:
            self._callbacks.reschedule(callback_id, self._time(put.at))
        except CallbackError as error:
            raise _of(error) from None
        return reply(self._one(callback_id))

    async def delete(self, ask: Ask) -> web.StreamResponse:
        try:
            self._callbacks.cancel(ask.path["id"])
        except CallbackError as error:
            raise _of(error) from None
        return reply({"id": ask.path["id"], "cancelled": True})

    def session_updated(self, session: WebSession) -> None:
        """Whoever waits for a call with this session: the order of the queue follows what he puts into his basket."""
        if self._desk is not None:
            self._desk.known(session.id, attributes_of(session))

    def _time(self, at: float) -> float:
        now = self._clock.now()
        if not now - LATE_S <= at <= now + AHEAD_S:
            raise InvalidBody([FieldError("at", "expected a time from now on, within 30 days, in seconds since 1970")])
        return at

    def _one(self, callback_id: str) -> Mapping[str, Any]:
        view = self._callbacks.view(callback_id)
        if view is None:
            raise UnknownResource("no such callback, or it is over")
        return view


def _of(error: CallbackError | UnknownQueue) -> CtiError:
    """What a client is told."""
    if isinstance(error, NotANumber):
        return InvalidBody([FieldError("number", str(error))])
    if isinstance(error, DuplicateCallback | CallbackStateError):
        return StateConflict(str(error), error.state)
    if isinstance(error, NoCallbacks):
        return StateConflict(str(error), "no callbacks")
    if isinstance(error, CallbacksFull):
        return CallbacksExhausted(str(error))
    return UnknownResource(str(error))
