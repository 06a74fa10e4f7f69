"""Recordings by REST: start, stop, mask, list, listen, delete. What can't be done is raised by whoever keeps them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from pydantic import Field

from cti.errors import Forbidden, InvalidQuery, UnknownResource
from cti.models import LegalHold, Reply
from cti.ports import Recordings
from cti.replies import NOT_KEPT, reply
from cti.views import LiveView

if TYPE_CHECKING:
    from cti.rest import Ask

STEP_BYTES: Final = 1 << 18  # read and sent in one go
_PERSON_DIGITS: Final = 3  # in a number at least: an extension is a person, too


class Erased(Reply):
    """The recordings of a person's calls: which are gone, and which are not and why."""

    deleted: list[str]
    running: list[str] = Field(description="of calls under way: stop them, or wait, and ask again")
    legal_hold: list[str]


class RecordingRest:
    """Operations of the routes whose names begin with `recordings.`."""

    def __init__(self, recordings: Recordings | None, view: LiveView) -> None:
        self._recordings, self._view = recordings, view

    @property
    def _kept(self) -> Recordings:
        if self._recordings is None:
            raise UnknownResource("nothing is recorded here")
        return self._recordings

    async def find(self, ask: Ask) -> web.StreamResponse:
        query = ask.request.query
        found = await self._kept.find(
            ask.query["limit"], call_id=query.get("call"), queue=query.get("queue"), agent=query.get("agent")
        )
        for kind in ("queue", "agent"):
            if kind in query and not found:
                self._view.must_know(kind, query[kind])
        return reply({"recordings": found})

    async def of_call(self, call_id: str) -> list[Mapping[str, Any]]:
        """All recordings of a call."""
        return [] if self._recordings is None else [*await self._recordings.find(100, call_id=call_id)]

    async def get(self, ask: Ask) -> web.StreamResponse:
        return reply(await self._kept.get(ask.path["id"]))

    async def start(self, ask: Ask) -> web.StreamResponse:
        call = self._view.call(ask.path["id"])
        if ask.who.role == "agent" and (call is None or call.get("with") != ask.who.name):
            raise Forbidden("an agent may record only the call that he has")
        return reply(self._kept.start(ask.path["id"], _by(ask)), 201)

    async def stop(self, ask: Ask) -> web.StreamResponse:
        return reply(self._kept.stop(ask.path["id"], _by(ask)))

    async def mask(self, ask: Ask) -> web.StreamResponse:
        return await self._mask(ask, True)

    async def unmask(self, ask: Ask) -> web.StreamResponse:
        return await self._mask(ask, False)

    async def _mask(self, ask: Ask, masked: bool) -> web.StreamResponse:
        if ask.who.role == "agent" and (await self._kept.get(ask.path["id"]))["agent"] != ask.who.name:
            raise Forbidden("an agent may mask only the recording of his own call")
        return reply(self._kept.mask(ask.path["id"], masked, _by(ask)))

    async def delete(self, ask: Ask) -> web.StreamResponse:
        return reply(await self._kept.delete(ask.path["id"], _by(ask)))

    async def erase(self, ask: Ask) -> web.StreamResponse:
        number = ask.request.query.get("number", "").strip()
        if len(re.sub(r"\D", "", number)) < _PERSON_DIGITS:
            raise InvalidQuery("number: expected the number of a person, as +33612345678 (a plus is %2B here)")
        return reply(await self._kept.erase(number, _by(ask)))

    async def hold(self, ask: Ask) -> web.StreamResponse:
        assert isinstance(ask.body, LegalHold)
        return reply(await self._kept.hold(ask.path["id"], ask.body.on))

    async def audio(self, ask: Ask) -> web.StreamResponse:
        """Deciphered; a part of it if asked for (RFC 9110 14.2)."""
        sound = await self._kept.read(ask.path["id"])
        with closing(sound):
            start, end = _range(ask.request, sound.size)
            headers = {**NOT_KEPT, "Accept-Ranges": "bytes", "X-Complete": "yes" if sound.complete else "no"}
            part = end - start < sound.size
            if part:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{sound.size}"
            response = web.StreamResponse(status=206 if part else 200, headers=headers)
            response.content_type, response.content_length = sound.media_type, end - start
            await response.prepare(ask.request)
            while start < end:
                data = await asyncio.to_thread(sound.read, start, min(STEP_BYTES, end - start))
                if not data:  # shorter than it was a moment ago
                    break
                await response.write(data)
                start += len(data)
            await response.write_eof()
            return response


def _range(request: web.Request, size: int) -> tuple[int, int]:
    try:
        asked = request.http_range
    except ValueError:
        raise InvalidQuery("Range: expected bytes=FIRST-LAST") from None
    start, stop, _ = asked.indices(size)
    if start >= stop and asked != slice(None, None, 1):
        raise InvalidQuery(f"Range: the recording has {size} bytes")
    return start, stop


def _by(ask: Ask) -> str:
    return f"{ask.who.role} {ask.who.name}"

