"""Real softphones through the server: PJSIP and baresip, which know nothing of each other or of us."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.softphones import CallFailed, Phone, Softphones, answer, reject, ring_only
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def looper(running_office: Office, pjsip_process: Softphones) -> AsyncIterator[Phone]:
    """Extension 107 on PJSIP: answers and loops sound back."""
    server = running_office.plateau.sip
    phone = await pjsip_process.phone("107", server=server, password="wire", policy=answer(100), loops=True)
    assert await phone.register() == 200
    yield phone
    assert await phone.unregister() == 200
    await phone.process.remove(phone)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def listener(running_office: Office, baresip_process: Softphones) -> AsyncIterator[Phone]:
    """Extension 108 on baresip: plays 620 Hz and listens."""
    phone = await baresip_process.phone("108", server=running_office.plateau.sip, password="wire", tone_hz=620)
    assert await phone.register() == 200
    yield phone
    assert await phone.unregister() == 200
    await phone.process.remove(phone)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other(running_office: Office, pjsip_process: Softphones) -> AsyncIterator[Phone]:
    """Extension 109 on PJSIP."""
    phone = await pjsip_process.phone("109", server=running_office.plateau.sip, password="wire", policy=answer())
    assert await phone.register() == 200
    yield phone
    assert await phone.unregister() == 200
    await phone.process.remove(phone)


async def test_pjsip_calls_pjsip(office: Office, looper: Phone, other: Phone) -> None:
    call = await other.call("107")
    there = await looper.next_call()
    await call.established()
    await there.established()
    assert "109" in there.headers["From"]
    await call.hang_up()
    await there.ended()


async def test_baresip_calls_pjsip_and_hears_its_own_tone_back(office: Office, looper: Phone, listener: Phone) -> None:
    call = await listener.call("107")
    there = await looper.next_call()
    await call.established()
    heard = await call.hear(620)
    assert heard.heard, heard
    assert heard.level_dbfs == pytest.approx(-12, abs=3)

    await there.hold()
    for _ in range(10):  # what was heard last is still the tone, until the music has come
        heard = await call.hear(620, within_s=0.5)
        if not heard.heard:
            break
        await asyncio.sleep(0.2)
    assert not heard.heard, heard
    assert (await call.hear(None)).heard  # the site's music
    await there.resume()
    assert (await call.hear(620)).heard

    await there.hang_up()
    await call.ended()


async def test_keys_reach_the_other_phone(office: Office, looper: Phone, listener: Phone) -> None:
    call = await listener.call("107")
    there = await looper.next_call()
    await call.established()
    assert (await call.hear(620)).heard
    await call.press("19#")
    await there.until(lambda c: c.digits_received == "19#")
    await call.hang_up()
    await there.ended()


async def test_a_killed_media_worker_is_replaced_and_its_calls_go_on(
    office: Office, looper: Phone, listener: Phone
) -> None:
    """PJSIP and baresip are asked by re-INVITE to send to the new worker, and do."""
    call = await listener.call("107")
    there = await looper.next_call()
    await call.established()
    assert (await call.hear(620)).heard
    before = office.plateau.media_workers()
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    await asyncio.sleep(0.5)  # so that what is heard is not what was on its way
    assert (await call.hear(620)).heard
    assert office.plateau.media_workers() and not set(office.plateau.media_workers()) & set(before)
    await call.hang_up()
    await there.ended()


async def test_echo(office: Office, listener: Phone) -> None:
    call = await listener.call("1001")
    await call.established()
    assert (await call.hear(620)).heard
    await call.hang_up()


async def test_a_key_in_the_menu_leads_on(office: Office, looper: Phone, listener: Phone) -> None:
    call = await listener.call("1003")
    await call.established()
    assert (await call.hear(None)).heard  # the menu's prompt
    await call.press("1")
    there = await looper.next_call()
    await there.established()
    assert (await call.hear(620)).heard
    await call.hang_up()
    await there.ended()


async def test_phones_without_a_codec_in_common_hear_each_other(office: Office, baresip: Softphones) -> None:
    """One speaks A-law only, the other mu-law only."""
    server = office.plateau.sip
    a_law = await baresip.phone("101", server=server, password="wire", tone_hz=440, codecs=("pcma",))
    mu_law = await baresip.phone("102", server=server, password="wire", tone_hz=750, codecs=("pcmu",), policy=answer())
    assert await mu_law.register() == 200
    call = await a_law.call("102")
    await call.established()
    there = await mu_law.next_call()
    heard, heard_there = await call.hear(750), await there.hear(440)
    assert heard.heard and heard_there.heard, (heard, heard_there)
    for one in (heard, heard_there):
        assert one.level_dbfs == pytest.approx(-12, abs=2)
    await call.hang_up()
    await there.ended()


async def test_a_phone_without_g711_gets_488(office: Office, baresip: Softphones) -> None:
    phone = await baresip.phone("101", server=office.plateau.sip, password="wire", codecs=("opus/48000/2",))
    call = await phone.call("1001")
    with pytest.raises(CallFailed) as failed:
        await call.established()
    assert failed.value.status == 488


async def test_busy_and_cancel(office: Office, other: Phone, listener: Phone) -> None:
    await other.policy(reject(486))
    call = await listener.call("109")
    with pytest.raises(CallFailed) as failed:
        await call.established()
    assert failed.value.status == 486
    await other.next_call()

    await other.policy(ring_only())
    call = await listener.call("109")
    there = await other.next_call()
    await call.until(lambda c: c.ringing_at)
    await call.hang_up()
    await there.ended()
    assert there.established_at is None
    await other.policy(answer())


async def test_a_phone_that_is_gone_without_a_word(office: Office, pjsip: Softphones) -> None:
    """Killed without unregistering: the caller who gives up leaves nothing over."""
    caller = await pjsip.phone("111", server=office.plateau.sip, password="wire")
    async with Softphones("pjsip") as phones:
        gone = await phones.phone("110", server=office.plateau.sip, password="wire")
        assert await gone.register() == 200
        await phones.kill()
    call = await caller.call("110")
    await asyncio.sleep(0.3)  # by then it has its 100 and may cancel (RFC 3261 9.1)
    await call.hang_up()
    await call.ended()
    assert call.status == 487
