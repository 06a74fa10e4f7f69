"""The server is killed (`kill -9`) and started again under a call centre at work: agents' lines, callbacks whose phones
ring, places, switches, a conference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from bench.cti_client import EventClient, desktop, supervisor
from bench.plateau import Plateau
from bench.sites import read_site
from bench.softphones import Phone, PhoneCall, Softphones, answer, ring_only
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
CUSTOMER, TONE = "0612345678", 620.0


def _changes(address: str) -> dict[str, Any]:
    """Two nailed-up agents, a callback queue of each order, one that keeps places; a customer outside."""
    site = read_site(OFFICE)
    usual = {"music": "music", "ring_s": 10, "wrap_up_s": 0}
    back = {"ring_s": 20, "retries": 1, "retry_after_s": 60}
    numbers = {"3100": "back", "3101": "forth", "3102": "kept", "3105": "second"}
    return {
        "locale": {"country": "FR"},
        "dial_plan": [
            {"match": "06XXXXXXXX", "to": f"sip:{{number}}@{address}"},
            *({"from": "anyone", "match": number, "to": f"queue {queue}"} for number, queue in numbers.items()),
            {"match": "1011", "to": "conference closed"},
            *site["dial_plan"],
        ],
        "conferences": {"open": {}, "closed": {"pin": "42"}},
        "agents": {
            **site["agents"],
            "nina": {"extension": 112, "nailed_up": True, "queues": {"line": 1}},
            "olga": {"extension": 110, "nailed_up": True, "queues": {"second": 1}},
        },
        "queues": {
            **site["queues"],
            "second": {**usual, "agents": "olga"},
            "back": {**usual, "agents": "anna", "callback": back},
            "forth": {**usual, "agents": "anna", "callback": {**back, "order": "customer first"}},
            "kept": {**usual, "agents": "bert", "resume_s": 60},
        },
    }


@dataclass
class Centre:
    plateau: Plateau
    customers: Softphones

    async def kill(self) -> None:
        """When what was done is written."""
        await asyncio.sleep(0.6)
        await self.plateau.crash_and_restart(workers=False)

    async def phone(self, process: Softphones, extension: str, **manner: Any) -> Phone:
        phone = await process.phone(extension, server=self.plateau.sip, password="wire", **manner)
        assert await phone.register() == 200
        return phone

    async def becomes(self, agent: str, state: str, reason: str | None = None) -> None:
        async def so() -> bool:
            found = await self.plateau.get(f"/v1/agents/{agent}")
            return (found["state"], found["reason"]) == (state, reason)

        await eventually(so)

    async def queue(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.plateau.get(f"/v1/queues/{name}")
        return found

    @asynccontextmanager
    async def at_work(self, agent: str) -> AsyncIterator[EventClient]:
        """Logged in and ready; logged out afterwards."""
        async with desktop(self.plateau, agent) as screen:
            await screen.command("login")
            await screen.command("ready")
            yield screen
        await self.plateau.post(f"/v1/agents/{agent}/logout", {}, role="supervisor", name="bench")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_centre() -> AsyncIterator[Centre]:
    async with Softphones("baresip") as customers:
        address = customers.address("x").partition("@")[2]
        async with Plateau(OFFICE, changes=_changes(address)) as plateau:
            yield Centre(plateau, customers)
        assert plateau.exit_status == 0 and not plateau.left_over


@pytest_asyncio.fixture(loop_scope="session")
async def centre(running_centre: Centre) -> AsyncIterator[Centre]:
    yield running_centre
    await running_centre.customers.hang_up_all()
    for phone in running_centre.customers.phones:
        await running_centre.customers.remove(phone)
    await running_centre.plateau.until_idle()
    said = list(running_centre.plateau.log)
    assert not [line for line in said if "Traceback" in line or "Error" in line], "\n".join(said)


async def test_nailed_up_lines_stay(centre: Centre, pjsip: Softphones, baresip: Softphones) -> None:
    """nina waits for callers, olga has one. Neither phone rings again, both take the next caller on the same line."""
    nina = await centre.phone(pjsip, "112", policy=answer(50), loops=True)
    olga = await centre.phone(pjsip, "110", policy=answer(50), loops=True)
    caller = await centre.phone(baresip, "102", tone_hz=TONE)
    async with centre.at_work("nina"), centre.at_work("olga"):
        lines = [await phone.next_call() for phone in (nina, olga)]
        for line in lines:
            await line.established()
        talk = await caller.call("3105")
        await centre.becomes("olga", "BUSY")
        await centre.kill()
        assert (await talk.hear(TONE)).heard
        assert [(await centre.plateau.get(f"/v1/agents/{name}"))["state"] for name in ("nina", "olga")] == [
            "READY", "BUSY",
        ]  # fmt: skip
        await talk.hang_up()
        await centre.becomes("olga", "READY")
        for number, agent in (("3005", "nina"), ("3105", "olga")):
            call = await caller.call(number)
            await centre.becomes(agent, "BUSY")
            assert (await call.hear(TONE)).heard
            await call.hang_up()
            await centre.becomes(agent, "READY")
        assert [line.ended_at for line in lines] == [None, None] and nina.calls.empty() and olga.calls.empty()
        await centre.kill()
        await lines[0].hang_up()
        await centre.becomes("nina", "NOT_READY", "line lost")
        await centre.becomes("olga", "READY")
    await lines[1].ended()  # logged out


@pytest.mark.parametrize("queue", ["back", "forth"])
async def test_a_callback_whose_customer_is_rung(centre: Centre, pjsip: Softphones, queue: str) -> None:
    """Neither lost, nor called twice at once: his phone rings no more, then it rings anew."""
    customer = await centre.customers.phone(CUSTOMER, tone_hz=TONE, policy=ring_only())
    anna = await centre.phone(pjsip, "103", policy=answer(50), loops=True)
    async with centre.at_work("anna"):
        body = {"queue": queue, "number": CUSTOMER}
        asked = await centre.plateau.post("/v1/callbacks", body, role="supervisor", name="bench")
        rung = await customer.next_call()
        held = await anna.next_call() if queue == "back" else None
        await centre.kill()
        (found,) = (await centre.plateau.get("/v1/callbacks"))["callbacks"]
        assert (found["id"], found["waiting_since"]) == (asked["id"], asked["waiting_since"])
        await rung.ended()
        if held is not None:
            await held.ended()
        async with supervisor(centre.plateau) as screen:
            again = await customer.next_call()
            assert rung.ended_at is not None and again.arrived_at is not None and rung.ended_at < again.arrived_at
            await again.answer()
            await again.established()
            at_anna = await anna.next_call()
            await at_anna.established()
            assert (await again.hear(TONE)).heard
            await again.hang_up()
            assert (await screen.until(lambda m: m.type == "callback_closed"))["outcome"] == "done"
        assert customer.calls.empty() and anna.calls.empty()


async def test_a_kept_place_and_the_emergency_switch(centre: Centre, baresip: Softphones) -> None:
    """Who hung up and calls again is where he was, before who came after him."""
    first, second = [await centre.phone(baresip, name, tone_hz=TONE) for name in ("102", "104")]
    call = await first.call("3102")
    await call.established()
    other = await second.call("3102")
    await other.established()
    before = (await centre.queue("kept"))["waiting"]
    await call.hang_up()

    async def kept() -> bool:
        return [one["state"] for one in (await centre.queue("kept"))["waiting"]] == ["KEPT", "QUEUED"]

    await eventually(kept)
    await centre.plateau.put("/v1/queues/told", {"emergency": True})
    await centre.kill()
    assert await kept() and (await other.hear(None)).heard
    assert [(await centre.queue(name))["emergency"] for name in ("told", "kept")] == [True, False]
    refused = await first.call("3002")
    await refused.ended()
    back = await first.call("3102")
    await back.established()
    after = (await centre.queue("kept"))["waiting"]
    assert [one["state"] for one in after] == ["QUEUED", "QUEUED"] and after[1]["call_id"] == before[1]["call_id"]
    assert (await centre.queue("kept"))["abandoned"] == 0
    await centre.plateau.put("/v1/queues/told", {"emergency": False})
    await back.hang_up()
    await other.hang_up()


async def _enters(phone: Phone, room: str, pin: str = "") -> PhoneCall:
    call = await phone.call(room)
    await call.established()
    if pin:
        await call.press(pin)
    return call


async def test_a_conference_goes_on(centre: Centre, baresip: Softphones) -> None:
    """Behind a PIN that nobody is asked for again; the third talks to both others as before."""
    tones = {"103": 440.0, "105": 620.0, "106": 850.0}
    members = [await centre.phone(baresip, name, tone_hz=tone) for name, tone in tones.items()]
    calls = [await _enters(phone, "1011", "42#") for phone in members]

    async def room() -> list[tuple[str, list[str]]]:
        found = (await centre.plateau.get("/v1/conferences"))["conferences"]
        return [(one["name"], sorted(member["number"] for member in one["members"])) for one in found]

    async def all_there() -> bool:
        return await room() == [("closed", ["103", "105", "106"])]

    async def hears(call: PhoneCall, *wanted: str) -> None:
        for name in wanted:
            assert (await call.hear(tones[name], share=0.8 / len(wanted), window_s=0.4)).heard, name

    await eventually(all_there)
    await hears(calls[0], "105", "106")
    await centre.kill()
    assert await all_there()
    for call, others in zip(calls, (("105", "106"), ("103", "106"), ("103", "105")), strict=True):
        await hears(call, *others)
    await calls[1].hang_up()
    await eventually(lambda: _is(room(), [("closed", ["103", "106"])]))
    await hears(calls[0], "106")


async def _is(asked: Any, wanted: object) -> bool:
    return bool(await asked == wanted)
