"""A pretend floor: calls, desk, switch and records as `cti.ports` describes them, a clock that a test moves, and all
the parts of the package joined as the server joins them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

from acd.errors import (
    AgentCommandError,
    BadLevel,
    DispositionNeeded,
    ItemCommandError,
    UnknownAgent,
    UnknownDestination,
    UnknownDisposition,
    UnknownItem,
    UnknownQueue,
    UnknownReason,
    UnknownSkill,
)
from acd.events import AgentStateChanged
from acd.explain import Moment
from acd.figures import AGENTS, CALLS
from acd.report import Part
from config.schema import Destination, Site, Web
from cti.events import EventHub
from cti.http import HttpServer
from cti.ivr_statistics import IvrStatistics
from cti.matching import Matching
from cti.screen_pop import ScreenPops
from cti.tokens import Tokens
from cti.traces import Traces
from cti.web_sessions import WebSessions
from pbx.call.phone_settings import PhoneSettings
from pbx.spending import Spending
from pbx.store.intervals import AgentRow, CallsRow, IvrRow
from pbx.store.records import JournalRow
from pbx.subscriptions.message_summary import MessageSummary
from pbx.trace.ring import Ring
from tests.virtual_clock import VirtualClock

START = 1_700_000_000.0
SECRET = "a secret of this test, long enough for HS256"


class LoopClock:
    """Real time, for the tests with real sockets."""

    def now(self) -> float:
        return time.time()

    def after(self, delay_s: float, callback: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, callback, *args)


SITE = {
    "site": "x", "listen": {"sip": ["udp:127.0.0.1:5060"]},
    "extensions": {"101": {"password": "x", "forward": {"busy": "extension 102"}}, "102": {"password": "x"}},
}  # fmt: skip


@dataclass(eq=False)
class FakeCall:
    id: str = "call-1"
    from_number: str = "0612345678"
    from_name: str = ""
    to_number: str = "+33180000001"
    direction: str = "inbound"
    started_at: float = START
    attributes: dict[str, str | int | float] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[str, str]:
        return self.from_name, self.from_number

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    def set_attributes(self, new: Mapping[str, str | int | float]) -> None:
        self.attributes |= new

    def view(self) -> dict[str, Any]:
        return {"id": self.id, "direction": self.direction, "from": self.from_number, "to": self.to_number,
                "state": "queued", "since": self.started_at, "attributes": self.attributes,
                "destination": "queue asia"}  # fmt: skip


class FakeDesk:
    """Two agents whose commands obey the simplest of rules."""

    def __init__(self, emit: Callable[[object], None]) -> None:
        self.states: dict[str, str] = {"marie": "LOGGED_OUT", "paul": "NOT_READY"}
        self.reasons: dict[str, str | None] = {}
        self.talks: dict[str, str] = {}
        self.told: tuple[object, ...] = ()  # the last command
        self.emit = emit
        self.done: list[tuple[object, ...]] = []  # to queues

    def _go(self, agent: str, command: str, allowed: str, state: str, reason: str | None = None) -> None:
        if agent not in self.states:
            raise UnknownAgent(agent)
        if self.states[agent] not in allowed.split():
            raise AgentCommandError(agent, command, self.states[agent])
        self.states[agent], self.reasons[agent] = state, reason
        self.emit(AgentStateChanged(START, agent, state, reason, None))

    def login(self, agent: str, queues: Sequence[str] | None = None, *, by: str = "") -> None:
        self.told = ("login", agent, queues, by)
        self._go(agent, "login", "LOGGED_OUT", "NOT_READY", "login")

    def logout(self, agent: str, *, at_once: bool = False, by: str = "") -> None:
        self.told = ("logout", agent, by, *(["now"] if at_once else []))
        self._go(agent, "logout", "NOT_READY READY WRAP_UP", "LOGGED_OUT")

    def ready(self, agent: str, *, by: str = "") -> None:
        self._go(agent, "ready", "NOT_READY WRAP_UP", "READY")

    def not_ready(self, agent: str, reason: str, *, at_once: bool = False, by: str = "") -> None:
        if reason == "sleep":
            raise UnknownReason(reason, ("lunch", "training"))
        self._go(agent, "not_ready", "READY WRAP_UP", "NOT_READY", reason)

    def hang_up(self, agent: str, *, by: str = "") -> None:
        self._go(agent, "hang up", "BUSY", "WRAP_UP")

    def note(self, agent: str, disposition: str, *, item: str | None = None, by: str = "") -> None:
        self.told = ("note", agent, disposition)
        self._has(item)
        if disposition not in ("sold", "no sale"):
            raise UnknownDisposition(disposition, "asia", ("sold", "no sale"))

    def wrap_up_done(
        self, agent: str, disposition: str | None = None, *, item: str | None = None, by: str = ""
    ) -> None:
        self._has(item)
        if self.states[agent] == "WRAP_UP" and disposition is None and not by:
            raise DispositionNeeded(agent, "wrap-up done", "WRAP_UP", ("sold", "no sale"))
        self.told = ("wrap_up_done", agent, disposition, by)
        self._go(agent, "wrap_up_done", "WRAP_UP", "READY")

    def extend_wrap_up(self, agent: str, seconds: float, *, item: str | None = None, by: str = "") -> None:
        self.told = ("extend_wrap_up", agent, seconds)
        self._has(item)
        if self.states[agent] != "WRAP_UP":
            raise AgentCommandError(agent, "extend wrap-up", self.states[agent])

    def _has(self, item: str | None) -> None:
        if item == "chat-1":
            raise ItemCommandError(item, "wrap-up done", "CONNECTED")
        if item is not None:
            raise UnknownItem(item)

    def _queue(self, command: str, agent: str, queue: str) -> None:
        if queue != "asia":
            raise UnknownQueue(queue)
        self.told = (command, agent, queue)

    def join_queue(self, agent: str, queue: str, *, by: str = "") -> None:
        self._queue("join_queue", agent, queue)

    def leave_queue(self, agent: str, queue: str, *, by: str = "") -> None:
        self._queue("leave_queue", agent, queue)

    def change_skills(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        if "bad" in levels:
            raise BadLevel("bad", levels["bad"], 10)
        for skill in levels:
            if skill not in self.names("skill"):
                raise UnknownSkill(skill, self.names("skill"))
        self.told = ("change_skills", agent, dict(levels), by)

    def change_queues(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        self.told = ("change_queues", agent, dict(levels), by)

    def agent(self, name: str) -> dict[str, Any]:
        found = next((agent for agent in self.agents() if agent["name"] == name), None)
        if found is None:
            raise UnknownAgent(name)
        return found | {"queues": [{"name": "asia", "level": 1, "joined": True, "changed": False}],
                        "not_ready_reasons": ["lunch", "training"], "wrap_up": None}  # fmt: skip

    def names(self, kind: str) -> Sequence[str]:
        return {"queue": ["asia"], "skill": ["asia", "golf"], "agent": [*self.states]}[kind]

    def agent_states(self) -> Counter[str]:
        return Counter(self.states.values())

    def agents(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "display_name": name.title(), "state": state, "reason": self.reasons.get(name),
             "since": START, "call_id": self.talks.get(name), "skills": {"asia": 5}, "registered": True,
             "phone": "101" if name == "marie" else "sip:paul@example.com"}
            for name, state in self.states.items()
        ]  # fmt: skip

    def set_emergency(self, queue: str, on: bool) -> None:
        self.done.append(("emergency", queue, on))

    def set_queue_priority(self, queue: str, priority: float | None) -> None:
        self.done.append(("queue priority", queue, priority))

    def set_priority(self, queue: str, call_id: str, priority: float | None) -> None:
        self._item(queue, call_id, "priority")
        self.done.append(("priority", call_id, priority))

    def move(self, queue: str, call_id: str, to: Destination) -> None:
        self._item(queue, call_id, "move")
        if to.name == "nowhere":
            raise UnknownDestination(to)
        self.done.append(("move", call_id, str(to)))

    def withdraw(self, queue: str, call_id: str) -> None:
        self._item(queue, call_id, "withdraw")
        self.done.append(("withdraw", call_id))

    def _item(self, queue: str, call_id: str, command: str) -> None:
        if queue != "asia":
            raise UnknownQueue(queue)
        if call_id == "talks":
            raise ItemCommandError(call_id, command, "CONNECTED")
        if call_id != "call-1":
            raise UnknownItem(call_id, queue)

    timezone = "Europe/Paris"

    def statistics(self, by: str) -> list[dict[str, Any]]:
        return [{"name": "asia", "channel": "call", "quarter": None, "hour": None, "today": None}]

    def statistics_at_work(self, by: str) -> list[Part]:
        width = len(AGENTS if by == "agent" else CALLS)
        return [Part(4_500, "marie" if by == "agent" else "asia", "" if by == "agent" else "call", [1] * width, {}, {})]

    def at_present(self, call_id: str) -> Moment | None:
        return Moment(START + 5, "now", "now: waits", ("place 1",)) if call_id == "call-1" else None

    def wall_board(self) -> list[dict[str, Any]]:
        quarter = {"aht_s": 100.0, "abandon_share": None}
        return [{"name": "asia", "waiting": 3, "service_level": 0.75, "quarter": quarter, "today": {"answered": 31}}]

    def queues(self) -> list[dict[str, Any]]:
        return [{"name": "asia", "waiting": [{"call_id": "call-1", "waited_s": 12.5, "score": 2.0, "attributes": {}}],
                 "ready": 0, "busy": 0, "answered": 3, "abandoned": 1, "longest_wait_s": 12.5}]  # fmt: skip


@dataclass
class FakeSwitch:
    live: list[FakeCall] = field(default_factory=list)

    def calls(self) -> Iterator[FakeCall]:
        return iter(self.live)


class FakeRecords:
    async def events(self, call_id: str) -> list[JournalRow]:
        if call_id != "call-1":
            return []
        queued = JournalRow(1, START, "ItemQueued", call_id, {"queue": "asia", "attributes": {}, "score": 2.0})
        return [queued]

    async def calls_intervals(self, kind: str, since: float, before: float, name: str | None = None) -> list[CallsRow]:
        noted, figures = {"sold": 2}, (1,) * len(CALLS)
        rows = [CallsRow(start, kind, "asia", "call", noted, figures) for start in range(900, 4_500, 900)]
        return [row for row in rows if since <= row.start < before and name in (None, row.name)]

    async def agent_intervals(self, since: float, before: float, name: str | None = None) -> list[AgentRow]:
        rows = [AgentRow(900, "marie", {"lunch": 60_000}, {"sold": 1}, (1,) * len(AGENTS))]
        return [row for row in rows if since <= row.start < before and name in (None, row.agent)]

    async def ivr_intervals(self, since: float, before: float, name: str | None = None) -> list[IvrRow]:
        rows = [IvrRow(start, "welcome", "where", (4, 1, 2, 0, 3, 9_000, 1, 2, 0, 1)) for start in (900, 1_800)]
        return [row for row in rows if since <= row.start < before and name in (None, f"{row.flow}/{row.state}")]

    async def cdrs(self, limit: int, *, call_id: str | None = None) -> list[dict[str, Any]]:
        if call_id is not None:
            return [{"call_id": call_id, "cause": "caller hung up"}] if call_id.startswith("old-") else []
        return [{"call_id": f"old-{n}", "talked_s": 60.0 + n} for n in range(limit)]


class FakeBans:
    """One address is banned."""

    def __init__(self) -> None:
        self.sources = ["192.0.2.7"]

    def view(self) -> list[dict[str, Any]]:
        return [
            {"source": source, "reason": "scanner: sipvicious", "since": START, "until": START + 600, "offence": 1}
            for source in self.sources
        ]

    def lift(self, source: str) -> bool:
        known = source in self.sources
        if known:
            self.sources.remove(source)
        return known


class FakeClicks:
    """Makes no call but the one that it was given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.call: Any = None
        self.error: Exception | None = None

    def dial(self, extension: str, number: str) -> Any:
        if self.error is not None:
            raise self.error
        self.asked.append((extension, number))
        return self.call


