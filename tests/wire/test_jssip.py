"""JsSIP in headless Chromium over WSS: its registration, its calls' signalling and its messages.

Only the signalling is a browser's here. Browsers send sound by ICE and DTLS-SRTP alone, so the page has a small fake in
the place of RTCPeerConnection that offers and answers plain RTP/AVP; its port is one of the test, which echoes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.plateau import Plateau
from bench.sites import free_port
from bench.softphones import CallFailed, Phone, Softphones, answer, reject, ring_only
from tests.transport.certificates import Authority
from tests.wire.browser import Browser, open_browser
from tests.wire.conftest import HERE, OFFICE

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

JSSIP = HERE / "jssip"
WAIT_S = 8.0
TONE_HZ = 620
PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script src="phone.js"></script>'


class Echo(asyncio.DatagramProtocol):
    """Sends back what comes: the sound of the fake."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        self._transport.sendto(data, source)


@dataclass
class WebPhone:
    """One JsSIP user agent in the page."""

    browser: Browser
    user: str
    read: int = 0  # of what it has seen

    async def tell(self, verb: str, *rest: object) -> None:
        await self.browser.run("tell(...arguments)", self.user, verb, *rest)

    async def sees(self, *wanted: str) -> list[str]:
        """Wait until it has seen all of these, in this order; what came since the last time."""
        end = time.monotonic() + WAIT_S
        while True:
            seen: list[str] = (await self.browser.run("return seenBy(arguments[0])", self.user))[self.read :]
            rest = iter(seen)
            if all(one in rest for one in wanted):
                self.read += len(seen)
                return seen
            assert time.monotonic() < end, f"JsSIP {self.user} has seen {seen}, expected {wanted}"
            await asyncio.sleep(0.02)


@dataclass
class Page:
    """The server and the browser with its page."""

    plateau: Plateau
    browser: Browser
    server: str
    rtp_port: int

    async def phone(self, user: str, password: str = "wire") -> WebPhone:
        await self.browser.run("startPhone(...arguments)", user, password, self.server, self.rtp_port)
        phone = WebPhone(self.browser, user)
        await phone.sees("connected")
        return phone


async def bundle(folder: Path) -> None:
    """JsSIP comes as CommonJS: make it one script."""
    bundler = JSSIP / "node_modules" / ".bin" / "esbuild"
    assert bundler.exists(), "expected JsSIP: npm ci --prefix tests/wire/jssip"
    process = await asyncio.create_subprocess_exec(
        bundler, JSSIP / "phone.js", "--bundle", "--log-level=warning", f"--outfile={folder}/phone.js"
    )
    assert await process.wait() == 0
    (folder / "index.html").write_text(PAGE)


def fingerprint(certificate: str) -> str:
    """What Chromium knows a key by."""
    key = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return base64.b64encode(digest).decode()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    folder = tmp_path_factory.mktemp("jssip")
    await bundle(folder)
    application = web.Application()
    application.router.add_static("/", folder)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"

    echo, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, ("127.0.0.1", 0))
    certificate, key = Authority(folder).issue("server", "127.0.0.1")
    udp, wss = free_port(), free_port()
    listen = {
        "sip": [f"udp:127.0.0.1:{udp}", f"wss:127.0.0.1:{wss}"],
        "tls": {"certificate": certificate, "key": key}, "origins": origin,
        "digest": ["MD5"],  # JsSIP takes the last challenge and gives up when it is another
    }  # fmt: skip
    trusted = f"--ignore-certificate-errors-spki-list={fingerprint(certificate)}"
    async with (
        Plateau(OFFICE, changes={"listen": listen}, sip_port=udp) as plateau,
        open_browser(folder / "profile", trusted) as browser,
    ):
        await browser.go(f"{origin}/index.html")
        yield Page(plateau, browser, f"wss://127.0.0.1:{wss}/", echo.get_extra_info("sockname")[1])
        assert await browser.complaints() == []
    assert plateau.exit_status == 0
    echo.close()
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def page(running_page: Page) -> AsyncIterator[Page]:
    """The page; afterwards no call may be left and no error in the server's log."""
    before = len(running_page.plateau.log)
    yield running_page
    await running_page.plateau.until_idle()
    said = list(running_page.plateau.log)[before:]
    assert not [line for line in said if "Traceback" in line or "Error" in line], "\n".join(said)


