"""Why a call went where it went, by REST: what the journal has of it and, while it lives, what it is at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from acd.explain import explain, story
from cti.errors import UnknownResource
from cti.ports import CallRecords
from cti.replies import reply
from cti.views import LiveView

if TYPE_CHECKING:
    from cti.rest import Ask


class ExplanationRest:
    """Operations of the routes whose names begin with `explanation.`."""

    def __init__(self, view: LiveView, records: CallRecords) -> None:
        self._view, self._records = view, records

    async def get(self, ask: Ask) -> web.StreamResponse:
        call_id = ask.path["id"]
        found = explain(call_id, await story(self._records.events, call_id))
        present = self._view.desk.at_present(call_id)
        if present is not None:
            found.moments.append(present)
        if not found.moments and not await self._records.cdrs(1, call_id=call_id) and self._view.call(call_id) is None:
            raise UnknownResource("no such call, neither live nor in the records")
        return reply(found.view())
