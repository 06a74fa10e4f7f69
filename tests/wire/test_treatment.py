"""A caller who waits hears music, his place in line and music again; the agent is told something, then they talk."""

from __future__ import annotations

import asyncio

import pytest

from bench.cti_client import desktop, supervisor
from bench.softphones import Softphones, answer
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

MUSIC_HZ, BEEP_HZ, WHISPER_HZ = 440, 1400, 950


async def test_announcement_music_whisper_agent(office: Office, baresip: Softphones) -> None:
    plateau = office.plateau
    cora = await baresip.phone("105", server=plateau.sip, password="wire", policy=answer(100), tone_hz=1100)
    caller = await baresip.phone("102", server=plateau.sip, password="wire", tone_hz=620)
    assert await cora.register() == 200
    async with desktop(plateau, "cora") as coras, supervisor(plateau) as screen:
        call = await caller.call("3002")
        await call.established()
        assert (await call.hear(MUSIC_HZ, back_s=4)).heard
        assert (await call.hear(BEEP_HZ, back_s=4)).heard  # and then "Numéro un."
        assert (await call.hear(MUSIC_HZ)).heard
        [queue] = [one for one in (await plateau.get("/v1/queues"))["queues"] if one["name"] == "told"]
        assert [one["state"] for one in queue["waiting"]] == ["QUEUED"]

        await coras.command("login")
        await coras.command("ready")
        at_cora = await cora.next_call()
        await at_cora.established()
        assert (await at_cora.hear(WHISPER_HZ, back_s=4)).heard
        assert (await call.hear(MUSIC_HZ, back_s=2)).heard
        assert not (await call.hear(WHISPER_HZ, within_s=0.0, back_s=4)).heard, "the caller hears nothing of it"
        assert (await at_cora.hear(620)).heard and (await call.hear(1100)).heard
        connected = await screen.until(lambda m: m.type == "item_connected")
        assert connected["agent"] == "cora"
        await call.hang_up()
        await at_cora.ended()
        await coras.command("logout")
    assert await cora.unregister() == 200


async def test_a_key_leads_out_of_the_queue(office: Office, baresip: Softphones) -> None:
    plateau = office.plateau
    caller = await baresip.phone("102", server=plateau.sip, password="wire", tone_hz=620)
    async with supervisor(plateau) as screen:
        call = await caller.call("3002")
        await call.established()
        assert (await call.hear(MUSIC_HZ)).heard
        await call.press("0")
        left = await screen.until(lambda m: m.type == "item_overflowed")
        assert (left["reason"], left["to"]) == ("key 0", "ivr echo")
        assert (await call.hear(620)).heard
        await call.hang_up()


async def test_the_emergency_switch_empties_the_queue(office: Office, baresip: Softphones) -> None:
    plateau = office.plateau
    caller = await baresip.phone("102", server=plateau.sip, password="wire", tone_hz=620)
    call = await caller.call("3002")
    await call.established()
    assert (await call.hear(MUSIC_HZ)).heard
    assert (await plateau.put("/v1/queues/told", {"emergency": True}))["emergency"] is True
    await call.ended()
    assert (await plateau.put("/v1/emergency", {"on": False}))["queues"]


async def test_outside_its_hours_a_queue_sends_callers_elsewhere(office: Office, baresip: Softphones) -> None:
    plateau = office.plateau
    caller = await baresip.phone("102", server=plateau.sip, password="wire", tone_hz=620)
    async with supervisor(plateau) as screen:
        call = await caller.call("3006")
        left = await screen.until(lambda m: m.type == "item_overflowed")
        assert (left["queue"], left["reason"], left["to"]) == ("shut", "closed", "ivr echo")
        assert (await call.hear(620)).heard
        await call.hang_up()


async def test_moved_to_another_queue_he_hears_music_all_the_time_and_is_as_old(
    office: Office, baresip: Softphones
) -> None:
    """He waits for `sales` first, and is so before who came to `both` in between."""
    plateau = office.plateau
    old, young = [await baresip.phone(name, server=plateau.sip, password="wire") for name in ("102", "104")]
    first = await old.call("3000")
    await first.established()
    assert (await first.hear(None)).heard
    [moved] = (await plateau.get("/v1/queues/sales"))["waiting"]
    second = await young.call("3003")
    await second.established()
    loop = asyncio.get_running_loop()
    begun, before = loop.time(), (await first.levels())["samples"]
    path = f"/v1/queues/sales/calls/{moved['call_id']}/move"
    await plateau.post(path, {"to": "queue both"}, role="supervisor", name="bench")
    assert (await plateau.get("/v1/queues/sales"))["waiting"] == []
    waiting = (await plateau.get("/v1/queues/both"))["waiting"]
    assert waiting[0]["call_id"] == moved["call_id"] and len(waiting) == 2
    await asyncio.sleep(1.0)
    heard_s = ((await first.levels())["samples"] - before) / 8000
    assert heard_s > 0.85 * (loop.time() - begun), heard_s
    await first.hang_up()
    await second.hang_up()