@pytest_asyncio.fixture(loop_scope="session")
async def phone(page: Page) -> AsyncIterator[WebPhone]:
    """Extension 101 in the browser."""
    phone = await page.phone("101")
    await phone.tell("register")
    await phone.sees("registered")
    yield phone
    await phone.tell("unregister")
    await phone.sees("unregistered")
    await phone.tell("stop")


@pytest_asyncio.fixture(loop_scope="session")
async def desk(page: Page, baresip: Softphones) -> AsyncIterator[Phone]:
    """Extension 107, baresip by UDP, with a tone."""
    desk = await baresip.phone("107", server=page.plateau.sip, password="wire", policy=answer(50), tone_hz=TONE_HZ)
    assert await desk.register() == 200
    yield desk
    await desk.unregister()


async def test_registers(page: Page, phone: WebPhone) -> None:
    (known,) = (await page.plateau.get("/v1/phones"))["phones"]
    assert known["extension"] == "101" and known["contacts"][0]["hop"].startswith("wss:127.0.0.1:")


async def test_a_wrong_password(page: Page) -> None:
    phone = await page.phone("102", "guess")
    await phone.tell("register")
    await phone.sees("registration failed: Rejected")
    await phone.tell("stop")


async def test_calls_and_hangs_up(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.sees("progress 180", "accepted", "confirmed")
    assert (await there.hear(TONE_HZ)).heard  # its own, back from the page
    await phone.tell("hangUp")
    await there.ended()
    await phone.sees("ended local Terminated")


async def test_calls_and_is_hung_up(phone: WebPhone, desk: Phone) -> None:
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.sees("confirmed")
    await there.hang_up()
    await phone.sees("ended remote Terminated")


async def test_cancels(phone: WebPhone, desk: Phone) -> None:
    await desk.policy(ring_only())
    await phone.tell("call", "107")
    there = await desk.next_call()
    await phone.sees("progress 180")
    await phone.tell("hangUp")
    await there.ended()
    await phone.sees("failed local Canceled")


async def test_is_refused(phone: WebPhone, desk: Phone) -> None:
    await desk.policy(reject(486))
    await phone.tell("call", "107")
    await phone.sees("failed remote Busy")


async def test_is_called_and_hangs_up(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await call.until(lambda call: call.ringing_at)
    await phone.tell("answer")
    await call.established()
    await phone.sees("accepted", "confirmed")
    assert (await call.hear(TONE_HZ)).heard
    await phone.tell("hangUp")
    await call.ended()


async def test_is_called_and_hung_up(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("answer")
    await call.established()
    await phone.sees("confirmed")
    await call.hang_up()
    await phone.sees("ended remote Terminated")


async def test_is_called_in_vain(phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await call.until(lambda call: call.ringing_at)
    await call.hang_up()
    await phone.sees("failed remote Canceled")
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
    await phone.sees("confirmed")
    await phone.tell("hold")
    await phone.sees("held")
    await phone.tell("resume")
    await phone.sees("resumed")
    assert (await there.hear(TONE_HZ)).heard
    await phone.tell("hangUp")
    await there.ended()


async def test_presses_keys(phone: WebPhone, desk: Phone) -> None:
    """By INFO, which is all it has without WebRTC's sound: key 1 of the menu reaches 107."""
    await phone.tell("call", "1003")
    await phone.sees("confirmed")
    await phone.tell("press", "1")
    there = await desk.next_call()
    await there.established()
    await phone.tell("hangUp")
    await there.ended()


async def test_transfers(page: Page, phone: WebPhone, desk: Phone) -> None:
    call = await desk.call("101")
    await phone.sees("call from 107")
    await phone.tell("answer")
    await call.established()
    await phone.sees("confirmed")
    await phone.tell("transfer", "1001")
    await phone.sees("transfer requestSucceeded", "transfer accepted")
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
    await call.hang_up()
    await call.ended()
    phone.read = back.read  # it is the same extension
