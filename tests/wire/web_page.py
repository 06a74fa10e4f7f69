"""A web page with SIP phones in headless Chromium, over WSS: JsSIP's or SIP.js's, whichever script is loaded.

JsSIP's sound is the browser's: ICE, DTLS-SRTP, a fake microphone that beeps. SIP.js has a small fake in the place of
WebRTC's media that offers and answers plain RTP/AVP; its port is one of the test, which echoes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.plateau import Plateau
from bench.ports import free_port
from bench.softphones import Phone, Softphones, answer
from tests.transport.certificates import Authority
from tests.wire.browser import Browser, open_browser
from tests.wire.conftest import HERE, OFFICE

WEBPHONES = HERE / "webphones"
WAIT_S = 30.0
TONE_HZ = 620
FAKE_DEVICES = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script src="phone.js"></script>'


class Echo(asyncio.DatagramProtocol):
    """Sends back what comes: the sound of the fake."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        self._transport.sendto(data, source)


@dataclass(frozen=True)
class Library:
    """A script of `webphones`, what its site has besides, and what it says when something happened."""

    name: str
    says: Mapping[str, tuple[str, ...]]
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


JSSIP = Library(
    "jssip",
    {
        "wrong password": ("registration failed: Rejected",), "ringing": ("progress 180",),
        "established": ("accepted", "confirmed"), "hung up": ("ended local Terminated",),
        "was hung up": ("ended remote Terminated",), "cancelled": ("failed local Canceled",),
        "was refused": ("failed remote Busy",), "was cancelled": ("failed remote Canceled",),
        "transferred": ("transfer requestSucceeded", "transfer accepted"),
    },
    {"media": {"srtp": "optional"}},
)  # fmt: skip
SIPJS = Library(
    "sipjs",
    {
        "wrong password": ("registration failed: 403",), "ringing": ("answer 180",), "established": ("established",),
        "was refused": ("terminated", "answer 486"), "transferred": ("transfer accepted", "transfer SIP/2.0 200 OK"),
        **dict.fromkeys(("hung up", "was hung up", "cancelled", "was cancelled"), ("terminated",)),
    },
)  # fmt: skip


@dataclass
class WebPhone:
    """One user agent in the page."""

    browser: Browser
    user: str
    library: Library
    read: int = 0  # of what it has seen

    async def tell(self, verb: str, *rest: object) -> None:
        await self.browser.run("tell(...arguments)", self.user, verb, *rest)

    async def notices(self, *happened: str) -> None:
        """Wait until its library says so, in its words."""
        await self.sees(*(word for what in happened for word in self.library.says[what]))

    async def sees(self, *wanted: str) -> list[str]:
        """Wait until it has seen all of these, in this order; what came since the last time."""
        end = time.monotonic() + WAIT_S
        while True:
            seen: list[str] = (await self.browser.run("return seenBy(arguments[0])", self.user))[self.read :]
            rest = iter(seen)
            if all(one in rest for one in wanted):
                self.read += len(seen)
                return seen
            assert time.monotonic() < end, f"{self.user} has seen {seen}, expected {wanted}"
            await asyncio.sleep(0.02)


@dataclass
class Page:
    """The server and the browser with its page."""

    plateau: Plateau
    browser: Browser
    server: str
    rtp_port: int
    library: Library

    async def phone(self, user: str, password: str = "wire") -> WebPhone:
        await self.browser.run("startPhone(...arguments)", user, password, self.server, self.rtp_port)
        phone = WebPhone(self.browser, user, self.library)
        await phone.sees("connected")
        return phone


async def bundle(script: str, folder: Path) -> None:
    """The libraries come as modules: make it one script."""
    bundler = WEBPHONES / "node_modules" / ".bin" / "esbuild"
    assert bundler.exists(), "expected JsSIP and SIP.js: npm ci --prefix tests/wire/webphones"
    process = await asyncio.create_subprocess_exec(
        bundler, WEBPHONES / script, "--bundle", "--log-level=warning", f"--outfile={folder}/phone.js"
    )
    assert await process.wait() == 0
    (folder / "index.html").write_text(PAGE)


def fingerprint(certificate: str) -> str:
    """What Chromium knows a key by."""
    key = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return base64.b64encode(digest).decode()


@asynccontextmanager
async def open_page(library: Library, folder: Path, changes: Mapping[str, Any] | None = None) -> AsyncIterator[Page]:
    """A server of its own, with `changes` of its site, and a page with the library."""
    await bundle(f"{library.name}.js", folder)
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
        "digest": ["MD5"],  # JsSIP takes the last challenge, SIP.js the first, and both know MD5 alone
    }  # fmt: skip
    site = {"listen": listen, **(library.changes if changes is None else changes)}
    trusted = f"--ignore-certificate-errors-spki-list={fingerprint(certificate)}"
    async with (
        Plateau(OFFICE, changes=site, sip_port=udp) as plateau,
        open_browser(folder / "profile", trusted, *FAKE_DEVICES) as browser,
    ):
        await browser.go(f"{origin}/index.html")
        yield Page(plateau, browser, f"wss://127.0.0.1:{wss}/", echo.get_extra_info("sockname")[1], library)
        assert await browser.complaints() == []
    assert plateau.exit_status == 0
    echo.close()
    await runner.cleanup()


@asynccontextmanager
async def left_clean(page: Page) -> AsyncIterator[Page]:
    """Afterwards no call may be left and no error in the server's log."""
    before = len(page.plateau.log)
    yield page
    await page.plateau.until_idle()
    said = list(page.plateau.log)[before:]
    assert not [line for line in said if "Traceback" in line or "Error" in line], "\n".join(said)


@asynccontextmanager
async def registered(page: Page) -> AsyncIterator[WebPhone]:
    """Extension 101 in the browser."""
    phone = await page.phone("101")
    await phone.tell("register")
    await phone.sees("registered")
    yield phone
    await phone.tell("unregister")
    await phone.sees("unregistered")
    await phone.tell("stop")


@asynccontextmanager
async def desk_phone(page: Page, baresip: Softphones) -> AsyncIterator[Phone]:
    """Extension 107, baresip by UDP, with a tone."""
    desk = await baresip.phone("107", server=page.plateau.sip, password="wire", policy=answer(50), tone_hz=TONE_HZ)
    assert await desk.register() == 200
    yield desk
    await desk.unregister()
