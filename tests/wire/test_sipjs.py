"""SIP.js in headless Chromium over WSS: its registration, its calls' signalling and its messages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.softphones import CallFailed, Phone, Softphones, reject, ring_only
from tests.wire.web_page import TONE_HZ, Page, WebPhone, desk_phone, left_clean, open_page, registered

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    async with open_page("sipjs.js", tmp_path_factory.mktemp("sipjs")) as page:
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
    await phone.sees("registration failed: 403")
    await phone.tell("stop")


async def test_calls_and_hangs_up(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.sees("answer 180", "established", "answer 200")
    assert (await there.hear(TONE_HZ)).heard  # its own, back from the page
    await phone.tell("hangUp")
    await there.ended()
    await phone.sees("terminated")


async def test_calls_and_is_hung_up(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.sees("established")
    await there.hang_up()
    await phone.sees("terminated")


async def test_cancels(phone: WebPhone, desk: Phone) -> None:
    await desk.policy(ring_only())
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.sees("answer 180")
    await phone.tell("hangUp")
    await there.ended()
    await phone.sees("terminated")


async def test_is_refused(phone: WebPhone, desk: Phone) -> None:
    await desk.policy(reject(486))
    await phone.tell("call", "107")
    await phone.sees("terminated", "answer 486")


async def test_is_called_and_hangs_up(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("answer")
    await call.established()
    await phone.sees("established")
    assert (await call.hear(TONE_HZ)).heard
    await phone.tell("hangUp")
    await call.ended()
    await phone.sees("terminated")


async def test_is_called_in_vain(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await call.until(lambda call: call.ringing_at)
    await call.hang_up()
    await phone.sees("terminated")
    await call.ended()


async def test_refuses(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("hangUp", 486)
    with pytest.raises(CallFailed) as failed:
        await call.established()
    assert failed.value.status == 486
    await phone.sees("terminated")


async def test_holds(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.sees("established")
    await phone.tell("hold")
    await phone.sees("held")
    await phone.tell("resume")
    await phone.sees("resumed")
    assert (await there.hear(TONE_HZ)).heard
    await phone.tell("hangUp")
    await there.ended()
    await phone.sees("terminated")


async def test_presses_keys(phone: WebPhone, desk: Phone) -> None:
    """By INFO: key 1 of the menu reaches 107."""
    await phone.tell("call", "1003")
    await phone.sees("established")
    await phone.tell("press", "1")
    there = await desk.next_call()
    await there.established()
    await phone.tell("hangUp")
    await there.ended()
    await phone.sees("terminated")


async def test_transfers(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("answer")
    await call.established()
    await phone.sees("established")
    await phone.tell("transfer", "1001")
    await phone.sees("transfer accepted", "transfer SIP/2.0 200 OK")
    assert (await call.hear(TONE_HZ)).heard  # the echo of 1001
    await call.hang_up()


async def test_messages(page: Page, phone: WebPhone) -> None:
    other = await page.phone("102")
    await other.tell("register")
    await other.sees("registered")
    await phone.tell("message", "102", "Zoé wants \U0001f34e")
    await other.sees("message 101: Zoé wants \U0001f34e")
    await phone.sees("sent 200")
    await other.tell("unregister")
    await other.sees("unregistered")
    await other.tell("stop")
