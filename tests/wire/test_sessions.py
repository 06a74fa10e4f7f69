"""Early media, reliable responses, changing sessions and their timers with sipp and PJSIP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.ports import free_port
from bench.sipp import SippResult
from bench.softphones import Softphones, answer, ring_only
from tests.wire.conftest import OFFICE, Office, eventually, office_changes

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
Fails = Callable[[SippResult], str]


async def seen(office: Office, method: str) -> int:
    """How many messages of a method the phone 106 has exchanged with the server."""
    text = await office.plateau.get(f"/v1/trace?number=106&method={method}")
    return len(text.splitlines())


@pytest_asyncio.fixture(loop_scope="session")
async def passing(tmp_path: Path) -> AsyncIterator[Office]:
    """An office that leaves holds to its phones."""
    uas_port = free_port()
    async with Plateau(OFFICE, changes={**office_changes(uas_port), "calls": {"hold": "pass"}}) as plateau:
        yield Office(plateau, uas_port, tmp_path)
        await plateau.until_idle()


async def test_early_media_acknowledged_updated_and_timed(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_early.xml") as callee:
        result = await office.caller("uac_early.xml", "2031", calls=5, rate=10, hold_ms=100)
        assert result.ok and result.successful == 5, fails_of(result)
    assert callee.result is not None
    assert callee.result.successful == 5, fails_of(callee.result)


async def test_early_media_over_tcp(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_early.xml") as callee:
        result = await office.caller("uac_early.xml", "2032", calls=2, rate=10, hold_ms=100, tcp=True)
        assert result.ok and result.successful == 2, fails_of(result)
    assert callee.result is not None and callee.result.successful == 2


async def test_hold_is_music_and_not_passed_on(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_call.xml") as callee:
        result = await office.caller("uac_hold.xml", "2033")
        assert result.ok, fails_of(result)
    assert callee.result is not None and callee.result.successful == 1


async def test_hold_is_passed_through(passing: Office, fails_of: Fails) -> None:
    async with passing.callee("uas_held.xml") as callee:
        result = await passing.caller("uac_hold.xml", "2006")
        assert result.ok, fails_of(result)
    assert callee.result is not None and callee.result.successful == 1


async def test_pjsip_hears_early_media_and_acknowledges_it(office: Office, pjsip: Softphones) -> None:
    """PJSIP says that it can: our 183 is repeated until its PRACK is here, and the 200 waits for it."""
    caller = await pjsip.phone("106", server=office.plateau.sip, password="wire")
    callee = await pjsip.phone("107", server=office.plateau.sip, password="wire", policy=ring_only(), loops=True)
    assert await callee.register() == 200
    call = await caller.call("107")
    there = await callee.next_call()
    await there.progress()
    await call.until(lambda c: c.media_changes)
    await there.answer()
    await call.established()
    assert await seen(office, "PRACK") >= 2  # it and its 200
    await call.hang_up()
    await there.ended()


async def test_pjsip_updates_its_session(office: Office, pjsip: Softphones) -> None:
    caller = await pjsip.phone("106", server=office.plateau.sip, password="wire")
    callee = await pjsip.phone("107", server=office.plateau.sip, password="wire", policy=answer(), loops=True)
    assert await callee.register() == 200
    call = await caller.call("107")
    there = await callee.next_call()
    await call.established()
    await asyncio.sleep(0.3)  # PJSIP may send one by itself, to settle on one codec
    before = await seen(office, "UPDATE")
    await call.update()

    async def updated() -> bool:
        return await seen(office, "UPDATE") >= before + 2

    await eventually(updated)
    await call.hang_up()
    await there.ended()


async def test_pjsip_agrees_on_a_session_timer(office: Office, pjsip: Softphones) -> None:
    """On both sides of the call by itself."""
    caller = await pjsip.phone("106", server=office.plateau.sip, password="wire")
    callee = await pjsip.phone("107", server=office.plateau.sip, password="wire", policy=answer())
    assert await callee.register() == 200
    call = await caller.call("107")
    there = await callee.next_call()
    await call.established()
    lines = (await office.plateau.get("/v1/trace?number=107&method=INVITE")).splitlines()
    said = [str(json.loads(line)) for line in lines]
    agreed = [text for text in said if "SIP/2.0 200" in text][-2:]
    assert len(agreed) == 2 and all("Session-Expires: 1800;refresher=" in text for text in agreed), said
    await call.hang_up()
    await there.ended()
