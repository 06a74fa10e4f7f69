"""What a supervisor does with the pages, in a real browser: queues, callers, agents, callbacks, figures."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from acd.callback_events import CallbackAsked
from acd.events import AgentSkillsChanged
from tests.wire.browser import Browser
from tests.wire.pretend_floor import Site

pytestmark = pytest.mark.wire
CHANGE = "const field = document.querySelector(arguments[0]); field.value = arguments[1]; field.onchange()"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    yield Site()


@pytest.fixture
async def base(site: Site) -> AsyncIterator[str]:
    host, port = await site.server.start("127.0.0.1", 0)
    yield f"http://{host}:{port}"
    await site.server.close()


async def pictures(browser: Browser, name: str) -> None:
    """Light and dark, on a desk and on a telephone; nothing is wider than the page."""
    for width in (1280, 400):
        await browser.wide(width)
        for dark in (False, True):
            await browser.dark(dark)
            await browser.picture(f"{name}-{width}-{'dark' if dark else 'light'}")
        assert await browser.run("return document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width}"
    await browser.dark(False)
    await browser.wide(1280)


async def open_page(browser: Browser, site: Site, address: str, role: str = "supervisor", name: str = "boss") -> None:
    await browser.go(f"{address}#token={site.token(role, name)}")


async def test_a_queue_and_those_who_wait_in_it(browser: Browser, base: str, site: Site) -> None:
    await open_page(browser, site, f"{base}/")
    await browser.until("#queues", "cruise")
    await pictures(browser, "floor")
    await browser.click("#queues [data-queue=asia]")
    await browser.until("#sheet", "Zoé <b>Dupont</b>")
    await browser.click(".line summary")
    await browser.until(".line", "Hang up")
    await pictures(browser, "queue-sheet")
    await browser.click("#sheet [role=switch]")
    await browser.until("#queues", "emergency")
    await browser.run(CHANGE, ".settings input[type=number]", "55")
    await site.until_told("set_queue_priority", "asia", 55.0)
    await browser.run(CHANGE, ".line input[type=number]", "99")
    await site.until_told("set_priority", "asia", "call-1", 99.0)
    await browser.type(".line form input", "queue nowhere")
    await browser.click(".line form button")
    await browser.until("#sheet-notice", "no destination 'queue nowhere'")
    await browser.run("document.querySelector('.line form input').value = ''")
    await browser.type(".line form input", "queue cruise")
    await browser.click(".line form button")
    await site.until_told("move", "asia", "call-1", "queue cruise")
    await browser.click(".line .danger")
    await browser.until(".line .danger", "Really hang up?")
    assert site.floor.told[-1][0] == "move", "not before the second click"
    await browser.click(".line .danger")
    await browser.until(".line li:first-child b", "+33611111111")
    assert site.floor.told == [
        ("set_emergency", "asia", True), ("set_queue_priority", "asia", 55.0), ("set_priority", "asia", "call-1", 99.0),
        ("move", "asia", "call-1", "queue cruise"), ("withdraw", "asia", "call-1"),
    ]  # fmt: skip
    assert "Dupont" not in await browser.text(".line")
    assert [line for line in await browser.complaints() if "422" not in line] == []


async def test_an_agents_levels_and_state(browser: Browser, base: str, site: Site) -> None:
    skills = {"asia": 5}
    queues = [
        {"name": "asia", "level": 1, "joined": True, "changed": True, "able": True},
        {"name": "cruise", "level": 2, "joined": True, "changed": False, "able": False},
    ]
    site.floor.more["marie"] = {"skills": skills, "skill_changes": {}, "queues": queues, "not_ready_reasons": ["lunch"]}
    await open_page(browser, site, f"{base}/")
    await browser.until("#agents", "Marie")
    await browser.click("#agents [data-agent=marie]")
    await browser.until("#sheet", "lacks the skills")
    await pictures(browser, "agent-sheet")
    await browser.type("#sheet [aria-label='Another of skills']", "frensh")
    await browser.click("#sheet section:nth-of-type(2) form button")
    await browser.until("#sheet-notice", "no skill 'frensh', did you mean french?")
    await browser.run(CHANGE, "#sheet [aria-label=asia]", "7")
    await site.until_told("change_skills", "marie", {"asia": 7})
    skills["asia"] = 8
    site.hub.publish(AgentSkillsChanged(time.time(), "marie", {"asia": 8}, {"asia": 8}, "other"))
    await browser.click("#sheet [data-command=login]")
    await browser.until("#sheet .state", "Not ready")
    value = "return document.querySelector('#sheet [aria-label=asia]').value"
    assert await browser.run(value) == "8", "what another supervisor did is seen"
    await browser.click("#sheet .settings button:not([disabled])")
    await site.until_told("change_queues", "marie", {"asia": None})
    await browser.click("#sheet [data-command=ready]")
    await browser.until("#sheet .state", "Ready")
    assert site.floor.told == [
        ("change_skills", "marie", {"asia": 7}), ("login", "marie", None), ("change_queues", "marie", {"asia": None}),
    ]  # fmt: skip


async def test_an_agent_who_talks_leaves_afterwards_or_at_once(browser: Browser, base: str, site: Site) -> None:
    site.floor.more["paul"] = {"call_id": "call-1", "not_ready_reasons": ["lunch", "training"]}
    await open_page(browser, site, f"{base}/")
    await browser.until("#agents", "Paul")
    await browser.click("#agents [data-agent=paul]")
    await browser.until("#sheet .commands", "Log out")
    await browser.click("#sheet [data-command=logout]")
    told = await browser.until("#sheet .choice", "Log out after the call, or now?")
    assert "the caller (Zoé <b>Dupont</b>) is hung up on" in told
    await browser.click("#sheet .choice .danger")
    await browser.until("#sheet .choice", "Really end the call now?")
    await pictures(browser, "agent-leaves")
    await browser.click("#sheet .choice button:nth-of-type(3)")
    assert site.floor.told == [], "not before the second click"

    await browser.click("#sheet [data-command=logout]")
    await browser.click("#sheet .choice button:nth-of-type(1)")
    await browser.until("#sheet .state-line", "then logged out")
    await browser.run("const m = document.querySelector('#sheet select'); m.value = 'lunch'; m.onchange()")
    await browser.until("#sheet .choice", "Not ready (lunch) after the call, or now?")
    site.floor.more["paul"]["call_id"] = "call-2"  # and nobody has seen it
    await browser.click("#sheet .choice .danger")
    await browser.click("#sheet .choice .danger")
    await browser.until("#sheet-notice", "agent paul is not at call call-1")
    site.floor.more["paul"]["call_id"] = "call-1"
    await browser.run("const m = document.querySelector('#sheet select'); m.value = 'lunch'; m.onchange()")
    await browser.click("#sheet .choice .danger")
    await browser.click("#sheet .choice .danger")
    await browser.until("#sheet .state", "Not ready")
    assert await browser.text("#sheet .choice") == ""
    assert site.floor.told == [("logout", "paul", False), ("not_ready", "paul", True)]
    assert ["409 (Conflict)" in one for one in await browser.complaints()] == [True]


async def test_an_agents_call_is_listened_to(browser: Browser, base: str, site: Site) -> None:
    await open_page(browser, site, f"{base}/")
    await browser.until("#agents", "Anna")
    await browser.click("#agents [data-agent=anna]")
    await browser.until("#sheet .state", "Ready")
    assert "Listen" not in await browser.text("#sheet"), "she talks with nobody"
    await browser.click("#sheet [aria-label=Close]")
    await browser.click("#agents [data-agent=paul]")
    await browser.until("#sheet", "Your extension")
    await pictures(browser, "agent-listen")
    await browser.click("#sheet [data-mode=monitor]")
    await browser.type("#sheet [aria-label='Your extension']", "111")
    await browser.click("#sheet [data-mode=barge]")
    await browser.until("#sheet-notice", "111 may not barge calls of paul")
    await browser.run("document.querySelector('[aria-label=\"Your extension\"]').value = ''")
    await browser.type("#sheet [aria-label='Your extension']", "110")
    await browser.click("#sheet [data-mode=whisper]")
    await browser.until("#sheet", "110 whispers, 0:0")
    await pictures(browser, "agent-listened")
    await browser.click("#sheet [data-mode=barge]")
    await browser.until("#sheet", "110 takes part")
    await browser.click("#sheet [data-mode=none]")
    await browser.until("#sheet", "Your extension")
    extension = "return document.querySelector('#sheet [aria-label=\"Your extension\"]').value"
    assert await browser.run(extension) == "110", "remembered"
    await browser.click("#sheet [aria-label=Close]")
    await browser.click("#leave")
    assert await browser.run("return sessionStorage.length") == 0, "the next one at this desk is another"
    assert [line for line in await browser.complaints() if "403" not in line] == []


async def test_callbacks(browser: Browser, base: str, site: Site) -> None:
    await open_page(browser, site, f"{base}/callbacks")
    await browser.until("#callbacks", "Zoé Dupont")
    assert "no answer" in await browser.text("#callbacks")
    await pictures(browser, "callbacks")
    await browser.type("#number", "nonsense")
    await browser.click("#ask button")
    await browser.until("#ask-notice", "nonsense")
    await browser.run("document.getElementById('number').value = ''")
    await browser.type("#number", "0611223344")
    await browser.click("#ask button")
    await browser.until("#callbacks", "+33611223344")
    await browser.type("#number", "0611223344")
    await browser.click("#ask button")
    await browser.until("#ask-notice", "already")
    tomorrow = time.strftime("%Y-%m-%dT10:30", time.localtime(time.time() + 86_400))
    await browser.run(
        "const row = [...document.querySelectorAll('#callbacks tr')].find(row => row.innerText.includes(arguments[0]));"
        "row.querySelector('input').value = arguments[1]; row.querySelector('form').requestSubmit()",
        "+33611223344", tomorrow,
    )  # fmt: skip
    await browser.until("#callbacks tr:last-child", "later")
    assert site.callbacks.all["cb-3"]["due_at"] == time.mktime(time.strptime(tomorrow, "%Y-%m-%dT%H:%M"))
    await browser.click("#callbacks tr:nth-child(2) .danger")
    await browser.click("#callbacks tr:nth-child(2) .danger")
    await browser.until("#count", "3")
    assert "cb-1" not in site.callbacks.all
    site.callbacks.put("asia", "+33655555555", "QUEUED")
    now = time.time()
    site.hub.publish(CallbackAsked(now, "cb-9", "asia", "+33655555555", now, {}, None))
    await browser.until("#callbacks", "+33655555555")
    await browser.click("#pages a[aria-current]")
    await browser.until("#callbacks", "+33655555555")


async def test_figures(browser: Browser, base: str, site: Site) -> None:
    await open_page(browser, site, f"{base}/statistics")
    await browser.until("#rows", "cruise")
    text = await browser.text("#rows")
    assert "callback" in text and "69 %" in text and "0:18" in text and "3:45" in text
    await pictures(browser, "statistics")
    await browser.run("document.getElementById('by').value = 'agent'; document.getElementById('by').onchange()")
    await browser.until("#rows", "marie")
    await pictures(browser, "statistics-agents")
    await browser.run("document.getElementById('by').value = 'ivr'; document.getElementById('by').onchange()")
    await browser.until("#rows", "welcome/where")
    assert "0:05" in await browser.text("#rows") and "State" in await browser.text("#head")
    await browser.run("document.getElementById('by').value = 'agent'; document.getElementById('by').onchange()")
    await browser.type("#name", "mary")
    await browser.run("document.getElementById('name').onchange()")
    await browser.until("#notice", "did you mean marie?")


@pytest.mark.parametrize("page", ["/callbacks", "/statistics", "/wall-board"])
async def test_pages_say_what_they_lack(browser: Browser, base: str, site: Site, page: str) -> None:
    await browser.go(f"{base}{page}")
    await browser.until("#problem", "Sign in")
    await open_page(browser, site, f"{base}{page}", "agent", "marie")
    await browser.until("#problem", "for supervisors")
    await open_page(browser, site, f"{base}{page}")
    await browser.until("#link", "live")
    assert await browser.text("#problem") == ""
    await site.server.close()
    await browser.until("#link", "connection lost")
    await site.server.start("127.0.0.1", int(base.rpartition(":")[2]))
    await browser.until("#link", "live")
