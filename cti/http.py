"""The HTTP server: wires the route table, checks each request before its operation sees it, serves the page.

Order of the checks: token (401), role (403), parameters (400), media type (415), size (413), body (400, 422).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from typing import Any

from aiohttp import hdrs, web
from pydantic import ValidationError

from cti import openapi, pages, problems
from cti.agents import AgentRest
from cti.callbacks import CallbackRest
from cti.commands import AgentCommands
from cti.errors import Forbidden, InvalidQuery, TokenError, WrongMediaType
from cti.events import EventHub
from cti.explanations import ExplanationRest
from cti.ivr_statistics import IvrStatistics
from cti.matching import Matching
from cti.metrics import Gauges, Metrics
from cti.ports import (
    AgentDesk,
    Bans,
    CallbackDesk,
    CallRecords,
    Calls,
    Clicks,
    Conferences,
    MessageCounts,
    PhoneSettings,
    Recordings,
    Supervision,
)
from cti.quality import Quality
from cti.queues import QueueRest
from cti.recordings import RecordingRest
from cti.rest import ANYONE, Ask, Health, Limited, Rest, Views
from cti.routes import ROUTES, Query, Route
from cti.screen_pop import ScreenPops
from cti.statistics import StatisticsRest, WallBoards
from cti.talks import TalkRest
from cti.tokens import Identity, Tokens
from cti.tolls import Spending, TollRest
from cti.traces import Traces
from cti.views import LiveView
from cti.web_sessions import WebSessions
from cti.websocket import EventStream, bearer
from pbx.call.clock import Clock, Timer

BODY_BYTES = 64 * 1024
TRIM_S = 30.0
SHUTDOWN_S = 3.0


def _no_phones(limit: int) -> Mapping[str, Any]:
    return {"phones": [], "left_off": 0}


async def _at_once() -> None: ...


class HttpServer:
    """All of the package behind one address."""

    def __init__(
        self, *, tokens: Tokens | None, desk: AgentDesk, switch: Calls, records: CallRecords, sessions: WebSessions,
        matching: Matching, hub: EventHub, pops: ScreenPops, clock: Clock, counters: Counter[str],
        traces: Traces, bans: Bans, trunks: Views = tuple, phones: Limited = _no_phones,
        settings: PhoneSettings | None = None, messages: MessageCounts | None = None,
        clicks: Clicks | None = None, quality: Quality | None = None, gauges: Gauges | None = None,
        health: Health = dict, recordings: Recordings | None = None, callbacks: CallbackDesk | None = None,
        conferences: Conferences | None = None,
        supervision: Supervision | None = None, spending: Spending | None = None,
        shop_origins: Collection[str] = (), ivr_statistics: IvrStatistics | None = None,
        written: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:  # fmt: skip
        """`health` says which parts work; `shop_origins`: web origins whose pages may post sessions themselves;
        `written`: see `StatisticsRest`."""
        view = LiveView(desk, switch)
        commands = AgentCommands(view, counters)
        ivr = ivr_statistics or IvrStatistics()
        self._hub, self._clock, self._traces = hub, clock, traces
        self._boards = WallBoards(desk, hub, clock)
        self._stream = EventStream(hub, pops, view, commands, tokens, clock, counters)
        self._rest = Rest(
            view=view, records=records, sessions=sessions, matching=matching, pops=pops, staff=AgentRest(commands),
            stream=self._stream, traces=traces, bans=bans, trunk_views=trunks, phone_views=phones, settings=settings,
            message_counts=messages, clicks=clicks, quality=quality,
            health=health, clock=clock, recordings=RecordingRest(recordings, view),
            talks=TalkRest(conferences, supervision), queue=QueueRest(view, counters),
            explanation=ExplanationRest(view, records),
            statistics=StatisticsRest(view, records, clock, ivr, written),
            callbacks=CallbackRest(callbacks, view, sessions, clock), tolls=TollRest(spending),
            metrics_source=Metrics(
                counters, gauges or {}, view, hub, sessions, lambda: ivr.today(clock.now()),
                () if quality is None else quality.histograms,
            ),
            document=cache(lambda: openapi.document(ROUTES, _version())),  # 0.2 s, for few who ask
        )  # fmt: skip
        self.app = build_app(self._rest, self._stream, counters, shop_origins)
        self._runner: web.AppRunner | None = None
        self._trimming: Timer | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; returns the address (a free port was chosen if `port` is 0). Raises OSError."""
        self._runner = web.AppRunner(
            self.app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S, max_line_size=16_384
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self._trim()
        self._boards.start()
        self._traces.closing = False
        address = self._runner.addresses[0]
        return str(address[0]), int(address[1])

    async def close(self) -> None:
        """Say goodbye to the websockets, finish what runs, stop listening."""
        self._boards.stop()
        if self._trimming:
            self._trimming.cancel()
            self._trimming = None
        if self._runner:
            self._traces.closing = True
            await self._stream.close()
            await self._runner.cleanup()
            self._runner = None

    def _trim(self) -> None:
        self._hub.trim(self._clock.now())
        self._trimming = self._clock.after(TRIM_S, self._trim)


def build_app(
    rest: Rest, stream: EventStream, counters: Counter[str], shop_origins: Collection[str]
) -> web.Application:
    """The aiohttp application for the route table and the page."""
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[_cors(shop_origins), problems.middleware(counters)])
    for route in ROUTES:
        operation: Operation = attrgetter(route.operation)(rest)
        app.router.add_route(route.method, route.path, _handler(route, operation, stream))
        if route.cors and shop_origins:
            app.router.add_route(hdrs.METH_OPTIONS, route.path, _preflight)
    pages.add_to(app.router)
    return app


