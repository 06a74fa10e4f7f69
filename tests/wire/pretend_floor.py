"""The CTI part of a server around a pretend floor, for pages in a real browser."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from acd.callback_errors import DuplicateCallback, NotANumber
from acd.errors import AgentCommandError, UnknownAgent, UnknownDestination, UnknownSkill
from acd.events import AgentCommanded, AgentStateChanged
from acd.explain import Moment
from acd.figures import ABANDONED, AGENTS, ANSWERED, CALLS, COMPLETED, IN_TIME, OFFERED, SHORT, TALKED, WAITED, WRAPPED
from acd.report import Part
from acd.summary import of_calls
from config.schema import Destination, Web
from cti.events import EventHub
from cti.http import HttpServer
from cti.matching import Matching
from cti.models import WebSessionPost
from cti.screen_pop import ScreenPops
from cti.tokens import Tokens
from cti.traces import Traces
from cti.web_sessions import WebSessions
from pbx.call.events import SupervisionChanged, SupervisionEnded, SupervisionStarted
from pbx.call.supervision import NotSupervised
from pbx.store.intervals import AgentRow, CallsRow, IvrRow
from pbx.store.records import JournalRow
from pbx.trace.ring import Ring

SESSION = {
    "id": "session-1", "token": "token-of-session-1", "name": "Zoé <b>Dupont</b>", "partner": "voyages-blog",
    "phone_numbers": ["06 12 34 56 78"], "destination": "asia", "language": "fr",
    "basket": {"amount": 2300, "items": [
        {"name": "Tokyo and Kyoto, 9 nights", "price": 1890}, {"name": "Rail pass", "quantity": 2, "price": 205},
    ]},
    "pages": [
        {"url": "https://shop.example/asia", "title": "Asia"},
        {"url": "https://shop.example/asia/japan", "title": "Japan: tours"},
        {"url": "javascript:alert(1)", "title": "Not a page"},
    ],
    "form": {"travellers": 2, "departure": "2 April", "question": "Is the <i>ryokan</i> quiet?"},
}  # fmt: skip


class LoopClock:
    def now(self) -> float:
        return time.time()

    def after(self, delay_s: float, callback: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, callback, *args)


class FakeCall:
    def __init__(self, call_id: str, number: str) -> None:
        self.id, self.from_number, self.from_name, self.to_number = call_id, number, "", "+33180000001"
        self.direction, self.started_at = "inbound", time.time() - 42
        self.attributes: dict[str, str | int | float] = {}

    @property
    def shown(self) -> tuple[str, str]:
        return self.from_name, self.from_number

    def header(self, name: str) -> str | None:
        return "token-of-session-1" if name == "X-Web-Session" and self.id == "call-1" else None

    def set_attributes(self, new: Mapping[str, str | int | float]) -> None:
        self.attributes |= new

    def view(self) -> dict[str, Any]:
        return {"id": self.id, "direction": self.direction, "from": self.from_number, "to": self.to_number,
                "state": "answered", "with": None, "since": self.started_at, "attributes": self.attributes}  # fmt: skip


class NoBans:
    """Nobody is banned."""

    def view(self) -> list[dict[str, Any]]:
        return []

    def lift(self, source: str) -> bool:
        return False


def _day() -> list[int]:
    """Figures of a queue's day."""
    row = [0] * len(CALLS)
    row[OFFERED], row[ANSWERED], row[IN_TIME], row[ABANDONED], row[SHORT] = 40, 31, 24, 6, 2
    row[WAITED], row[COMPLETED], row[TALKED], row[WRAPPED] = 31 * 18_000, 30, 30 * 200_000, 30 * 25_000
    return row