class FakeTalks:
    """Conferences and supervision: does what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.call: Any = None
        self.error: Exception | None = None

    def view(self, agent: str = "") -> list[dict[str, Any]]:
        if not agent:
            return [{"name": "board", "room": True, "members": []}]
        return [
            {
                "supervisor": "104", "agent": agent, "mode": "whisper", "call_id": "c1", "supervisor_call_id": "c2",
                "since": START,
            }
        ]  # fmt: skip

    def _do(self, *asked: object) -> Any:
        if self.error is not None:
            raise self.error
        self.asked.append(asked)
        return self.call

    def add(self, call_id: str, number: str, by: str | None = None) -> Any:
        return self._do("add", call_id, number, by)

    def begin(self, agent: str, supervisor: str, mode: str) -> Any:
        return self._do("begin", agent, supervisor, mode)

    def change(self, agent: str, supervisor: str, mode: str) -> None:
        self._do("change", agent, supervisor, mode)

    def end(self, agent: str, supervisor: str) -> None:
        self._do("end", agent, supervisor)


class FakeCallbacks:
    """One callback at most; `error` is raised by whatever is asked for."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.one: dict[str, Any] | None = None

    def _may(self) -> None:
        if self.error is not None:
            raise self.error

    def ask(self, queue: str, number: str, attributes: Mapping[str, Any], *, due_at: float | None = None) -> str:
        self._may()
        self.one = {
            "id": "cb", "queue": queue, "number": "+33612345678", "state": "QUEUED", "asked_at": 1.0,
            "due_at": due_at or 1.0, "waiting_since": 1.0, "expires_at": 9.0, "attempts": 0, "last_outcome": None,
            "agent": None, "call_id": None, "attributes": dict(attributes),
        }  # fmt: skip
        return "cb"

    def cancel(self, callback_id: str) -> None:
        self._may()
        self.one = None

    def reschedule(self, callback_id: str, due_at: float) -> None:
        self._may()
        assert self.one is not None
        self.one["due_at"] = due_at

    def known(self, session_id: str, attributes: Mapping[str, Any]) -> None:
        if self.one is not None and self.one["attributes"].get("web_session") == session_id:
            self.one["attributes"] |= attributes

    def views(self) -> list[dict[str, Any]]:
        return [] if self.one is None else [self.one]

    def view(self, callback_id: str) -> dict[str, Any] | None:
        return self.one if callback_id == "cb" else None


