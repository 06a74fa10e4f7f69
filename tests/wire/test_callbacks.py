"""Callbacks with real phones: the caller presses a key and hangs up; an agent comes, one phone rings, then the other,
and they hear each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from bench.cti_client import desktop, supervisor
from bench.plateau import Plateau
from bench.sites import read_site
from bench.softphones import Phone, PhoneCall, SoftphoneError, Softphones, answer, reject, ring_only
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
CUSTOMER, E164, OURS = "0612345678", "+33612345678", "+33180000009"


def _changes(address: str, carrier: str) -> dict[str, Any]:
    """Two queues, one of each order; customers are reached where their phones are, or by a carrier."""
    site = read_site(OFFICE)
    back = {"key": "1", "ring_s": 5, "retries": 1, "retry_after_s": 1}
    ours = {"music": "music", "ring_s": 5, "wrap_up_s": 0}
    return {
        "locale": {"country": "FR"},
        "dial_plan": [
            {"match": "06XXXXXXXX", "to": f"sip:{{number}}@{address}"},
            {"from": "anyone", "match": "3100", "to": "queue back"},
            {"from": "anyone", "match": "3101", "to": "queue forth"},
            *site["dial_plan"],
        ],
        "trunks": {
            "customers": {"registers_as": {"username": CUSTOMER, "password": "wire"}},
            "carrier": {"from": "127.0.0.3", "gateway": f"sip:{carrier}", "caller_id": OURS},
        },
        "queues": {
            **site["queues"],
            "back": {**ours, "callback": back},
            "through": {**ours, "callback": {**back, "through": "carrier"}},
            "forth": {**ours, "callback": {**back, "order": "customer first"}},
        },
    }


@dataclass
class Shop:
    plateau: Plateau
    customers: Softphones


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_shop(pjsip_process: Softphones) -> AsyncIterator[Shop]:
    async with Softphones("baresip") as customers:
        address, carrier = (one.address("x").partition("@")[2] for one in (customers, pjsip_process))
        async with Plateau(OFFICE, changes=_changes(address, carrier)) as plateau:
            yield Shop(plateau, customers)
        assert plateau.exit_status == 0 and not plateau.left_over


@pytest_asyncio.fixture(loop_scope="session")
async def shop(running_shop: Shop) -> AsyncIterator[Shop]:
    yield running_shop
    await running_shop.customers.hang_up_all()
    for phone in running_shop.customers.phones:
        await running_shop.customers.remove(phone)
    await running_shop.plateau.until_idle()
    said = list(running_shop.plateau.log)
    assert not [line for line in said if "Traceback" in line or "Error" in line], "\n".join(said)


async def _customer(shop: Shop, **manner: Any) -> Phone:
    return await shop.customers.phone(CUSTOMER, server=shop.plateau.sip, password="wire", **manner)


async def _callbacks(plateau: Plateau) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await plateau.get("/v1/callbacks"))["callbacks"]
    return found


async def _talk(customer: PhoneCall, agent: PhoneCall) -> None:
    """The agent's phone sends back what it hears."""
    assert (await customer.hear(620)).heard
    await customer.hang_up()
    await agent.ended()


