"""Encrypted sound through rtpengine: Debian's baresip with SDES, Chromium with DTLS, ICE and Opus; the other phone is
plain. Both are recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.rtpengine import Rtpengine
from bench.sites import merged
from bench.softphones import Phone, Softphones, answer
from tests.wire.conftest import OFFICE, eventually
from tests.wire.test_recording import loudest_hz
from tests.wire.test_rtpengine import begin_recording, recorded, site_changes
from tests.wire.test_srtp_phones import SITE, TONE_HZ, looping_baresip, registered
from tests.wire.web_page import JSSIP, desk_phone, open_page
from tests.wire.web_page import registered as registered_page

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


def recording_to(spool: Path) -> Rtpengine:
    return Rtpengine(options=(f"--recording-dir={spool}", "--recording-method=pcap"))


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def daemon(spool: Path) -> Iterator[Rtpengine]:
    with recording_to(spool) as daemon:
        yield daemon


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plateau(daemon: Rtpengine, spool: Path) -> AsyncIterator[Plateau]:
    changes = merged(site_changes((daemon,), spool), SITE)
    async with Plateau(OFFICE, changes=changes) as plateau:
        yield plateau
    assert plateau.exit_status == 0


@pytest_asyncio.fixture(loop_scope="session")
async def desk(plateau: Plateau, baresip: Softphones) -> AsyncIterator[Phone]:
    """Extension 114, plain RTP, with a tone."""
    desk = await baresip.phone("114", server=plateau.sip, password="wire", policy=answer(50), tone_hz=TONE_HZ)
    assert await desk.register() == 200
    yield desk
    await desk.unregister()


async def test_a_phone_with_keys_is_called(plateau: Plateau, desk: Phone, tmp_path: Path) -> None:
    async with looping_baresip(tmp_path, plateau.sip, "srtp-mand"):
        await eventually(lambda: registered(plateau))
        call = await desk.call("113")
        await call.established()
        recording = await begin_recording(plateau)
        assert (await call.hear(TONE_HZ)).heard
        await call.hear(2000, within_s=1.5)
        await call.hang_up()
        await call.ended()
        await plateau.until_idle()
    await both_sides(plateau, recording)


async def both_sides(plateau: Plateau, recording: str) -> None:
    """One said a tone, the other said it again."""
    for side in await recorded(plateau, recording):
        assert loudest_hz(side[24_000:]) == pytest.approx(TONE_HZ, abs=5)


async def test_a_phone_with_keys_calls(plateau: Plateau, desk: Phone, tmp_path: Path) -> None:
    async with looping_baresip(tmp_path, plateau.sip, "srtp-mand", f"d sip:114@{plateau.sip}"):
        call = await desk.next_call()
        await call.established()
        assert (await call.hear(TONE_HZ)).heard
        await call.hang_up()
        await call.ended()
        await plateau.until_idle()


async def test_a_browser(baresip: Softphones, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    daemon = recording_to(spool)
    changes = merged(
        site_changes((daemon,), spool), {"media": {"srtp": "optional", "codecs": ["OPUS", "PCMU", "PCMA"]}}
    )
    with daemon:
        await browser_calls(baresip, tmp_path, changes)


async def browser_calls(baresip: Softphones, folder: Path, changes: dict[str, Any]) -> None:
    async with (
        open_page(JSSIP, folder, changes) as page,
        desk_phone(page, baresip) as desk,
        registered_page(page) as phone,
    ):
        await phone.tell("call", "107")
        there = await desk.next_call()
        await phone.sees("confirmed")
        assert (await there.hear(TONE_HZ)).heard  # its own, back from the page
        await phone.tell("hangUp")
        await there.ended()

        await page.plateau.until_idle()
        call = await desk.call("101")
        await phone.sees("call from 107")
        await phone.tell("answer")
        await call.established()
        recording = await begin_recording(page.plateau)
        assert (await call.hear(TONE_HZ)).heard
        await call.hear(2000, within_s=1.5)
        await call.hang_up()
        await phone.sees("ended remote Terminated")
        await page.plateau.until_idle()
        await both_sides(page.plateau, recording)
