"""One method for each operation of the route table. What goes wrong is raised; `cti.problems` makes the answer."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from cti.agents import AgentRest
from cti.callbacks import CallbackRest
from cti.errors import FieldError, Forbidden, InvalidBody, UnknownResource
from cti.explanations import ExplanationRest
from cti.matching import Matching
from cti.metrics import CONTENT_TYPE, Metrics
from cti.models import DialPost, Messages, PhoneSettingsPut, WebSessionPost
from cti.ports import Bans, CallRecords, Clicks, MessageCounts, PhoneSettings
from cti.quality import Quality
from cti.queues import QueueRest
from cti.recordings import RecordingRest
from cti.replies import NOT_KEPT, reply, reply_with
from cti.screen_pop import ScreenPops
from cti.statistics import StatisticsRest
from cti.talks import TalkRest, of_dialling
from cti.tokens import Identity
from cti.tolls import TollRest
from cti.traces import Traces
from cti.views import LiveView
from cti.web_sessions import WebSessions
from cti.websocket import EventStream
from pbx.call.clock import Clock
from pbx.call.originate import NotDialled
from pbx.call.phone_settings import BadSetting, UnknownPhone
from pbx.trace.svg import ladder_svg

ANYONE: Final = Identity("shop", "", 0.0)  # on open routes, whose operations don't ask who it is

Views = Callable[[], Sequence[Mapping[str, Any]]]
Limited = Callable[[int], Mapping[str, Any]]
Health = Callable[[], Mapping[str, bool]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that passed all checks of its route."""

    request: web.Request
    who: Identity
    body: BaseModel | None
    query: Mapping[str, int]

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.match_info