class Floor:
    """Everything of the package, joined; `events` is what was emitted."""

    def __init__(self, clock: VirtualClock | LoopClock, **hub_options: int) -> None:
        self.counters: Counter[str] = Counter()
        self.events: list[object] = []
        self.randoms = iter(range(1, 1_000_000))
        web = Web()
        self.clock = clock
        self.hub = EventHub(START, self.counters, **hub_options)
        self.sessions = WebSessions(web, "FR", lambda _: next(self.randoms), self.counters)
        self.pops = ScreenPops(self.hub, self.sessions, clock, self.counters)
        self.matching = Matching(web, self.sessions, clock, self.emit, self.counters, self.pops.updated)
        self.desk = FakeDesk(self.emit)
        self.switch = FakeSwitch()
        self.ivr_statistics = IvrStatistics("Europe/Paris")
        self.tokens = Tokens(SECRET)
        self.bans = FakeBans()
        self.clicks = FakeClicks()
        self.talks = FakeTalks()
        self.callbacks = FakeCallbacks()
        self.spending = Spending(Site.model_validate(SITE), clock, self.emit, self.counters)
        self.trunks: list[dict[str, Any]] = []
        self.settings = PhoneSettings(Site.model_validate(SITE))
        self.messages = MessageSummary({"101"}.__contains__)
        self.ring = Ring(1 << 20, 600.0, clock.now, self.counters)
        self.traces = Traces(
            self.ring, lambda hop: ("192.0.2.1", 5060), {"carrier": lambda host, port: host == "198.51.100.7"}.get,
            lambda: "FR", clock, self.counters,
        )  # fmt: skip

    def emit(self, event: object) -> None:
        self.events.append(event)
        self.hub.publish(event)

    def server(self, **options: Any) -> HttpServer:
        return HttpServer(
            tokens=self.tokens, desk=self.desk, switch=self.switch, records=FakeRecords(), sessions=self.sessions,
            matching=self.matching, hub=self.hub, pops=self.pops, clock=self.clock, counters=self.counters,
            traces=self.traces, bans=self.bans, trunks=lambda: self.trunks, settings=self.settings,
            messages=self.messages, clicks=self.clicks, conferences=self.talks, supervision=self.talks,
            callbacks=self.callbacks, spending=self.spending,
            ivr_statistics=self.ivr_statistics, **options,
        )  # fmt: skip


