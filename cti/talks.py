"""Conferences and supervision by REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from cti.errors import CtiError, FieldError, Forbidden, InvalidBody, StateConflict, TooManyCalls, UnknownResource
from cti.models import ConferencePost, SupervisionPost, SupervisionPut
from cti.ports import Conferences, Supervision
from cti.replies import reply
from pbx.call.originate import NotDialled

if TYPE_CHECKING:
    from cti.rest import Ask


class TalkRest:
    """Operations of the routes whose names begin with `talks.`."""

    def __init__(self, conferences: Conferences | None, supervision: Supervision | None) -> None:
        self._conferences, self._supervision = conferences, supervision

    @property
    def _rooms(self) -> Conferences:
        if self._conferences is None:
            raise UnknownResource("there are no conferences here")
        return self._conferences

    @property
    def _listeners(self) -> Supervision:
        if self._supervision is None:
            raise UnknownResource("there is no supervision here")
        return self._supervision

    async def conferences(self, ask: Ask) -> web.StreamResponse:
        return reply({"conferences": self._rooms.view()})

    async def add(self, ask: Ask) -> web.StreamResponse:
        post = ask.body
        assert isinstance(post, ConferencePost)
        try:
            call = self._rooms.add(ask.path["id"], post.to, post.by)
        except NotDialled as error:
            raise of_dialling(error) from None
        told = {"call_id": call.id, "extension": call.from_number, "to": post.to}
        return reply(told | {"destination": call.view()["destination"]}, 201)

    async def supervision(self, ask: Ask) -> web.StreamResponse:
        return reply({"supervision": self._listeners.view(ask.path["name"])})

    async def supervise(self, ask: Ask) -> web.StreamResponse:
        post, agent = ask.body, ask.path["name"]
        assert isinstance(post, SupervisionPost)
        try:
            call = self._listeners.begin(agent, post.supervisor, post.mode)
        except NotDialled as error:
            raise of_dialling(error) from None
        told = {"call_id": call.id, "agent": agent, "supervisor": post.supervisor, "mode": post.mode}
        return reply(told, 201)

    async def supervise_otherwise(self, ask: Ask) -> web.StreamResponse:
        put = ask.body
        assert isinstance(put, SupervisionPut)
        try:
            self._listeners.change(ask.path["name"], ask.path["extension"], put.mode)
        except NotDialled as error:
            raise of_dialling(error) from None
        return await self.supervision(ask)

    async def supervise_no_more(self, ask: Ask) -> web.StreamResponse:
        try:
            self._listeners.end(ask.path["name"], ask.path["extension"])
        except NotDialled as error:
            raise of_dialling(error) from None
        return await self.supervision(ask)


def of_dialling(error: NotDialled) -> CtiError:
    """Why a call was not made, as a problem."""
    if error.why == "unknown":
        return UnknownResource(str(error))
    if error.why == "number":
        return InvalidBody([FieldError("to", str(error))])
    if error.why == "refused":
        return TooManyCalls(str(error))
    if error.why == "forbidden":
        return Forbidden(str(error))
    return StateConflict(str(error), error.why)
