"""SRTP with keys in the signalling (SDES) and a phone of others: Debian's baresip with its module `srtp`.

It loops back what it hears, so that the other phone's tone passes both ways; the other phone's sound is plain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.ports import free_port
from bench.softphones import CallFailed, Phone, Softphones, answer
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

MODULES = Path("/usr/lib/baresip/modules")
TONE_HZ = 620
SITE = {
    "listen": {"digest": ["MD5"]},  # this baresip gives up when there is another
    "media": {"srtp": {"policy": "optional", "in_clear_signalling": True}},
    "extensions": {"113": {"password": "wire", "srtp": "required"}, "114": {"password": "wire", "srtp": "off"}},
}  # fmt: skip


def configure(folder: Path, server: str, security: str) -> None:
    assert MODULES.exists(), "expected baresip: apt-get install baresip-core"
    (folder / "config").write_text(
        f"module_path {MODULES}\n"
        f"net_interface 127.0.0.1\nsip_listen 127.0.0.1:{free_port()}\n"
        "audio_player aubridge,loop\naudio_source aubridge,loop\naudio_alert aubridge,none\n"
        "ringback_disabled yes\n"  # when it ends, so does the device that loops
        "module g711.so\nmodule aubridge.so\nmodule srtp.so\nmodule_app account.so\nmodule_app menu.so\n"
    )
    (folder / "accounts").write_text(
        f"<sip:113@{server}>;auth_pass=wire;answermode=auto;mediaenc={security};audio_codecs=pcmu\n"
    )
    (folder / "contacts").touch()


@asynccontextmanager
async def looping_baresip(folder: Path, server: str, security: str, *orders: str) -> AsyncIterator[None]:
    """Extension 113, which answers and loops; `security` is baresip's `mediaenc`, `orders` are as at its keyboard."""
    configure(folder, server, security)
    command = ["baresip", "-f", str(folder), *(word for order in orders for word in ("-e", order))]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.communicate()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plateau() -> AsyncIterator[Plateau]:
    async with Plateau(OFFICE, changes=SITE) as plateau:
        yield plateau
    assert plateau.exit_status == 0


@pytest_asyncio.fixture(loop_scope="session")
async def desk(plateau: Plateau, baresip: Softphones) -> AsyncIterator[Phone]:
    """Extension 114, plain RTP, with a tone."""
    desk = await baresip.phone("114", server=plateau.sip, password="wire", policy=answer(50), tone_hz=TONE_HZ)
    assert await desk.register() == 200
    yield desk
    await desk.unregister()


async def registered(plateau: Plateau) -> bool:
    phones = (await plateau.get("/v1/phones"))["phones"]
    return any(phone["extension"] == "113" and phone["contacts"] for phone in phones)


@pytest.mark.parametrize("security", ["srtp", "srtp-mand"])
async def test_it_is_called(plateau: Plateau, desk: Phone, tmp_path: Path, security: str) -> None:
    async with looping_baresip(tmp_path, plateau.sip, security):
        await eventually(lambda: registered(plateau))
        call = await desk.call("113")
        await call.established()
        assert (await call.hear(TONE_HZ)).heard
        await call.hang_up()
        await call.ended()
        await plateau.until_idle()


@pytest.mark.parametrize("security", ["srtp", "srtp-mand"])
async def test_it_calls(plateau: Plateau, desk: Phone, tmp_path: Path, security: str) -> None:
    async with looping_baresip(tmp_path, plateau.sip, security, f"d sip:114@{plateau.sip}"):
        call = await desk.next_call()
        await call.established()
        assert (await call.hear(TONE_HZ)).heard
        await call.hang_up()
        await call.ended()
        await plateau.until_idle()


async def test_a_phone_without_srtp_is_not_reached_where_it_is_required(
    plateau: Plateau, desk: Phone, tmp_path: Path
) -> None:
    async with looping_baresip(tmp_path, plateau.sip, ""):
        await eventually(lambda: registered(plateau))
        call = await desk.call("113")
        with pytest.raises(CallFailed):
            await call.established()
        await plateau.until_idle()