@pytest.mark.parametrize("number", ["3100", "3101"])
async def test_the_caller_presses_the_key_and_is_called(shop: Shop, pjsip: Softphones, number: str) -> None:
    plateau = shop.plateau
    phone = await _customer(shop, tone_hz=620, policy=answer(300))
    anna = await pjsip.phone("103", server=plateau.sip, password="wire", policy=answer(300), loops=True)
    assert await anna.register() == 200
    async with desktop(plateau, "anna") as annas, supervisor(plateau) as screen:
        assert await phone.register() == 200  # as a trunk: calls of his come from outside
        call = await phone.call(number)
        await call.established()
        with suppress(SoftphoneError):  # it is hung up before the key is up again
            await call.press("1")
        await call.ended()
        (waiting,) = await _callbacks(plateau)
        assert (waiting["number"], waiting["state"]) == ("+33612345678", "QUEUED")

        await annas.command("login")
        await annas.command("ready")
        offer = await annas.pop("offer")
        assert offer["call"]["from"] == "+33612345678"
        at_anna, at_customer = await anna.next_call(), await phone.next_call()
        assert at_anna.arrived_at is not None and at_customer.arrived_at is not None
        assert (at_anna.arrived_at < at_customer.arrived_at) is (number == "3100")
        assert at_anna.told_at is not None and at_customer.told_at is not None
        assert offer.arrived_at < min(at_anna.told_at, at_customer.told_at)
        await at_anna.established()
        await at_customer.established()
        await annas.pop("connected")
        connected = await screen.until(lambda m: m.type == "item_connected")
        assert (connected["agent"], connected["channel"]) == ("anna", "callback")
        await _talk(at_customer, at_anna)
        assert (await screen.until(lambda m: m.type == "callback_closed"))["outcome"] == "done"
        await annas.command("logout")
    assert await anna.unregister() == 200
    assert await _callbacks(plateau) == []


async def test_not_reached_and_reached_at_the_second_attempt(shop: Shop, pjsip: Softphones) -> None:
    plateau = shop.plateau
    phone = await _customer(shop, tone_hz=620, policy=reject(486))
    anna = await pjsip.phone("103", server=plateau.sip, password="wire", policy=answer(50), loops=True)
    assert await anna.register() == 200
    async with desktop(plateau, "anna") as annas, supervisor(plateau) as screen:
        await annas.command("login")
        await annas.command("ready")
        body = {"queue": "back", "number": "06 12 34 56 78"}
        asked = await plateau.post("/v1/callbacks", body, role="supervisor", name="bench")
        first = await anna.next_call()
        missed = await screen.until(lambda m: m.type == "callback_missed")
        assert missed["outcome"] == "busy" and missed["callback_id"] == asked["id"]
        await first.ended()  # the agent is free while the customer is left in peace
        await annas.pop("retract")
        await phone.policy(answer(50))
        at_customer = await phone.next_call()
        if at_customer.established_at is None and at_customer.ended_at is not None:
            at_customer = await phone.next_call()  # the first one was the busy one
        await at_customer.established()
        await _talk(at_customer, await anna.next_call())
        await annas.command("logout")
    assert await anna.unregister() == 200


async def test_the_agent_hangs_up_while_the_customers_phone_rings(shop: Shop, pjsip: Softphones) -> None:
    plateau = shop.plateau
    phone = await _customer(shop, policy=ring_only())
    anna = await pjsip.phone("103", server=plateau.sip, password="wire", policy=answer(50))
    assert await anna.register() == 200
    async with desktop(plateau, "anna") as annas, supervisor(plateau) as screen:
        await annas.command("login")
        await annas.command("ready")
        await plateau.post("/v1/callbacks", {"queue": "back", "number": CUSTOMER}, role="supervisor", name="bench")
        at_anna, at_customer = await anna.next_call(), await phone.next_call()
        await at_anna.established()
        await at_anna.hang_up()
        await at_customer.ended()  # it rings no more
        assert (await screen.until(lambda m: m.type == "callback_missed"))["outcome"] == "agent_hung_up"
        (waiting,) = await _callbacks(plateau)
        await _delete(plateau, waiting["id"])
        await annas.command("logout")
    assert await anna.unregister() == 200
    assert await _callbacks(plateau) == []


async def test_the_agent_logs_out_while_the_customers_phone_rings(shop: Shop, pjsip: Softphones) -> None:
    """Customer first: nobody would be there for him."""
    plateau = shop.plateau
    phone = await _customer(shop, policy=ring_only())
    anna = await pjsip.phone("103", server=plateau.sip, password="wire", policy=answer(50))
    assert await anna.register() == 200
    async with desktop(plateau, "anna") as annas:
        await annas.command("login")
        await annas.command("ready")
        await plateau.post("/v1/callbacks", {"queue": "forth", "number": CUSTOMER}, role="supervisor", name="bench")
        at_customer = await phone.next_call()
        await annas.command("logout")
        await at_customer.ended()
        assert at_customer.established_at is None
        (waiting,) = await _callbacks(plateau)
        assert waiting["state"] == "QUEUED"
        await _delete(plateau, waiting["id"])
    assert await anna.unregister() == 200


