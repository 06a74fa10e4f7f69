"""The softphones themselves, against each other and without any server: PJSIP and baresip on 127.0.0.1.

What fails here is the instrument, not the switch.
"""

from __future__ import annotations

import asyncio

import pytest

from bench.softphones import CallFailed, SoftphoneError, Softphones, answer, reject, ring_only

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


async def test_pjsip_answers_and_loops_the_callers_tone_back(pjsip: Softphones, baresip: Softphones) -> None:
    agent = await pjsip.phone("looper", policy=answer(50), loops=True)
    caller = await baresip.phone("caller", tone_hz=620)
    call = await caller.call(pjsip.address("looper"), {"X-Web-Session": "abc123"})
    await call.established()
    there = await agent.next_call()
    assert there.headers["X-Web-Session"] == "abc123"
    heard = await call.hear(620)
    assert heard.heard and heard.share > 0.8 and heard.level_dbfs == pytest.approx(-12, abs=3)
    assert not (await call.hear(440, within_s=0.3)).heard
    assert await there.sounds() > 10

    await call.press("12#")
    await there.until(lambda c: c.digits_received == "12#")

    await there.hold()
    await call.until(lambda c: c.held)
    await there.resume()
    await call.until(lambda c: not c.held)
    assert (await call.hear(620)).heard

    await there.hang_up()
    await call.ended()
    await there.ended()


async def test_baresip_answers_with_its_own_tone_and_hears_keys(pjsip: Softphones, baresip: Softphones) -> None:
    agent = await baresip.phone("toner", policy=answer(), tone_hz=440)
    caller = await pjsip.phone("presser")
    call = await caller.call(baresip.address("toner"), {"X-Web-Session": "xyz"})
    await call.established()
    there = await agent.next_call()
    assert there.headers == {"X-Web-Session": "xyz"}
    await call.press("7")
    await there.until(lambda c: c.digits_received == "7")
    assert await call.sounds() > 10
    await call.hang_up()
    await there.ended()


async def test_refusals_and_a_caller_who_gives_up(pjsip: Softphones, baresip: Softphones) -> None:
    agent = await pjsip.phone("busy", policy=reject(486))
    caller = await baresip.phone("refused")
    for status in (486, 603):
        await agent.policy(reject(status))
        call = await caller.call(pjsip.address("busy"))
        with pytest.raises(CallFailed) as failed:
            await call.established()
        assert failed.value.status == status
        await agent.next_call()

    await agent.policy(ring_only())
    call = await caller.call(pjsip.address("busy"))
    there = await agent.next_call()
    await call.until(lambda c: c.ringing_at)
    await call.hang_up()
    await there.ended()
    assert there.established_at is None


async def test_commands_that_make_no_sense_are_errors(pjsip: Softphones, baresip: Softphones) -> None:
    for phones in (pjsip, baresip):
        with pytest.raises(SoftphoneError):
            await phones.do("answer", call=999, status=200)


async def test_a_phone_that_is_killed_is_noticed() -> None:
    phones = Softphones("pjsip")
    async with phones:
        await phones.kill()
        with pytest.raises(SoftphoneError):
            await phones.phone("ghost")
    assert phones.exit_status == -9


async def test_a_child_ends_when_its_parent_is_gone() -> None:
    phones = Softphones("baresip")
    await phones.__aenter__()
    process = phones._process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(30):
        assert await process.wait() == 0
    await phones.close()
