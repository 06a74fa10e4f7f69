"""A queue with two agents on real phones: one does not answer (RONA), the other gets the call."""

from __future__ import annotations

import pytest

from bench.cti_client import desktop, supervisor
from bench.softphones import Softphones, answer, ring_only
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


async def test_ring_on_no_answer(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    server = office.plateau.sip
    anna = await pjsip.phone("103", server=server, password="wire", policy=ring_only())
    bert = await pjsip.phone("104", server=server, password="wire", policy=answer(100), loops=True)
    caller = await baresip.phone("102", server=server, password="wire", tone_hz=620)
    assert [await phone.register() for phone in (anna, bert)] == [200, 200]
    plateau = office.plateau
    async with desktop(plateau, "anna") as annas, desktop(plateau, "bert") as berts, supervisor(plateau) as screen:
        for agents in (annas, berts):
            await agents.command("login")
            await agents.command("ready")
        call = await caller.call("3000")
        await call.established()  # the queue answers on entry

        at_anna = await anna.next_call()
        offer = await annas.pop("offer")
        assert at_anna.told_at is not None and offer.arrived_at < at_anna.told_at
        await at_anna.ended()
        assert at_anna.established_at is None
        assert (await annas.pop("retract"))["reason"] == "no_answer"
        state = await annas.until(lambda m: m["state"] == "NOT_READY" and m["reason"] == "no answer")
        assert state["agent"] == "anna"

        at_bert = await bert.next_call()
        await at_bert.established()
        assert (await call.hear(620)).heard
        connected = await screen.until(lambda m: m.type == "item_connected")
        assert connected["agent"] == "bert" and connected["waited_s"] >= 1.0
        await call.hang_up()
        await at_bert.ended()
        await berts.pop("ended")
        for agents in (annas, berts):
            await agents.command("logout")
    assert [await phone.unregister() for phone in (anna, bert)] == [200, 200]


async def test_an_abandoned_call_leaves_the_agent_ready(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    anna = await pjsip.phone("103", server=office.plateau.sip, password="wire", policy=ring_only())
    caller = await baresip.phone("102", server=office.plateau.sip, password="wire")
    assert await anna.register() == 200
    async with desktop(office.plateau, "anna") as annas:
        await annas.command("login")
        await annas.command("ready")
        call = await caller.call("3000")
        ringing = await anna.next_call()
        await call.hang_up()
        await ringing.ended()
        assert (await annas.pop("retract"))["reason"] == "caller_hung_up"
        await annas.until(lambda m: m.type == "agent_state_changed" and m["state"] == "READY" and m.body is not None)
        assert (await office.plateau.get("/v1/agents/anna"))["state"] == "READY"
        await annas.command("logout")
    assert await anna.unregister() == 200