class Api:
    """A client of a running server."""

    def __init__(self, floor: Floor, http: ClientSession, base: str) -> None:
        self.floor, self.http, self.base = floor, http, base

    def token(self, role: Any, name: str = "boss", valid_s: float = 60) -> str:
        return self.floor.tokens.make(role, name, self.floor.clock.now(), valid_s)

    async def call(
        self, method: str, path: str, role: str | None = "supervisor", name: str = "boss", **options: Any
    ) -> Any:
        """Status and body (parsed if JSON), headers."""
        headers = dict(options.pop("headers", {}))
        if role:
            headers["Authorization"] = f"Bearer {self.token(role, name)}"
        async with self.http.request(method, self.base + path, headers=headers, **options) as answer:
            body = await answer.read()
            is_json = answer.content_type.endswith(("/json", "+json"))
            return answer.status, (await answer.json(content_type=None) if is_json else body), answer.headers

    async def socket(self, role: str, name: str = "boss", query: str = "") -> ClientWebSocketResponse:
        token = self.token(role, name)
        return await self.http.ws_connect(
            f"{self.base}/v1/events{query}", headers={"Authorization": f"Bearer {token}"}, max_msg_size=0
        )


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def floor(clock: VirtualClock) -> Floor:
    return Floor(clock)


@pytest.fixture
def make_call() -> type[FakeCall]:
    return FakeCall


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    floor = Floor(LoopClock())
    server = floor.server(shop_origins=("https://shop.example",), gauges={"media_ports_free": lambda: 7.0})
    host, port = await server.start("127.0.0.1", 0)
    async with ClientSession() as http:
        yield Api(floor, http, f"http://{host}:{port}")
        await server.close()