@dataclass(slots=True, eq=False)
class Rest:
    """The operations and the parts they need."""

    view: LiveView
    records: CallRecords
    sessions: WebSessions
    matching: Matching
    pops: ScreenPops
    staff: AgentRest
    stream: EventStream
    traces: Traces
    bans: Bans
    trunk_views: Views
    phone_views: Limited
    settings: PhoneSettings | None
    message_counts: MessageCounts | None
    clicks: Clicks | None
    recordings: RecordingRest
    talks: TalkRest
    queue: QueueRest
    explanation: ExplanationRest
    statistics: StatisticsRest
    callbacks: CallbackRest
    tolls: TollRest
    quality: Quality | None
    metrics_source: Metrics
    health: Health
    clock: Clock
    document: Callable[[], Mapping[str, Any]]

    # --- the floor --------------------------------------------------------------------------------------------------

    async def calls(self, ask: Ask) -> web.StreamResponse:
        return reply(self.view.calls(ask.query["limit"]))

    async def call(self, ask: Ask) -> web.StreamResponse:
        call_id = ask.path["id"]
        live = self.view.call(call_id)
        rows = await self.records.cdrs(1, call_id=call_id)
        traced = self.traces.knows(call_id)
        if live is None and not rows and not traced:
            raise UnknownResource("no such call, neither live nor in the records")
        record = _plain(rows[0]) if rows else None
        legs = [] if live is None or self.quality is None else await self.quality.of(call_id)
        recordings = await self.recordings.of_call(call_id)
        known = {"live": live, "record": record, "traced": traced, "quality": legs, "recordings": recordings}
        return reply({"id": call_id} | known)

    async def queues(self, ask: Ask) -> web.StreamResponse:
        return reply(self.view.queues())

    async def agents(self, ask: Ask) -> web.StreamResponse:
        return await reply_with({}, "agents", self.view.desk.agents())

    async def cdrs(self, ask: Ask) -> web.StreamResponse:
        return reply({"cdrs": [_plain(row) for row in await self.records.cdrs(ask.query["limit"])]})

    async def events(self, ask: Ask) -> web.StreamResponse:
        return await self.stream.serve(ask.request)

    # --- SIP --------------------------------------------------------------------------------------------------------

    async def call_ladder(self, ask: Ask) -> web.StreamResponse:
        return reply((await self.traces.ladder(ask.path["id"])).view())

    async def call_picture(self, ask: Ask) -> web.StreamResponse:
        picture = ladder_svg(await self.traces.ladder(ask.path["id"]))
        return web.Response(text=picture, content_type="image/svg+xml", headers=NOT_KEPT)

    async def call_packets(self, ask: Ask) -> web.StreamResponse:
        return await self.traces.packets_of_call(ask.request, ask.who, ask.path["id"])

    async def trace(self, ask: Ask) -> web.StreamResponse:
        return await self.traces.lines(ask.request, ask.who, ask.query["last_s"], bool(ask.query["follow"]))

    async def trace_packets(self, ask: Ask) -> web.StreamResponse:
        return await self.traces.packets(ask.request, ask.who, ask.query["last_s"], bool(ask.query["follow"]))

    # --- agents -----------------------------------------------------------------------------------------------------

    async def agent(self, ask: Ask) -> web.StreamResponse:
        name = ask.path["name"]
        if not ask.who.may_command(name):
            raise Forbidden("an agent may see himself only")
        return reply(self.view.agent(name))

    # --- web sessions -----------------------------------------------------------------------------------------------

    async def web_session_post(self, ask: Ask) -> web.StreamResponse:
        post, now = ask.body, self.clock.now()
        assert isinstance(post, WebSessionPost)
        created = self.sessions.get(post.id, now) is None
        session = self.sessions.upsert(post, now)
        self.callbacks.session_updated(session)
        stored = {
            "id": session.id,
            "created": created,
            "updated_at": session.updated_at,
            "valid_until": session.valid_until,
            "phone_numbers": [{"given": n, "e164": self.sessions.e164(n)} for n in post.phone_numbers or ()],
            "calls_updated": self.matching.on_session(session),
        }
        return reply(stored, 201 if created else 200)

    async def web_session(self, ask: Ask) -> web.StreamResponse:
        session_id, who = ask.path["id"], ask.who
        if who.role == "agent" and not self.pops.shows(who.name, session_id):
            raise Forbidden("an agent may read a session only while it is on his screen")
        session = self.sessions.get(session_id, self.clock.now())
        if session is None:
            raise UnknownResource("no such web session, or it has expired")
        return web.Response(text=session.json, content_type="application/json", headers=NOT_KEPT)

    async def web_session_code(self, ask: Ask) -> web.StreamResponse:
        code, valid_until = self.sessions.code(ask.path["id"], self.clock.now())
        return reply({"code": code, "valid_until": valid_until})

    # --- trunks -----------------------------------------------------------------------------------------------------

    async def trunks(self, ask: Ask) -> web.StreamResponse:
        return reply({"trunks": self.trunk_views()})

    async def phones(self, ask: Ask) -> web.StreamResponse:
        return reply(self.phone_views(ask.query["limit"]))

    async def extension(self, ask: Ask) -> web.StreamResponse:
        return reply(self._settings_of(ask.path["name"]).view(ask.path["name"]))

    async def extension_put(self, ask: Ask) -> web.StreamResponse:
        name, put = ask.path["name"], ask.body
        assert isinstance(put, PhoneSettingsPut)
        settings = self._settings_of(name)
        new = {field.replace("_", "-"): _setting(getattr(put, field)) for field in sorted(put.model_fields_set)}
        try:
            settings.change(name, new)
        except BadSetting as error:
            raise InvalidBody([FieldError("", str(error))]) from None
        return reply(settings.view(name))

    async def dial(self, ask: Ask) -> web.StreamResponse:
        extension, post = ask.path["name"], ask.body
        assert isinstance(post, DialPost)
        if ask.who.role == "agent" and self.view.agent(ask.who.name)["phone"] != extension:
            raise Forbidden("an agent may dial with his own phone only")
        if self.clicks is None:
            raise UnknownResource(f"no extension {extension}")
        try:
            call = self.clicks.dial(extension, post.to)
        except NotDialled as error:
            raise of_dialling(error) from None
        view = call.view()
        told = {"call_id": call.id, "extension": extension, "to": post.to, "destination": view["destination"]}
        return reply(told, 201)

    def _settings_of(self, name: str) -> PhoneSettings:
        if self.settings is not None:
            with suppress(UnknownPhone):
                self.settings.view(name)
                return self.settings
        raise UnknownResource(f"no extension {name}")

    async def messages(self, ask: Ask) -> web.StreamResponse:
        return self._messages_of(ask.path["name"])

    async def messages_put(self, ask: Ask) -> web.StreamResponse:
        put = ask.body
        assert isinstance(put, Messages)
        if self.message_counts is not None:
            with suppress(KeyError):
                self.message_counts.set(ask.path["name"], put.new, put.old, put.new_urgent, put.old_urgent)
        return self._messages_of(ask.path["name"])

    def _messages_of(self, extension: str) -> web.StreamResponse:
        if self.message_counts is not None:
            with suppress(KeyError):
                counts = self.message_counts.of(extension)
                return reply({name: getattr(counts, name) for name in Messages.model_fields})
        raise UnknownResource(f"no extension {extension}")

    # --- security ---------------------------------------------------------------------------------------------------

    async def banned(self, ask: Ask) -> web.StreamResponse:
        return reply({"bans": self.bans.view()})

    async def ban_lift(self, ask: Ask) -> web.StreamResponse:
        source = ask.path["id"]
        if not self.bans.lift(source):
            raise UnknownResource(f"{source} is not banned")
        return reply({"source": source, "lifted": True})

    # --- service ----------------------------------------------------------------------------------------------------

    async def whoami(self, ask: Ask) -> web.StreamResponse:
        return reply({"role": ask.who.role, "name": ask.who.name, "expires_at": ask.who.expires_at})

    async def openapi(self, ask: Ask) -> web.StreamResponse:
        return reply(await asyncio.to_thread(self.document))

    async def healthz(self, ask: Ask) -> web.StreamResponse:
        parts = dict(self.health())
        good = all(parts.values())
        return reply({"status": "ok" if good else "degraded", "parts": parts}, 200 if good else 503)

    async def metrics(self, ask: Ask) -> web.StreamResponse:
        return web.Response(body=self.metrics_source.text(), headers={"Content-Type": CONTENT_TYPE})


def _setting(value: bool | str | None) -> str | None:
    return ("on" if value else "off") if isinstance(value, bool) else value


def _plain(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return dataclasses.asdict(row)
    named: Mapping[str, Any] = row._asdict()  # a named tuple or a database row
    return named
