"""Transfers and pickups by real softphones: their REFER, our NOTIFY, and who hears whom afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.softphones import Phone, PhoneCall, Softphones, answer, ring_only
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def phones(office: Office, pjsip: Softphones) -> AsyncIterator[list[Phone]]:
    """Extensions 110 to 112 on PJSIP; the last loops sound back."""
    made = []
    for name in ("110", "111", "112"):
        phone = await pjsip.phone(
            name, server=office.plateau.sip, password="wire", policy=answer(50), loops=name == "112"
        )
        assert await phone.register() == 200
        made.append(phone)
    yield made
    for phone in made:
        assert await phone.unregister() == 200


async def talk(caller: Phone, called: Phone) -> tuple[PhoneCall, PhoneCall]:
    call = await caller.call(called.user)
    there = await called.next_call()
    await call.established()
    await there.established()
    return call, there


async def test_blind_by_the_called_one(phones: list[Phone]) -> None:
    anna, ben, carl = phones
    a, b = await talk(anna, ben)
    await b.transfer_to_number("112")
    c = await carl.next_call()
    await c.established()
    assert "110" in c.headers["From"] and "111" in c.headers["Referred-By"]
    await b.ended()
    assert b.transfer[-1] == 200
    await a.hang_up()
    await c.ended()


async def test_blind_by_the_caller(phones: list[Phone]) -> None:
    anna, ben, carl = phones
    a, b = await talk(anna, ben)
    await a.transfer_to_number("112")
    c = await carl.next_call()
    await c.established()
    await a.ended()
    await c.hang_up()
    await b.ended()


async def test_blind_to_nobody_gives_the_party_back(phones: list[Phone]) -> None:
    anna, ben, _ = phones
    a, b = await talk(anna, ben)
    await b.transfer_to_number("109")
    await b.until(lambda call: call.transfer and call.transfer[-1] >= 300)
    assert b.transfer[-1] == 480 and a.ended_at is None and b.ended_at is None
    await a.hang_up()
    await b.ended()


async def test_attended(phones: list[Phone]) -> None:
    anna, ben, carl = phones
    a, b1 = await talk(anna, ben)
    await b1.hold()
    b2, c = await talk(ben, carl)
    await b1.transfer_to_call(b2)
    await asyncio.gather(b1.ended(), b2.ended())
    assert a.ended_at is None and c.ended_at is None
    await c.hang_up()
    await a.ended()


async def test_a_held_baresip_hears_whom_it_was_transferred_to(
    office: Office, phones: list[Phone], baresip: Softphones
) -> None:
    """Its tone goes to the phone that loops sound, and comes back."""
    _, ben, carl = phones
    customer = await baresip.phone("105", server=office.plateau.sip, password="wire", tone_hz=710)
    assert await customer.register() == 200
    a, b = await talk(customer, ben)
    await b.hold()
    await b.transfer_to_number("112")
    c = await carl.next_call()
    await c.established()
    heard = await a.hear(710)
    assert heard.heard, heard
    await c.hang_up()
    await a.ended()
    assert await customer.unregister() == 200


@pytest.mark.parametrize("attended", [False, True])
async def test_baresip_transfers(office: Office, phones: list[Phone], baresip: Softphones, attended: bool) -> None:
    anna, _, carl = phones
    agent = await baresip.phone("106", server=office.plateau.sip, password="wire", policy=answer(50))
    assert await agent.register() == 200
    a, b = await talk(anna, agent)
    if attended:
        b2, c = await talk(agent, carl)
        await b.transfer_to_call(b2)
    else:
        await b.transfer_to_number("112")
        c = await carl.next_call()
        await c.established()
    await b.ended()
    assert a.ended_at is None
    await a.hang_up()
    await c.ended()
    assert await agent.unregister() == 200


async def test_pickup_and_park(phones: list[Phone]) -> None:
    anna, ben, carl = phones
    await ben.policy(ring_only())
    a = await anna.call("111")
    ringing = await ben.next_call()
    taken = await carl.call("*8111")
    await a.established()
    await taken.established()
    await ringing.ended()
    await taken.transfer_to_number("700")
    await taken.ended()
    assert taken.transfer[-1] == 200
    back = await ben.call("701")
    await back.established()
    await a.hang_up()
    await back.ended()
