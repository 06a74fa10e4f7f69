"""Two real phones ring for one call: the first answer takes it, and only one talks when both answer at once."""

from __future__ import annotations

import asyncio

import pytest

from bench.cti_client import desktop, supervisor
from bench.softphones import Softphones, ring_only
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


async def test_the_first_answer_takes_it(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    server, plateau = office.plateau.sip, office.plateau
    anna = await pjsip.phone("103", server=server, password="wire", policy=ring_only())
    bert = await pjsip.phone("104", server=server, password="wire", policy=ring_only(), loops=True)
    caller = await baresip.phone("102", server=server, password="wire", tone_hz=620)
    assert [await phone.register() for phone in (anna, bert)] == [200, 200]
    async with desktop(plateau, "anna") as annas, desktop(plateau, "bert") as berts:
        for agents in (annas, berts):
            await agents.command("login")
            await agents.command("ready")
        call = await caller.call("3003")
        at_anna, at_bert = await anna.next_call(), await bert.next_call()
        await at_bert.answer()
        await at_bert.established()
        await at_anna.ended()
        assert at_anna.established_at is None
        assert (await annas.pop("retract"))["reason"] == "answered_elsewhere"
        await berts.pop("connected")
        assert (await call.hear(620)).heard
        assert (await plateau.get("/v1/agents/anna"))["state"] == "READY"
        await call.hang_up()
        await at_bert.ended()
        await berts.pop("ended")
        for agents in (annas, berts):
            await agents.command("logout")
    assert [await phone.unregister() for phone in (anna, bert)] == [200, 200]


async def test_two_who_answer_at_once(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    """asterisk#176. Both send 200 before either hears that the other was quicker."""
    server, plateau = office.plateau.sip, office.plateau
    phones = [
        await pjsip.phone(number, server=server, password="wire", policy=ring_only(), loops=True)
        for number in ("103", "104")
    ]
    caller = await baresip.phone("102", server=server, password="wire")
    assert [await phone.register() for phone in phones] == [200, 200]
    async with desktop(plateau, "anna") as annas, desktop(plateau, "bert") as berts, supervisor(plateau) as screen:
        for agents in (annas, berts):
            await agents.command("login")
            await agents.command("ready")
        call = await caller.call("3003")
        rung = [await phone.next_call() for phone in phones]
        crossed = await plateau.counter("plateau_sip_cancel_crossed_200_total")
        await asyncio.gather(*(one.answer() for one in rung))  # read by PJSIP in one turn of its loop
        connected = await screen.until(lambda m: m.type == "item_connected")
        winner, loser = rung if connected["agent"] == "anna" else reversed(rung)
        await loser.ended()
        await winner.established()
        await asyncio.sleep(0.3)
        assert winner.ended_at is None
        assert await plateau.counter("plateau_sip_cancel_crossed_200_total") == crossed + 1
        await call.hang_up()
        await winner.ended()
        completed = await screen.until(lambda m: m.type == "item_completed")
        assert completed["agent"] == connected["agent"]
        for agents in (annas, berts):
            await agents.command("logout")
    assert [await phone.unregister() for phone in phones] == [200, 200]
