"""JsSIP and SIP.js in headless Chromium over WSS: registration, signalling and messages of both, JsSIP's sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.softphones import CallFailed, Phone, Softphones, reject, ring_only
from tests.wire.web_page import (
    JSSIP,
    SIPJS,
    TONE_HZ,
    Page,
    WebPhone,
    desk_phone,
    left_clean,
    open_page,
    registered,
)  # fmt: skip

STANDS_OUT_DB = 15.0
BEEP_HZ = 400

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=[JSSIP, SIPJS], ids=str)
async def running_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    async with open_page(request.param, tmp_path_factory.mktemp(str(request.param))) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def page(running_page: Page) -> AsyncIterator[Page]:
    async with left_clean(running_page):
        yield running_page


@pytest_asyncio.fixture(loop_scope="session")
async def phone(page: Page) -> AsyncIterator[WebPhone]:
    async with registered(page) as phone:
        yield phone


@pytest_asyncio.fixture(loop_scope="session")
async def desk(page: Page, baresip: Softphones) -> AsyncIterator[Phone]:
    async with desk_phone(page, baresip) as desk:
        yield desk


async def test_registers(page: Page, phone: WebPhone) -> None:
    (known,) = (await page.plateau.get("/v1/phones"))["phones"]
    assert known["extension"] == "101" and known["contacts"][0]["hop"].startswith("wss:127.0.0.1:")


async def test_a_wrong_password(page: Page) -> None:
    phone = await page.phone("102", "guess")
    await phone.tell("register")
    await phone.notices("wrong password")
    await phone.tell("stop")


async def test_calls_and_hangs_up(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.notices("ringing", "established")
    assert (await there.hear(TONE_HZ)).heard  # its own, back from the page
    await phone.tell("hangUp")
    await there.ended()
    await phone.notices("hung up")


async def test_calls_and_is_hung_up(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.notices("established")
    await there.hang_up()
    await phone.notices("was hung up")


async def test_cancels(phone: WebPhone, desk: Phone) -> None:
    await desk.policy(ring_only())
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.notices("ringing")
    await phone.tell("hangUp")
    await there.ended()
    await phone.notices("cancelled")


async def test_is_refused(phone: WebPhone, desk: Phone) -> None:
    await desk.policy(reject(486))
    await phone.tell("call", "107")
    await phone.notices("was refused")


async def test_is_called_and_hangs_up(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await call.until(lambda call: call.ringing_at)
    await phone.tell("answer")
    await call.established()
    await phone.notices("established")
    assert (await call.hear(TONE_HZ)).heard
    await phone.tell("hangUp")
    await call.ended()


async def test_is_called_and_hung_up(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("answer")
    await call.established()
    await phone.notices("established")
    await call.hang_up()
    await phone.notices("was hung up")


async def test_is_called_in_vain(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await call.until(lambda call: call.ringing_at)
    await call.hang_up()
    await phone.notices("was cancelled")
    await call.ended()


async def test_refuses(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("hangUp", 486)
    with pytest.raises(CallFailed) as failed:
        await call.established()
    assert failed.value.status == 486


async def test_holds(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.notices("established")
    await phone.tell("hold")
    await phone.sees("held")
    await phone.tell("resume")
    await phone.sees("resumed")
    assert (await there.hear(TONE_HZ)).heard
    await phone.tell("hangUp")
    await there.ended()


async def test_presses_keys(phone: WebPhone, desk: Phone) -> None:
    """By INFO: key 1 of the menu reaches 107."""
    await phone.tell("call", "1003")
    await phone.notices("established")
    await phone.tell("press", "1")
    there = await desk.next_call()
    await there.established()
    await phone.tell("hangUp")
    await there.ended()


async def test_transfers(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("answer")
    await call.established()
    await phone.notices("established")
    await phone.tell("transfer", "1001")
    await phone.notices("transferred")
    assert (await call.hear(TONE_HZ)).heard  # the echo of 1001
    await call.hang_up()


async def test_messages(page: Page, phone: WebPhone) -> None:
    other = await page.phone("102")
    await other.tell("register")
    await other.sees("registered")
    await phone.tell("message", "102", "Zoé wants \U0001f34e")
    await other.sees("message 101: Zoé wants \U0001f34e")
    await phone.sees("sent 200")
    await other.tell("stop")
    await other.sees("unregistered")


async def test_a_page_that_goes_away(page: Page, phone: WebPhone, desk: Phone) -> None:
    """The tab is loaded again: its connection is gone, the phone that comes back is reached."""
    await page.browser.go(await page.browser.run("return location.href"))
    back = await page.phone("101")
    await back.tell("register")
    await back.sees("registered")
    call = await desk.call("101")
    await back.sees("call from 107")
    await call.until(lambda call: call.ringing_at)  # before, baresip would forget the call and send no CANCEL
    await call.hang_up()
    await call.ended()
    phone.read = back.read  # it is the same extension


ITS_SOUND = pytest.mark.parametrize("running_page", [JSSIP], ids=str, indirect=True)  # the other's is a fake


async def sounds(page: Page, user: str, hz: float) -> float:
    """How far a tone stands out in what the page hears, in dB: the best of some looks."""
    best = -100.0
    for _ in range(400):
        best = max(best, float(await page.browser.run("return level(...arguments)", user, hz)))
        if best > STANDS_OUT_DB:
            break
        await asyncio.sleep(0.05)
    return best


@ITS_SOUND
async def test_sound_is_srtp_by_dtls(page: Page, phone: WebPhone, desk: Phone) -> None:
    """The phone's tone in the browser, and what the browser says of how it came."""
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.notices("established")
    assert await sounds(page, "101", TONE_HZ) > STANDS_OUT_DB
    said = await page.browser.run("return statistics(...arguments)", "101")
    assert said["dtls"] == "connected" and "AEAD_AES_" in said["srtp"] and said["received"] > 0
    await phone.tell("hangUp")
    await there.ended()


@ITS_SOUND
async def test_the_microphone_is_heard(page: Page, phone: WebPhone, desk: Phone) -> None:
    """Chromium's fake microphone beeps, some tens of milliseconds each second: there, and back by the echo."""
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.notices("established")
    await phone.tell("send", "beeps")
    assert (await there.hear(BEEP_HZ, window_s=0.02, share=0.6)).heard
    await phone.tell("hangUp")
    await there.ended()
    await phone.notices("hung up")
    await phone.tell("call", "1001")
    await phone.notices("established")
    await phone.tell("send", "beeps")
    assert await sounds(page, "101", BEEP_HZ) > STANDS_OUT_DB / 2  # a beep is short, and so less pure
    await phone.tell("hangUp")
    await phone.notices("hung up")
