"""The page at `/` in a real browser: headless Chromium, driven over chromedriver's HTTP protocol (W3C WebDriver)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

import cti.statistics
from acd.events import WrapUpExtended
from pbx.call.events import CallStarted
from tests.wire.browser import WAIT_S, Browser
from tests.wire.pretend_floor import FakeCall, Site

pytestmark = pytest.mark.wire

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


async def test_who_asked_for_a_call_on_the_page_is_on_the_screen_before_the_phone_rings(
    browser: Browser, base: str, site: Site
) -> None:
    """The shop asks by REST for a call to its visitor; what is in his basket is on the agent's screen, and follows."""
    headers = {"Authorization": f"Bearer {site.token('shop', 'shop')}"}
    body = {"queue": "asia", "number": "0688776655", "web_session": "session-1"}
    async with browser.http.post(f"{base}/v1/callbacks", json=body, headers=headers) as answer:
        assert answer.status == 201
        asked = await answer.json()
    assert asked["attributes"]["basket"] == 2300
    call = FakeCall("call-9", asked["number"])  # as the desk makes one, with what was asked for
    call.attributes |= asked["attributes"]
    site.floor.live.append(call)
    await browser.go(f"{base}/#token={site.token('agent', 'marie')}")
    await browser.until("#link", "live")
    site.matching.on_callback(call)
    rung = asyncio.Event()
    site.pops.offer(call, "marie", "asia", 1, rung.set)
    await asyncio.wait_for(rung.wait(), WAIT_S)
    card = await browser.until("#pop", "Tokyo and Kyoto")
    assert "+33688776655" in card and "€2,300" in card and "asked for a call on the page, 90 % sure" in card
    site.post({"id": "session-1", "basket": {"amount": 2890}})
    await browser.until("#pop-amount", "€2,890")
    site.pops.retract(call, "marie", "not_reached")
    await browser.until("#notice", "the customer was not reached")
    site.pops.transferred(call, "marie")
    await browser.until("#pop", "from a colleague")
    await browser.picture("pop-transferred")


async def test_an_agent_notes_how_the_call_ended(browser: Browser, base: str, site: Site) -> None:
    words = ["sold", "no sale", "<b>call back</b>"]
    work = {"call_id": "call-1", "queue": "asia", "began": None, "until": None, "at_most_until": None,
            "dispositions": words, "disposition_needed": True, "disposition": None}  # fmt: skip
    queues = [{"name": "asia", "level": 1, "joined": True, "changed": False, "able": True},
              {"name": "cruise", "level": 2, "joined": False, "changed": True, "able": True},
              {"name": "vip", "level": 1, "joined": True, "changed": False, "able": False}]  # fmt: skip
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
    for wanted in ("1:15", "2:20", "69 %", "target 80 %", "available", "3:45", "2 callbacks, 11:40"):
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
    await browser.until("#problem", "Sign in as a supervisor")
