"""Agents on real phones: what becomes of an offer that is not taken, who hangs up, wrap-up with a disposition, log-in
by telephone, a nailed-up line, a supervisor who whispers on a queue's call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from bench.cti_client import EventClient, Received, desktop, supervisor
from bench.plateau import PlateauError
from bench.softphones import SoftphoneError, Softphones, answer, reject, ring_only
from bench.softphones.phone import Phone
from tests.wire.conftest import Office, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
DORA, CALLER, QUEUE = "111", 620, "3004"


async def phone_of(process: Softphones, office: Office, extension: str, **more: Any) -> Phone:
    phone = await process.phone(extension, server=office.plateau.sip, password="wire", **more)
    assert await phone.register() == 200
    return phone


@asynccontextmanager
async def at_work(office: Office, agent: str) -> AsyncIterator[EventClient]:
    """Logged in and ready; logged out afterwards."""
    async with desktop(office.plateau, agent) as screen:
        await screen.command("login")
        await screen.command("ready")
        try:
            yield screen
        finally:
            await office.plateau.post(f"/v1/agents/{agent}/logout", {}, role="supervisor", name="bench")


async def state(office: Office, agent: str) -> dict[str, Any]:
    found: dict[str, Any] = await office.plateau.get(f"/v1/agents/{agent}")
    return found


async def becomes(office: Office, agent: str, wanted: str, reason: str | None = None, within_s: float = 30.0) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        found = await state(office, agent)
        if (found["state"], found["reason"]) == (wanted, reason):
            return
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("policy", "reason"), [(ring_only(), "no answer"), (reject(486), "busy"), (reject(603), "rejected")]
)
async def test_an_offer_that_is_not_taken(
    office: Office, pjsip: Softphones, baresip: Softphones, policy: dict[str, Any], reason: str
) -> None:
    dora = await phone_of(pjsip, office, DORA, policy=policy)
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "dora") as screen:
        call = await caller.call(QUEUE)
        await call.established()
        rung = await dora.next_call()
        await rung.ended()
        assert (await screen.pop("retract"))["reason"] == reason.replace(" ", "_")
        await becomes(office, "dora", "NOT_READY", reason)
        assert call.ended_at is None, "the caller waits on"
        await dora.policy(answer(50))
        await screen.command("ready")
        await (await dora.next_call()).established()
        await call.hang_up()
        await becomes(office, "dora", "WRAP_UP")
    await dora.unregister()


async def test_unregistered_while_ringing(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    dora = await phone_of(pjsip, office, DORA, policy=ring_only())
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "dora") as screen:
        call = await caller.call(QUEUE)
        await call.established()
        await dora.next_call()
        assert await dora.unregister() == 200
        assert (await screen.pop("retract"))["reason"] == "unregistered"
        await becomes(office, "dora", "READY", "unregistered")
        assert (await state(office, "dora"))["available"] is False and call.ended_at is None
        await dora.policy(answer(50))
        assert await dora.register() == 200
        await (await dora.next_call()).established()  # at once, and nobody had to press anything
        await call.hang_up()
        await becomes(office, "dora", "WRAP_UP")
    await dora.unregister()


async def test_the_caller_hangs_up_while_it_rings(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    dora = await phone_of(pjsip, office, DORA, policy=ring_only())
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "dora") as screen:
        call = await caller.call(QUEUE)
        await call.established()
        rung = await dora.next_call()
        await call.hang_up()
        await rung.ended()
        assert (await screen.pop("retract"))["reason"] == "caller_hung_up"
        await becomes(office, "dora", "READY")
    await dora.unregister()


async def test_a_caller_given_on_to_another_queue(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    """The agent transfers the caller: record and statistics follow, and the first agent notes down."""

    async def figures() -> dict[tuple[str, str], float]:
        rows = (await office.plateau.get("/v1/statistics?by=queue"))["rows"]
        today = {row["name"]: row["today"] or {} for row in rows if row["channel"] == "call"}
        return {
            (name, key): today.get(name, {}).get(key, 0)
            for name in ("noted", "both") for key in ("answered", "transferred")
        }  # fmt: skip

    dora = await phone_of(pjsip, office, DORA, policy=answer(50), loops=True)
    anna = await phone_of(pjsip, office, "103", policy=answer(50), loops=True)
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "dora"), at_work(office, "anna") as second:
        before = await figures()
        call = await caller.call(QUEUE)
        served = await dora.next_call()
        await served.established()
        await becomes(office, "dora", "BUSY")
        await served.transfer_to_number("3003")
        given = await anna.next_call()
        await given.established()
        await becomes(office, "dora", "WRAP_UP")
        await second.pop("connected")
        assert (await call.hear(CALLER)).heard and call.ended_at is None
        await call.hang_up()
        await given.ended()
        await becomes(office, "anna", "READY")

        async def written() -> bool:
            cdrs: list[dict[str, Any]] = (await office.plateau.get("/v1/cdrs"))["cdrs"]
            return any(
                (cdr["queue"], cdr["agent"], cdr["transfers"]) == ("both", "anna", 1) and cdr["to_number"] == QUEUE
                for cdr in cdrs
            )

        await eventually(written)
        gained = {which: figure - before[which] for which, figure in (await figures()).items()}
        assert gained == {
            ("noted", "answered"): 1, ("noted", "transferred"): 1, ("both", "answered"): 1, ("both", "transferred"): 0,
        }  # fmt: skip
    await dora.unregister()
    await anna.unregister()


async def test_the_agent_hangs_up_and_says_how_it_ended(
    office: Office, pjsip: Softphones, baresip: Softphones
) -> None:
    dora = await phone_of(pjsip, office, DORA, policy=answer(50), loops=True)
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "dora") as screen:
        call = await caller.call(QUEUE)
        served = await dora.next_call()
        await served.established()
        assert (await call.hear(CALLER)).heard
        await served.hang_up()
        await call.ended()  # the customer is not left on a dead line
        await screen.pop("wrap_up")
        work = (await state(office, "dora"))["wrap_up"]
        assert work["dispositions"] == ["sold", "no sale"] and work["disposition_needed"]
        with pytest.raises(PlateauError, match="a disposition is needed first: sold, no sale"):
            await screen.command("wrap_up_done")
        await screen.command("extend_wrap_up")
        assert (await state(office, "dora"))["wrap_up"]["until"] == pytest.approx(work["until"] + 60, abs=0.01)
        before = await noted(office)
        await screen.command("note", disposition="no sale")
        assert await noted(office) == before + Counter({"no sale": 1})
        await screen.command("wrap_up_done", disposition="sold")
        assert await noted(office) == before + Counter({"sold": 1})
        await screen.pop("ended")
        await becomes(office, "dora", "READY")

        async def written() -> bool:
            record = (await office.plateau.get(f"/v1/calls/{work['call_id']}"))["record"]
            return record is not None and record["disposition"] == "sold"  # noted when the call was over

        await eventually(written)
    await dora.unregister()


async def noted(office: Office) -> Counter[str]:
    """Dispositions of the queue and of the agent, who has no other: the same."""
    queue = (await office.plateau.get("/v1/statistics?by=queue&name=noted"))["rows"][0]["dispositions"]
    agent = (await office.plateau.get("/v1/statistics?by=agent&name=dora"))["rows"][0]["dispositions"]
    assert queue == agent
    return Counter(queue)


async def test_the_caller_hangs_up_and_the_next_waits_for_the_wrap_up(
    office: Office, pjsip: Softphones, baresip: Softphones
) -> None:
    dora = await phone_of(pjsip, office, DORA, policy=answer(50))
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "dora") as screen:
        call = await caller.call(QUEUE)
        served = await dora.next_call()
        await served.established()
        await call.hang_up()
        await served.ended()
        await becomes(office, "dora", "WRAP_UP")
        other = await caller.call(QUEUE)
        await other.established()
        with pytest.raises(TimeoutError):
            await dora.next_call(within_s=0.7)
        await other.hang_up()  # in the wrap-up: it waited, and is gone
        await screen.command("wrap_up_done", disposition="sold")
        await becomes(office, "dora", "READY")
    await dora.unregister()


async def test_log_in_by_telephone_at_any_phone(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    desk = await phone_of(pjsip, office, "109", policy=answer(50), loops=True)
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    code = await desk.call("*454712")
    await code.established()
    await asyncio.sleep(0.3)
    await code.press("1234#")
    await code.ended()
    assert (await state(office, "emil"))["phone"] == "109"
    ready = await desk.call("*47")
    await ready.ended()
    await becomes(office, "emil", "READY")
    call = await caller.call(QUEUE)
    served = await desk.next_call()
    await served.established()
    assert (await call.hear(CALLER)).heard
    await call.hang_up()
    await served.ended()
    done = {"disposition": "sold"}
    await office.plateau.post("/v1/agents/emil/wrap-up-done", done, role="supervisor", name="bench")
    out = await desk.call("*46")
    await out.ended()
    found = await state(office, "emil")
    assert (found["state"], found["phone"]) == ("LOGGED_OUT", None)
    await desk.unregister()


async def test_a_nailed_up_line_stays_for_caller_after_caller(
    office: Office, pjsip: Softphones, baresip: Softphones
) -> None:
    nina = await phone_of(pjsip, office, "112", policy=answer(50), loops=True)
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "nina") as screen:
        line = await nina.next_call()
        await line.established()
        await becomes(office, "nina", "READY")
        for _ in range(3):
            call = await caller.call("3005")
            await becomes(office, "nina", "BUSY")
            assert (await call.hear(CALLER)).heard, "her phone sends back what it gets"
            await call.hang_up()
            await becomes(office, "nina", "READY")
        assert line.ended_at is None
        call = await caller.call("3005")
        await becomes(office, "nina", "BUSY")
        await screen.command("hang_up")
        await call.ended()
        assert line.ended_at is None
        with pytest.raises(TimeoutError):
            await nina.next_call(within_s=0.3)  # it never rang again
        await line.hang_up()
        await becomes(office, "nina", "NOT_READY", "line lost")
        await screen.command("ready")
        line = await nina.next_call()
        await line.established()
        await becomes(office, "nina", "READY")
        call = await caller.call("3005")
        await becomes(office, "nina", "BUSY")
        await line.hang_up()  # in the conversation
        await call.ended()
        await becomes(office, "nina", "NOT_READY", "line lost")
        await screen.command("ready")
        line = await nina.next_call()
        await line.established()
    await line.ended()  # logged out
    await nina.unregister()


async def test_a_supervisor_whispers_on_a_queues_call(office: Office, baresip: Softphones) -> None:
    agent = await phone_of(baresip, office, DORA, policy=answer(50), tone_hz=440)
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    boss = await phone_of(baresip, office, "106", tone_hz=1000)
    async with at_work(office, "dora") as screen:
        call = await caller.call(QUEUE)
        served = await agent.next_call()
        await served.established()
        assert (await call.hear(440)).heard
        listening = await boss.call("*41111")
        await listening.established()
        await asyncio.sleep(0.5)
        assert (await served.hear(1000, share=0.3)).heard, "the agent hears the whisper"
        assert (await call.hear(440)).heard, "the customer the agent alone"
        assert (await listening.hear(440, share=0.3)).heard and (await listening.hear(CALLER, share=0.3)).heard
        await call.hang_up()
        await listening.ended()
        await served.ended()
        await becomes(office, "dora", "WRAP_UP")
        await screen.command("wrap_up_done", disposition="sold")


def _changed_to(mode: str, message: Received) -> bool:
    return message.type == "supervision_changed" and message["mode"] == mode


async def test_a_supervisor_of_a_pjsip_agent_monitors_whispers_and_barges_in(
    office: Office, pjsip: Softphones, baresip: Softphones
) -> None:
    """Only the supervisor's phone has a tone: whoever hears anything hears her."""
    agent = await phone_of(pjsip, office, DORA, policy=answer(50))
    caller = await phone_of(baresip, office, "102")
    boss = await phone_of(baresip, office, "106", tone_hz=1000)
    async with at_work(office, "dora") as screen, supervisor(office.plateau) as watching:
        call = await caller.call(QUEUE)
        served = await agent.next_call()
        await served.established()
        await becomes(office, "dora", "BUSY")
        listening = await boss.call("*41111")
        await listening.established()
        assert await served.sounds() >= 10, "the agent hears the whisper"
        assert not (await call.hear(1000, within_s=0.5, share=0.3)).heard, "the customer does not"
        for key, mode in (("6", "barge"), ("4", "monitor")):
            await listening.press(key)
            await watching.until(partial(_changed_to, mode))
            heard = await call.hear(1000, share=0.3) if mode == "barge" else None
            assert heard is None or heard.heard, "both hear her"

        async def nobody_hears() -> bool:
            loud = (await served.levels())["received"], (await call.levels())["received"]
            return loud[0] < 10 and loud[1] < -50

        await eventually(nobody_hears)
        await served.hang_up()
        await listening.ended()
        await call.ended()
        await screen.command("wrap_up_done", disposition="sold")