async def _meanwhile(command: Awaitable[None]) -> None:
    """Of a phone whose call may just be over."""
    with suppress(SoftphoneError):
        await command


async def _delete(plateau: Plateau, callback_id: str) -> None:
    await plateau._request("DELETE", f"/v1/callbacks/{callback_id}", None, "supervisor", "bench")

    async def gone() -> bool:
        return not await _callbacks(plateau)

    await eventually(gone)


async def test_asked_for_on_the_page_the_agent_sees_the_basket_before_his_phone_rings(
    shop: Shop, pjsip: Softphones
) -> None:
    plateau = shop.plateau
    phone = await pjsip.phone(E164, policy=answer(50), loops=True)
    anna = await shop.customers.phone("103", server=plateau.sip, password="wire", policy=answer(50), tone_hz=620)
    assert await anna.register() == 200
    basket = {"amount": 2300, "items": [{"name": "Rail pass", "quantity": 2, "price": 205}]}
    session = {"id": "session-of-zoe", "name": "Zoé Dupont", "basket": basket}
    async with desktop(plateau, "anna") as annas, supervisor(plateau) as screen:
        await plateau.post("/v1/web-sessions", session)
        asked = {"queue": "through", "number": "06 12 34 56 78", "web_session": session["id"]}
        found = await plateau.post("/v1/callbacks", asked)
        await annas.command("login")
        await annas.command("ready")
        offer = await annas.pop("offer")
        at_anna = await anna.next_call()
        assert at_anna.told_at is not None and offer.arrived_at < at_anna.told_at
        assert offer["match"] == {"method": "callback", "confidence": 0.9}
        assert offer["session"]["basket"]["amount"] == 2300 and offer["session"]["name"] == "Zoé Dupont"
        await annas.pop("connected")
        at_customer = await phone.next_call()
        assert OURS in at_customer.headers["From"], "the trunk's number is shown"
        await _talk(at_anna, at_customer)
        closed = await screen.until(lambda m: m.type == "callback_closed" and m["callback_id"] == found["id"])
        assert closed["outcome"] == "done"
        await annas.command("logout")
    assert await anna.unregister() == 200


@pytest.mark.parametrize("queue", ["back", "forth"])
async def test_the_customer_answers_just_as_the_agent_hangs_up(shop: Shop, pjsip: Softphones, queue: str) -> None:
    """Whichever comes first: both are free again, no call is left, the callback is over or called again."""
    plateau = shop.plateau
    phone = await _customer(shop, policy=ring_only())
    anna = await pjsip.phone("103", server=plateau.sip, password="wire", policy=answer(50))
    assert await anna.register() == 200
    async with desktop(plateau, "anna") as annas, supervisor(plateau) as screen:
        await annas.command("login")
        await annas.command("ready")
        body = {"queue": queue, "number": CUSTOMER}
        asked = await plateau.post("/v1/callbacks", body, role="supervisor", name="bench")
        at_customer = await phone.next_call()
        if queue == "back":
            at_anna = await anna.next_call()
            await at_anna.established()
            await asyncio.gather(_meanwhile(at_customer.answer()), at_anna.hang_up())
        else:  # his agent's phone rings once he has answered
            await anna.policy(ring_only())
            await at_customer.answer()
            at_anna = await anna.next_call()
            await asyncio.gather(at_customer.hang_up(), _meanwhile(at_anna.answer()))
        await at_customer.ended()
        await at_anna.ended()
        await annas.command("logout")
        ends = ("callback_closed", "callback_missed")
        over = await screen.until(lambda m: m.type in ends and m["callback_id"] == asked["id"])
        if over.type == "callback_missed":
            assert over["outcome"] == "agent_hung_up"
            await _delete(plateau, asked["id"])
        else:
            assert over["outcome"] in ("done", "left")
        await plateau.until_idle()
    assert await anna.unregister() == 200
    assert await _callbacks(plateau) == []