class FakeFloor:
    """Desk, switch and records in one."""

    def __init__(self) -> None:
        self.now, self.live = time.time(), [FakeCall("call-1", "+33612345678"), FakeCall("call-2", "+33611111111")]
        self.states = dict(marie="LOGGED_OUT", paul="BUSY", anna="READY", igor="NOT_READY", jean="WRAP_UP")
        self.states["zoe"] = "RESERVED"
        self.more: dict[str, dict[str, Any]] = {}  # of an agent's own view
        self.pending: dict[str, str] = {}  # what an agent becomes after his call
        self.told: list[tuple[object, ...]] = []  # commands
        self.emergencies: set[str] = set()
        self.priorities: dict[str, float | None] = {}  # of queues
        self.emit: Callable[[object], None] = lambda event: None

    def calls(self) -> Iterator[FakeCall]:
        return iter(self.live)

    def names(self, kind: str) -> Sequence[str]:
        return {"queue": ["asia", "cruise"], "skill": ["asia", "french"], "agent": [*self.states]}[kind]

    def agent_states(self) -> Counter[str]:
        return Counter(self.states.values())

    def agents(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "display_name": name.title(), "state": state, "reason": None, "since": self.now,
             "call_id": None, "pending": self.pending.get(name)} for name, state in self.states.items()
        ]  # fmt: skip

    def queues(self) -> list[dict[str, Any]]:
        waiting = [
            {"call_id": call.id, "waited_s": 75.0, "state": "QUEUED", "agent": None, "attributes": call.attributes}
            for call in self.live
        ]
        numbers = {"agents": {"available": 1, "busy": 1}, "answered": 31, "abandoned": 2, "callback": True}
        return [
            {"name": "asia", "waiting": waiting, "longest_wait_s": 75.0} | numbers | self._set("asia"),
            {"name": "cruise", "waiting": [], "longest_wait_s": 0.0} | numbers | self._set("cruise"),
        ]

    def _set(self, queue: str) -> dict[str, Any]:
        priority = self.priorities.get(queue)
        return {"emergency": queue in self.emergencies, "priority": priority or 10.0, "priority_set": priority}

    timezone = "Europe/Paris"

    def statistics(self, by: str) -> list[dict[str, Any]]:
        return []

    def statistics_at_work(self, by: str) -> list[Part]:
        return []

    def wall_board(self) -> list[dict[str, Any]]:
        row = _day()
        agents = {"logged_in": 5, "on_duty": 4, "at_work": 3, "available": 1}
        now = {
            "waiting": 3, "longest_wait_s": 75.0, "expected_wait_s": 140.0, "service_level": 0.69,
            "service_level_target": 0.8, "service_level_within_s": 20.0, "agents": agents,
        }  # fmt: skip
        others = {"callback": {"waiting": 2, "longest_wait_s": 700.0}}
        quiet = {"waiting": 0, "longest_wait_s": 0.0, "expected_wait_s": 0.0, "service_level": None}
        return [
            {"name": "asia", **now, "other_channels": others, "quarter": of_calls(row), "today": of_calls(row)},
            {"name": "cruise", **now, **quiet, "quarter": None, "today": None},
            {"name": "<b>vip</b>", **now, "waiting": 1, "longest_wait_s": 4.0, "service_level": 0.96, "quarter": None,
             "today": of_calls(row)},
            {"name": "after-sales", **now, "waiting": 12, "service_level": 0.31, "quarter": None, "today": None},
        ]  # fmt: skip

    def at_present(self, call_id: str) -> Moment | None:
        return None

    async def events(self, call_id: str) -> list[JournalRow]:
        return []

    async def calls_intervals(self, kind: str, since: float, before: float, name: str | None = None) -> list[CallsRow]:
        start = int(since) // 900 * 900
        rows = [(queue, channel) for queue in ("asia", "cruise") for channel in ("call", "callback")]
        noted = {"sold": 12, "no sale": 3}
        return [CallsRow(start, kind, *row, noted, tuple(_day())) for row in rows if name in (None, row[0])]

    async def agent_intervals(self, since: float, before: float, name: str | None = None) -> list[AgentRow]:
        figures = tuple(range(1_000_000, 1_000_000 + 1000 * len(AGENTS), 1000))
        row = AgentRow(int(since), "marie", {"lunch": 900_000, "mail": 60_000}, {"sold": 12}, figures)
        return [row] if name in (None, "marie") else []

    async def ivr_intervals(self, since: float, before: float, name: str | None = None) -> list[IvrRow]:
        states = [("where", (90, 70, 8, 0, 88, 400_000)), ("closed", (12, 0, 3, 9, 0, 50_000))]
        rows = [IvrRow(int(since) // 900 * 900, "welcome", *state) for state in states]
        return [row for row in rows if name in (None, f"{row.flow}/{row.state}")]

    async def cdrs(self, limit: int, *, call_id: str | None = None) -> list[dict[str, Any]]:
        return []

    def go(self, agent: str, state: str, reason: str | None = None) -> None:
        if self.states[agent] == state:
            raise AgentCommandError(agent, state.lower(), state)
        self.states[agent] = state
        self.emit(AgentStateChanged(time.time(), agent, state, reason, None))

    def agent(self, name: str) -> dict[str, Any]:
        found = next((agent for agent in self.agents() if agent["name"] == name), None)
        if found is None:
            raise UnknownAgent(name)
        return found | self.more.get(name, {})

    def login(self, agent: str, queues: Sequence[str] | None = None, *, by: str = "") -> None:
        self.told.append(("login", agent, queues))
        self.go(agent, "NOT_READY", "login")

    def logout(self, agent: str, *, at_once: bool = False, by: str = "") -> None:
        self._leave("logout", agent, at_once, "LOGGED_OUT")

    def _leave(self, command: str, agent: str, at_once: bool, state: str, reason: str | None = None) -> None:
        """Who talks does so when his call is over, unless at once."""
        self.told.append((command, agent, at_once))
        if self.states[agent] == "BUSY" and not at_once:
            self.pending[agent] = state
            self.emit(AgentCommanded(time.time(), agent, command, "boss"))
        else:
            self.go(agent, state, reason)

    def ready(self, agent: str, *, by: str = "") -> None:
        self.go(agent, "READY")

    def not_ready(self, agent: str, reason: str, *, at_once: bool = False, by: str = "") -> None:
        self._leave("not_ready", agent, at_once, "NOT_READY", reason)

    def wrap_up_done(
        self, agent: str, disposition: str | None = None, *, item: str | None = None, by: str = ""
    ) -> None:
        self.told.append(("wrap_up_done", agent, disposition))
        self.go(agent, "READY")

    def hang_up(self, agent: str, *, by: str = "") -> None:
        self.told.append(("hang_up", agent))

    def note(self, agent: str, disposition: str, *, item: str | None = None, by: str = "") -> None:
        self.told.append(("note", agent, disposition))

    def extend_wrap_up(self, agent: str, seconds: float, *, item: str | None = None, by: str = "") -> None:
        self.told.append(("extend_wrap_up", agent, seconds))

    def join_queue(self, agent: str, queue: str, *, by: str = "") -> None:
        self.told.append(("join_queue", agent, queue))

    def leave_queue(self, agent: str, queue: str, *, by: str = "") -> None:
        self.told.append(("leave_queue", agent, queue))

    def change_skills(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        for skill in levels:
            if skill not in self.names("skill"):
                raise UnknownSkill(skill, self.names("skill"))
        self.told.append(("change_skills", agent, dict(levels)))

    def change_queues(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        self.told.append(("change_queues", agent, dict(levels)))

    def set_emergency(self, queue: str, on: bool) -> None:
        self.told.append(("set_emergency", queue, on))
        (self.emergencies.add if on else self.emergencies.discard)(queue)

    def set_queue_priority(self, queue: str, priority: float | None) -> None:
        self.told.append(("set_queue_priority", queue, priority))
        self.priorities[queue] = priority

    def set_priority(self, queue: str, call_id: str, priority: float | None) -> None:
        self.told.append(("set_priority", queue, call_id, priority))

    def move(self, queue: str, call_id: str, to: Destination) -> None:
        if to.name == "nowhere":
            raise UnknownDestination(to)
        self.told.append(("move", queue, call_id, str(to)))

    def withdraw(self, queue: str, call_id: str) -> None:
        self.told.append(("withdraw", queue, call_id))
        self.live = [call for call in self.live if call.id != call_id]


class FakeCallbacks:
    """Customers who are to be called."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, Any]] = {}
        now = time.time()
        shop = {"customer": "Zoé Dupont", "basket": 2300}
        for state, number, more in (
            ("DIALLING", "+33612345678", {"agent": "paul", "call_id": "call-1", "attributes": shop}),
            ("QUEUED", "+33698765432", {"attempts": 1, "last_outcome": "no_answer"}),
            ("SCHEDULED", "+33145678901", {"due_at": now + 90_000.0}),
        ):
            self.put("asia", number, state, **more)

    def put(self, queue: str, number: str, state: str, **more: Any) -> str:
        now, name = time.time(), f"cb-{len(self.all)}"
        self.all[name] = {
            "id": name, "queue": queue, "number": number, "state": state, "asked_at": now, "due_at": now,
            "waiting_since": now - 130, "expires_at": now + 9e4, "attempts": 0, "last_outcome": None, "agent": None,
            "call_id": None, "attributes": {},
        } | more  # fmt: skip
        return name

    def ask(self, queue: str, number: str, attributes: Mapping[str, Any], *, due_at: float | None = None) -> str:
        if not number.startswith("0"):
            raise NotANumber(number)
        if any(one["number"] == f"+33{number[1:]}" for one in self.all.values()):
            raise DuplicateCallback(queue, number, "QUEUED")
        return self.put(queue, f"+33{number[1:]}", "QUEUED", due_at=due_at or time.time(), attributes=attributes)

    def cancel(self, callback_id: str) -> None:
        del self.all[callback_id]

    def reschedule(self, callback_id: str, due_at: float) -> None:
        self.all[callback_id] |= {"due_at": due_at, "state": "SCHEDULED"}

    def known(self, session_id: str, attributes: Mapping[str, Any]) -> None:
        return None

    def views(self) -> list[dict[str, Any]]:
        return [*self.all.values()]

    def view(self, callback_id: str) -> dict[str, Any] | None:
        return self.all.get(callback_id)


class FakeSupervision:
    """Those who listen to agents: extension 110 may."""

    def __init__(self, floor: FakeFloor) -> None:
        self._floor, self._listeners = floor, list[dict[str, Any]]()

    def view(self, agent: str) -> list[dict[str, Any]]:
        return [one for one in self._listeners if one["agent"] == agent]

    def begin(self, agent: str, supervisor: str, mode: str) -> FakeCall:
        """He picks up at once."""
        if supervisor != "110":
            raise NotSupervised("forbidden", f"{supervisor} may not {mode} calls of {agent}")
        now = time.time()
        self._listeners.append(
            {"supervisor": supervisor, "agent": agent, "mode": mode, "call_id": "call-1", "since": now - 5,
             "supervisor_call_id": "call-9"}
        )  # fmt: skip
        self._floor.emit(SupervisionStarted(now, "call-1", agent, supervisor, mode, "call-9"))
        return FakeCall("call-9", supervisor)

    def change(self, agent: str, supervisor: str, mode: str) -> None:
        self._listeners[-1]["mode"] = mode
        self._floor.emit(SupervisionChanged(time.time(), "call-1", agent, supervisor, mode, "call-9"))

    def end(self, agent: str, supervisor: str) -> None:
        one = self._listeners.pop()
        self._floor.emit(SupervisionEnded(time.time(), "call-1", agent, supervisor, one["mode"], "call-9", 5.0))


class Site:
    """The CTI part of a server around a pretend floor."""

    def __init__(self) -> None:
        counters: Counter[str] = Counter()
        clock, web, self.floor = LoopClock(), Web(), FakeFloor()
        self.callbacks = FakeCallbacks()
        self.tokens = Tokens("a secret of this test, long enough for HS256")
        self.hub = EventHub(time.time(), counters)
        self.sessions = WebSessions(web, "FR", lambda _: 1, counters)
        self.pops = ScreenPops(self.hub, self.sessions, clock, counters)
        self.matching = Matching(web, self.sessions, clock, self.hub.publish, counters, self.pops.updated)
        self.floor.emit = self.hub.publish
        self.post(SESSION)
        for call in self.floor.live:
            self.matching.on_call(call)
        self.ring = Ring(1 << 20, 600.0, clock.now, counters)
        self.server = HttpServer(
            tokens=self.tokens, desk=self.floor, switch=self.floor, records=self.floor, sessions=self.sessions,
            matching=self.matching, hub=self.hub, pops=self.pops, clock=clock, counters=counters,
            traces=Traces(self.ring, lambda hop: ("192.0.2.1", 5060), lambda name: None, lambda: "FR", clock, counters),
            bans=NoBans(), callbacks=self.callbacks, supervision=FakeSupervision(self.floor),
        )  # fmt: skip

    def post(self, body: dict[str, Any]) -> None:
        session = self.sessions.upsert(WebSessionPost.model_validate(body), time.time())
        self.matching.on_session(session)

    async def until_told(self, *command: object) -> None:
        """Wait for the floor to be given this command. Raises TimeoutError."""
        async with asyncio.timeout(30):
            while command not in self.floor.told:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)

    def token(self, role: Any, name: str) -> str:
        return self.tokens.make(role, name, time.time(), 600)