async def _meanwhile(command: Awaitable[None]) -> None:
    """Of a phone whose call may just be over."""
    with suppress(SoftphoneError):
        await command


async def test_the_caller_hangs_up_while_his_agent_gives_him_on(
    office: Office, pjsip: Softphones, baresip: Softphones
) -> None:
    """REFER and BYE meet: whichever comes first, nobody is left over, and the agent has his notes to write."""
    dora = await phone_of(pjsip, office, DORA, policy=answer(50))
    caller = await phone_of(baresip, office, "102", tone_hz=CALLER)
    async with at_work(office, "dora") as screen:
        for order in (1, -1, 1):
            call = await caller.call(QUEUE)
            served = await dora.next_call()
            await served.established()
            await becomes(office, "dora", "BUSY")
            meet = [_meanwhile(served.transfer_to_number("3003")), _meanwhile(call.hang_up())]
            await asyncio.gather(*meet[::order])
            await call.ended()
            await served.hang_up()
            await becomes(office, "dora", "WRAP_UP")
            await office.plateau.until_idle()
            queues = (await office.plateau.get("/v1/queues"))["queues"]
            assert [one["waiting"] for one in queues if one["name"] in ("noted", "both")] == [[], []]
            await screen.command("wrap_up_done", disposition="sold")
            await becomes(office, "dora", "READY")
