"""Linphone: registration, calls both ways and every way to end them, hold, transfer, messages. It has no sound card."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.ports import free_port
from bench.softphones import CallFailed, Phone, Softphones, answer, ring_only
from tests.transport.certificates import Authority
from tests.wire.conftest import OFFICE, Office, eventually
from tests.wire.linphone import Linphone

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

TONE_HZ = 620


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def linphone(running_office: Office) -> AsyncIterator[Linphone]:
    """Extension 111, registered."""
    plateau = running_office.plateau

    async def registered() -> bool:
        phones = (await plateau.get("/v1/phones"))["phones"]
        return any(phone["extension"] == "111" for phone in phones)

    async def gone() -> bool:
        return not await registered()

    async with Linphone(plateau.sip, "111", "wire", "wire") as phone:
        await eventually(registered, within_s=60)
        yield phone
        await phone.do("unregister")
        await eventually(gone)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(office: Office, baresip: Softphones) -> AsyncIterator[Phone]:
    """Extension 107, baresip with a tone."""
    desk = await baresip.phone("107", server=office.plateau.sip, password="wire", policy=answer(50), tone_hz=TONE_HZ)
    assert await desk.register() == 200
    yield desk
    await desk.unregister()


async def test_calls_the_ivr_and_hangs_up(office: Office, linphone: Linphone) -> None:
    await linphone.do("call 1001")
    await linphone.hears("connected")
    await linphone.do("terminate")
    await linphone.hears("ended")


async def test_holds_and_is_hung_up(linphone: Linphone, desk: Phone) -> None:
    """From its re-INVITE on, its Contact is the GRUU that we gave it."""
    await linphone.do("call 107")
    there = await desk.next_call()
    await linphone.hears("connected")
    await linphone.do("pause")
    await linphone.hears("is now paused")
    assert (await there.hear(None)).heard  # music
    await linphone.do("resume")
    await linphone.hears("Media streams established")
    await there.hang_up()
    await linphone.hears("ended")


async def test_cancels(linphone: Linphone, desk: Phone) -> None:
    await desk.policy(ring_only())
    await linphone.do("call 107")
    there = await desk.next_call()
    await linphone.hears("ringing")
    await linphone.do("terminate")
    await there.ended()
    await linphone.hears("ended")


async def test_is_called_and_hung_up(linphone: Linphone, desk: Phone) -> None:
    call = await desk.call("111")
    await linphone.hears("Receiving new incoming call")
    await linphone.do("answer")
    await call.established()
    await linphone.hears("Media streams established")
    await call.hang_up()
    await linphone.hears("ended")


async def test_is_called_in_vain(linphone: Linphone, desk: Phone) -> None:
    call = await desk.call("111")
    await linphone.hears("Receiving new incoming call")
    await call.until(lambda call: call.ringing_at)  # before, baresip would forget the call and send no CANCEL
    await call.hang_up()
    await linphone.hears("ended")
    await call.ended()


async def test_refuses(linphone: Linphone, desk: Phone) -> None:
    call = await desk.call("111")
    await linphone.hears("Receiving new incoming call")
    await linphone.do("terminate")
    with pytest.raises(CallFailed) as failed:
        await call.established()
    assert failed.value.status == 603
    await linphone.hears("ended")


async def test_transfers(office: Office, linphone: Linphone, desk: Phone) -> None:
    call = await desk.call("111")
    await linphone.hears("Receiving new incoming call")
    await linphone.do("answer")
    await linphone.hears("Media streams established")
    await linphone.do(f"transfer sip:1001@{office.plateau.sip}")
    await linphone.hears("has been transfered")
    await linphone.hears("ended")
    assert (await call.hear(TONE_HZ)).heard  # the echo of 1001
    await call.hang_up()


async def test_writes(office: Office, linphone: Linphone) -> None:
    """To itself: a message there and one back."""
    await linphone.do(f'chat sip:111@{office.plateau.sip} "café at ten?"')
    await linphone.hears("Message received from <sip:111@127.0.0.1")
    await linphone.hears('"café at ten?"')


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_over_a_stream(tmp_path: Path, transport: str) -> None:
    """Registered, and a call."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "127.0.0.1")
    server = f"127.0.0.1:{free_port()}"
    listen = {"sip": [f"{transport}:{server}"], "tls": {"certificate": certificate, "key": key}}
    async with Plateau(OFFICE, changes={"listen": listen}) as plateau:
        async with Linphone(server, "111", "wire", "wire", transport, authority.file) as phone:

            async def registered() -> bool:
                return await plateau.counter("plateau_registered_contacts") == 1

            await eventually(registered, within_s=60)
            await phone.do("call 1001")
            await phone.hears("connected")
            await phone.do("terminate")
            await phone.hears("ended")
