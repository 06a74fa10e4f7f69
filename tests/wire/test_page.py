"""The page at `/` in a real browser: headless Chromium, driven over chromedriver's HTTP protocol (W3C WebDriver)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

import cti.statistics
from acd.errors import AgentCommandError, UnknownAgent
from acd.events import AgentStateChanged, WrapUpExtended
from acd.explain import Moment
from acd.figures import ABANDONED, ANSWERED, CALLS, COMPLETED, IN_TIME, OFFERED, SHORT, TALKED, WAITED, WRAPPED
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
from pbx.call.events import CallStarted
from pbx.store.intervals import AgentRow, CallsRow
from pbx.store.records import JournalRow
from pbx.trace.ring import Ring
from tests.wire.browser import WAIT_S, Browser

pytestmark = pytest.mark.wire

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


class FakeFloor:
    """Desk, switch and records in one."""

    def __init__(self) -> None:
        self.now, self.live = time.time(), [FakeCall("call-1", "+33612345678"), FakeCall("call-2", "+33611111111")]
        self.states = dict(marie="LOGGED_OUT", paul="BUSY", anna="READY", igor="NOT_READY", jean="WRAP_UP")
        self.states["zoe"] = "RESERVED"
        self.more: dict[str, dict[str, Any]] = {}  # of an agent's own view
        self.told: list[tuple[object, ...]] = []  # commands
        self.emit: Callable[[object], None] = lambda event: None

    def calls(self) -> Iterator[FakeCall]:
        return iter(self.live)

    def names(self, kind: str) -> Sequence[str]:
        return {"queue": ["asia", "cruise"], "skill": ["asia"], "agent": [*self.states]}[kind]

    def agents(self) -> list[dict[str, Any]]:
        return [{"name": name, "display_name": name.title(), "state": state, "reason": None, "since": self.now,
                 "call_id": None} for name, state in self.states.items()]  # fmt: skip

    def queues(self) -> list[dict[str, Any]]:
        waiting = [{"call_id": call.id, "waited_s": 75.0, "attributes": {}} for call in self.live]
        numbers = {"agents": {"available": 1, "busy": 1}, "answered": 31, "abandoned": 2}
        return [
            {"name": "asia", "waiting": waiting, "longest_wait_s": 75.0} | numbers,
            {"name": "cruise", "waiting": [], "longest_wait_s": 0.0} | numbers,
        ]

    timezone = "Europe/Paris"

    def statistics(self, by: str) -> list[dict[str, Any]]:
        return []

    def statistics_at_work(self, by: str) -> list[Part]:
        return []

    def wall_board(self) -> list[dict[str, Any]]:
        row = [0] * len(CALLS)
        row[OFFERED], row[ANSWERED], row[IN_TIME], row[ABANDONED], row[SHORT] = 40, 31, 24, 6, 2
        row[WAITED], row[COMPLETED], row[TALKED], row[WRAPPED] = 31 * 18_000, 30, 30 * 200_000, 30 * 25_000
        agents = {"logged_in": 5, "on_duty": 4, "at_work": 3, "available": 1}
        now = {
            "waiting": 3, "longest_wait_s": 75.0, "expected_wait_s": 140.0, "service_level": 0.69,
            "service_level_target": 0.8, "service_level_within_s": 20.0, "agents": agents,
        }  # fmt: skip
        quiet = {"waiting": 0, "longest_wait_s": 0.0, "expected_wait_s": 0.0, "service_level": None}
        return [
            {"name": "asia", **now, "quarter": of_calls(row), "today": of_calls(row)},
            {"name": "cruise", **now, **quiet, "quarter": None, "today": None},
            {"name": "<b>vip</b>", **now, "waiting": 1, "longest_wait_s": 4.0, "service_level": 0.96, "quarter": None,
             "today": of_calls(row)},
            {"name": "after-sales", **now, "waiting": 12, "service_level": 0.31, "quarter": None, "today": None},
        ]  # fmt: skip

    def at_present(self, call_id: str) -> Moment | None:
        return None

    async def events(self, call_id: str) -> list[JournalRow]:
        return []

    async def calls_intervals(
        self, kind: str, since: float, before: float, name: str | None = None
    ) -> list[CallsRow]:
        return []

    async def agent_intervals(self, since: float, before: float, name: str | None = None) -> list[AgentRow]:
        return []

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

    def logout(self, agent: str, *, by: str = "") -> None:
        self.go(agent, "LOGGED_OUT")

    def ready(self, agent: str, *, by: str = "") -> None:
        self.go(agent, "READY")

    def not_ready(self, agent: str, reason: str, *, by: str = "") -> None:
        self.go(agent, "NOT_READY", reason)

    def wrap_up_done(self, agent: str, disposition: str | None = None, *, by: str = "") -> None:
        self.told.append(("wrap_up_done", agent, disposition))
        self.go(agent, "READY")

    def hang_up(self, agent: str) -> None:
        self.told.append(("hang_up", agent))

    def note(self, agent: str, disposition: str) -> None:
        self.told.append(("note", agent, disposition))

    def extend_wrap_up(self, agent: str, seconds: float) -> None:
        self.told.append(("extend_wrap_up", agent, seconds))

    def join_queue(self, agent: str, queue: str) -> None:
        self.told.append(("join_queue", agent, queue))

    def leave_queue(self, agent: str, queue: str) -> None:
        self.told.append(("leave_queue", agent, queue))

    def change_skills(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        self.told.append(("change_skills", agent, dict(levels)))

    def change_queues(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None:
        self.told.append(("change_queues", agent, dict(levels)))

    def set_emergency(self, queue: str, on: bool) -> None:
        self.told.append(("set_emergency", queue, on))

    def set_queue_priority(self, queue: str, priority: float | None) -> None:
        self.told.append(("set_queue_priority", queue, priority))

    def set_priority(self, queue: str, call_id: str, priority: float | None) -> None:
        self.told.append(("set_priority", queue, call_id, priority))

    def move(self, queue: str, call_id: str, to: Destination) -> None:
        self.told.append(("move", queue, call_id, str(to)))

    def withdraw(self, queue: str, call_id: str) -> None:
        self.told.append(("withdraw", queue, call_id))


class Site:
    """The CTI part of a server around a pretend floor."""

    def __init__(self) -> None:
        counters: Counter[str] = Counter()
        clock, web, self.floor = LoopClock(), Web(), FakeFloor()
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
            bans=NoBans(),
        )  # fmt: skip

    def post(self, body: dict[str, Any]) -> None:
        session = self.sessions.upsert(WebSessionPost.model_validate(body), time.time())
        self.matching.on_session(session)

    def token(self, role: Any, name: str) -> str:
        return self.tokens.make(role, name, time.time(), 600)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    yield Site()


@pytest.fixture
async def base(site: Site) -> AsyncIterator[str]:
    host, port = await site.server.start("127.0.0.1", 0)
    yield f"http://{host}:{port}"
    await site.server.close()


async def test_a_supervisor_sees_the_floor_live(browser: Browser, base: str, site: Site) -> None:
    await browser.go(base)
    await browser.picture("sign-in")
    await browser.type("#token", "nonsense")
    await browser.click("#sign-in-form button")
    await browser.until("#sign-in-error", "token")
    await browser.type("#token", site.token("supervisor", "boss"))
    await browser.click("#sign-in-form button")
    await browser.until("#link", "live")
    await browser.until("#queues", "asia")
    assert "1:15" in await browser.text("#queues")
    calls = await browser.text("#calls")
    assert "+33612345678" in calls and "€2,300" in calls and "Zoé <b>Dupont</b>" in calls, "never read as HTML"
    assert "Marie" in await browser.text("#agents")
    site.floor.live.append(FakeCall("call-3", "+33622222222"))
    to, now = "+33180000001", time.time()
    site.hub.publish(CallStarted(now, "call-3", "inbound", "+33622222222", to, "carrier", "ivr welcome", "x"))
    site.floor.ready("marie")
    await browser.until("#events", "call started")
    await browser.until("#calls", "+33622222222")
    await browser.until("#agents", "Ready")
    await browser.picture("floor-light")
    await browser.dark(True)
    await browser.picture("floor-dark")
    await browser.click("#leave")
    assert await browser.run("return sessionStorage.length") == 0
    assert await browser.complaints() == []


async def test_an_agent_works_with_the_page(browser: Browser, base: str, site: Site) -> None:
    await browser.go(f"{base}/#token={site.token('agent', 'marie')}")
    await browser.until("#state", "Logged out")
    assert "token" not in await browser.run("return location.href")
    await browser.click("[data-command=login]")
    await browser.until("#state", "Not ready")
    await browser.click("[data-command=ready]")
    await browser.until("#state", "Ready")
    call, rung = site.floor.live[0], asyncio.Event()
    site.pops.offer(call, "marie", "asia", 1, rung.set)
    await asyncio.wait_for(rung.wait(), WAIT_S)
    site.floor.go("marie", "RESERVED")
    card = await browser.until("#pop", "Tokyo and Kyoto")
    assert "Zoé <b>Dupont</b>" in card and "€2,300" in card and "from the web page, 100 % sure" in card
    assert "Is the <i>ryokan</i> quiet?" in card and "partner voyages-blog" in card
    links = await browser.run("return [...document.querySelectorAll('#pop a')].map(a => a.href)")
    assert links == ["https://shop.example/asia/japan", "https://shop.example/asia"], "no link that is not http"
    await browser.picture("pop-offered")
    site.floor.go("marie", "BUSY")
    site.pops.connected(call, "marie")
    await browser.until("#pop", "on the line")
    site.post({"id": "session-1", "basket": {"amount": 2890.5}})
    await browser.until("#pop-amount", "€2,890.5")
    await browser.dark(True)
    await browser.picture("pop-connected-dark")
    await browser.go(base)
    await browser.until("#pop", "on the line")
    site.floor.go("marie", "WRAP_UP")
    site.pops.wrap_up(call, "marie")
    await browser.until("#pop", "wrap-up")
    await browser.click("[data-command=wrap_up_done]")
    site.pops.ended(call, "marie")
    await browser.until("#no-pop", "No caller")
    site.pops.offer(site.floor.live[1], "marie", "asia", 2, lambda: None)
    await browser.until("#pop", "+33611111111")
    site.pops.retract(site.floor.live[1], "marie", "caller_hung_up")
    await browser.until("#notice", "the caller hung up")
    assert await browser.text("#pop") == ""
    site.floor.states["marie"] = "NOT_READY"
    await browser.run("command('not_ready', {reason: 'lunch'})")
    await browser.until("#notice", "makes no sense")
    await browser.picture("notice-dark")
    assert await browser.complaints() == []


async def test_an_agent_notes_how_the_call_ended(browser: Browser, base: str, site: Site) -> None:
    words = ["sold", "no sale", "<b>call back</b>"]
    work = {"call_id": "call-1", "queue": "asia", "began": None, "until": None, "at_most_until": None,
            "dispositions": words, "disposition_needed": True, "disposition": None}  # fmt: skip
    queues = [{"name": "asia", "level": 1, "joined": True, "changed": False},
              {"name": "cruise", "level": 2, "joined": False, "changed": True}]  # fmt: skip
    known = site.floor.more["marie"] = {"queues": queues, "not_ready_reasons": ["lunch", "training"], "phone": "103",
                                        "wrap_up": work}  # fmt: skip
    site.floor.states["marie"] = "BUSY"
    await browser.go(f"{base}/#token={site.token('agent', 'marie')}")
    await browser.until("#work", "How did it end? (needed)")
    assert "<b>call back</b>" in await browser.text("#work"), "never read as HTML"
    assert "at 103" in await browser.text("#state-reason")
    assert "training" in await browser.text("[data-command=not_ready]")
    assert "mail" not in await browser.text("[data-command=not_ready]")
    await browser.click("[data-command=hang_up]")
    await browser.click("[data-disposition='no sale']")
    now = time.time()
    known["wrap_up"] = work | {"began": now, "until": now + 90, "at_most_until": now + 600, "disposition": "no sale"}
    site.floor.go("marie", "WRAP_UP")
    site.pops.offer(site.floor.live[0], "marie", "asia", 1, lambda: None)
    site.pops.connected(site.floor.live[0], "marie")
    site.pops.wrap_up(site.floor.live[0], "marie")
    await browser.until("#left", "1:2")
    chosen = await browser.run("return [...document.querySelectorAll('.chosen')].map(one => one.textContent)")
    assert chosen == ["no sale"]
    await browser.until("#pop", "Tokyo and Kyoto")
    await browser.picture("wrap-up-light")
    await browser.click("[data-command=extend_wrap_up]")
    await browser.click("[data-queue=cruise]")
    await browser.click("[data-queue=asia]")
    known["wrap_up"] = work | {"began": now, "until": None, "at_most_until": now + 600}
    site.hub.publish(WrapUpExtended(now, "call-1", "asia", "marie", now))
    await browser.until("#left", "until a choice is made")
    await browser.dark(True)
    await browser.picture("wrap-up-needed-dark")
    await browser.click("[data-command=wrap_up_done]")
    await browser.until("#state", "Ready")
    assert site.floor.told == [
        ("hang_up", "marie"), ("note", "marie", "no sale"), ("extend_wrap_up", "marie", 60.0),
        ("join_queue", "marie", "cruise"), ("leave_queue", "marie", "asia"), ("wrap_up_done", "marie", None),
    ]  # fmt: skip
    assert await browser.complaints() == []


async def test_the_page_comes_back_after_a_restart(browser: Browser, base: str, site: Site) -> None:
    await browser.go(f"{base}/#token={site.token('agent', 'marie')}")
    await browser.until("#link", "live")
    await site.server.close()
    await browser.until("#link", "connection lost")
    site.pops.offer(site.floor.live[0], "marie", "asia", 1, lambda: None)
    await site.server.start("127.0.0.1", int(base.rpartition(":")[2]))
    await browser.until("#pop", "Tokyo and Kyoto")
    await browser.until("#link", "live")


async def test_the_wall_board(browser: Browser, base: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cti.statistics, "SHOW_S", 0.1)
    await browser.wide(1600)
    await browser.go(f"{base}/wall-board#token={site.token('supervisor', 'boss')}")
    await browser.until('[data-queue="asia"] .waiting', "3")
    text = await browser.text('[data-queue="asia"]')
    for wanted in ("1:15", "2:20", "69 %", "target 80 %", "available", "3:45"):
        assert wanted in text, (wanted, text)
    moods = "return [...document.querySelectorAll('.card')].map(card => card.dataset.mood)"
    assert await browser.run(moods) == ["low", "calm", "good", "bad"]
    assert "<b>vip</b>" in await browser.text("#queues")  # shown, not obeyed
    assert "token" not in await browser.run("return location.href")
    await browser.picture("wall-board")
    await browser.dark(True)
    await browser.picture("wall-board-dark")
    await browser.dark(False)
    await browser.wide(420)
    await browser.picture("wall-board-narrow")
    assert await browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert await browser.complaints() == []


async def test_the_wall_board_says_what_it_needs(browser: Browser, base: str, site: Site) -> None:
    await browser.run("sessionStorage.clear()")
    await browser.go(f"{base}/wall-board#token=nonsense")
    await browser.until("#empty", "with the token of a supervisor")