Operation = Callable[[Ask], Awaitable[web.StreamResponse]]


def _handler(route: Route, operation: Operation, stream: EventStream) -> problems.Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        who = _authorised(route, request, stream) if route.roles else ANYONE
        _only_known(route, request)
        query = {query.name: _whole_number(query, request) for query in route.query if query.default is not None}
        return await operation(Ask(request, who, await _body(route, request), query))

    return handle


def _authorised(route: Route, request: web.Request, stream: EventStream) -> Identity:
    token = bearer(request)
    if token is None:
        raise TokenError("expected the header Authorization: Bearer TOKEN")
    who = stream.identify(token)
    if who.role not in route.roles:
        raise Forbidden(f"role {who.role} may not do this; it takes: {', '.join(route.roles)}")
    return who


def _only_known(route: Route, request: web.Request) -> None:
    """A parameter that the route does not have is an error, so that a typing mistake is seen; so is one given twice."""
    known = [query.name for query in route.query]
    for name in request.query:
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "no parameters"
            raise InvalidQuery(f"{name}: unknown parameter, expected {expected}")
        if len(request.query.getall(name)) > 1:
            raise InvalidQuery(f"{name}: expected once")


def _whole_number(query: Query, request: web.Request) -> int:
    text = request.query.get(query.name, str(query.default))
    if not (text.isascii() and text.isdigit() and len(text) < 12 and query.least <= int(text) <= query.most):
        raise InvalidQuery(f"{query.name}: expected a whole number from {query.least} to {query.most}")
    return int(text)


async def _body(route: Route, request: web.Request) -> Any:
    if route.body is None or (not route.body_required and not request.can_read_body):
        return None
    if request.content_type != "application/json":
        raise WrongMediaType(f"expected Content-Type: application/json (found {request.content_type})")
    try:
        return route.body.model_validate_json(await request.read())
    except ValidationError as e:
        raise problems.of_validation(e) from None


def _cors(origins: Collection[str]) -> Any:
    """Let the shop's own pages read the answers of the routes made for them, and nobody else's pages anything."""
    open_paths = {route.path for route in ROUTES if route.cors}

    @web.middleware
    async def cors(request: web.Request, handler: problems.Handler) -> web.StreamResponse:
        response = await handler(request)
        origin = request.headers.get(hdrs.ORIGIN, "")
        resource = request.match_info.route.resource
        if origins and resource is not None and resource.canonical in open_paths:
            response.headers[hdrs.VARY] = hdrs.ORIGIN
            if origin in origins:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        return response

    return cors


async def _preflight(request: web.Request) -> web.StreamResponse:
    headers: Mapping[str, str] = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "POST",
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type",
        hdrs.ACCESS_CONTROL_MAX_AGE: "3600",
    }
    return web.Response(status=204, headers=headers)


def _version() -> str:
    try:
        return version("plateau-pbx")
    except PackageNotFoundError:
        return "0"  # run from a source tree that is not installed
