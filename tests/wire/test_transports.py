"""Phones by TLS, a browser by WSS and a phone by IPv6 at one server: registered with digest, called, and back."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import re
import shutil
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bench.plateau import Plateau
from bench.ports import free_port
from bench.softphones import Softphones, answer
from tests.transport.certificates import Authority
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


class Line:
    """A phone that writes its messages by hand, over whatever carries them."""

    def __init__(
        self, user: str, transport: str, sent_by: str, send: Callable[[bytes], Awaitable[None]],
        receive: Callable[[], Awaitable[str]],
    ) -> None:  # fmt: skip
        self.user, self.sent_by, self.transport = user, sent_by, transport
        self.send, self.receive = send, receive
        parameter = {"WSS": "ws"}.get(transport, transport.lower())
        self.contact = f"<sip:{user}@{sent_by};transport={parameter}>"
        self.cseq = 0

    async def ask(self, method: str, to: str, extra: str = "", body: str = "") -> str:
        """Send a request; its first response but 100, with the challenge answered."""
        answer = await self._ask(method, to, extra, body)
        if answer.startswith(("SIP/2.0 401", "SIP/2.0 407")):
            answer = await self._ask(method, to, extra + self._login(method, to, answer), body)
        return answer

    async def _ask(self, method: str, to: str, extra: str, body: str) -> str:
        self.cseq += 1
        branch = f"z9hG4bK{self.user}{method}{self.cseq}"
        uri = "sip:127.0.0.1" if method == "REGISTER" else f"sip:{to}@127.0.0.1"
        head = (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{self.transport} {self.sent_by};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{self.user}@127.0.0.1>;tag=a\r\nTo: <sip:{to}@127.0.0.1>\r\n"
            f"Call-ID: {self.user}-{method}\r\nCSeq: {self.cseq} {method}\r\nContact: {self.contact}\r\n{extra}"
        )
        await self.send(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        while True:
            answer = await self.receive()
            if branch in answer and not answer.startswith("SIP/2.0 100"):
                return answer

    def _login(self, method: str, to: str, challenge: str) -> str:
        realm, nonce = (re.search(rf'{name}="([^"]*)"', challenge)[1] for name in ("realm", "nonce"))  # type: ignore[index]
        uri = "sip:127.0.0.1" if method == "REGISTER" else f"sip:{to}@127.0.0.1"

        def md5(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        proof = md5(md5(self.user, realm, "wire"), nonce, "00000001", "c", "auth", md5(method, uri))
        header = "Authorization" if challenge.startswith("SIP/2.0 401") else "Proxy-Authorization"
        return (
            f'{header}: Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=MD5, '
            f'qop=auth, nc=00000001, cnonce="c", response="{proof}"\r\n'
        )

    async def refuse(self, status: str) -> str:
        """Answer the INVITE that comes; it."""
        while not (invite := await self.receive()).startswith("INVITE "):
            pass
        kept = [line for line in invite.split("\r\n") if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
        to = re.search(r"\r\n(To:[^\r]*)", invite)[1]  # type: ignore[index]
        await self.send("\r\n".join([f"SIP/2.0 {status}", *kept, f"{to};tag=b", "Content-Length: 0", "", ""]).encode())
        return invite


@asynccontextmanager
async def tls_line(port: int, trust: ssl.SSLContext, user: str) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)

    async def send(data: bytes) -> None:
        writer.write(data)

    async def receive() -> str:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        return (head + await reader.readexactly(length)).decode()

    yield Line(user, "TLS", "127.0.0.1:9", send, receive)
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def browser_line(port: int, trust: ssl.SSLContext, user: str) -> AsyncIterator[Line]:
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"wss://127.0.0.1:{port}/", protocols=("sip",), ssl=trust) as socket:

            async def send(data: bytes) -> None:
                await socket.send_str(data.decode())

            yield Line(user, "WSS", "df7jal23ls0d.invalid", send, socket.receive_str)


@asynccontextmanager
async def ipv6_line(port: int, user: str) -> AsyncIterator[Line]:
    heard: asyncio.Queue[str] = asyncio.Queue()

    class Ears(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            heard.put_nowait(data.decode())

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Ears, ("::1", 0), ("::1", port))

    async def send(data: bytes) -> None:
        transport.sendto(data)

    yield Line(user, "UDP", f"[::1]:{transport.get_extra_info('sockname')[1]}", send, heard.get)
    transport.close()


SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


async def test_every_transport_at_one_server(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "127.0.0.1")
    udp, tls, wss = free_port(), free_port(), free_port()
    listen = {
        "sip": [f"udp:127.0.0.1:{udp}", f"udp:[::1]:{udp}", f"tls:127.0.0.1:{tls}", f"wss:127.0.0.1:{wss}"],
        "tls": {"certificate": certificate, "key": key},
    }
    trust = ssl.create_default_context(cafile=authority.file)
    async with Plateau(OFFICE, changes={"listen": listen}) as plateau, asyncio.timeout(60):
        async with (
            tls_line(tls, trust, "101") as phone, browser_line(wss, trust, "102") as browser,
            ipv6_line(udp, "105") as six,
        ):  # fmt: skip
            for line in (phone, browser, six):
                answer = await line.ask("REGISTER", line.user)
                assert answer.startswith("SIP/2.0 200") and line.contact in answer, answer
            for caller, called, address in (
                (phone, browser, "IN IP4 127.0.0.1"), (browser, six, "IN IP6 ::1"), (six, phone, "IN IP4 127.0.0.1"),
            ):  # fmt: skip
                description = "Content-Type: application/sdp\r\n"
                calling = asyncio.create_task(caller.ask("INVITE", called.user, description, SDP))
                invite = await called.refuse("486 Busy Here")
                assert f"Via: SIP/2.0/{called.transport} " in invite and f"c={address}" in invite
                assert (await calling).startswith("SIP/2.0 486"), invite
        assert await plateau.counter("plateau_tls_handshake_failures_total") == 0
    assert plateau.exit_status == 0


async def test_new_certificates_on_sighup(tmp_path: Path) -> None:
    """Who calls now sees the new ones; who is connected stays so. Wrong ones are told of, and the old ones stay."""
    first = Authority(tmp_path)
    certificate, key = first.issue("server", "127.0.0.1")
    port = free_port()
    listen = {"sip": f"tls:127.0.0.1:{port}", "tls": {"certificate": certificate, "key": key}}
    async with Plateau(OFFICE, changes={"listen": listen}) as plateau, asyncio.timeout(60):
        trust = ssl.create_default_context(cafile=first.file)
        async with tls_line(port, trust, "101") as old:
            assert (await old.ask("REGISTER", "101")).startswith("SIP/2.0 200")
            second = Authority(tmp_path, "second")
            second.issue("server", "127.0.0.1")
            plateau.signal(signal.SIGHUP)
            await eventually(lambda: said(plateau, "site file reloaded", 1))
            other = ssl.create_default_context(cafile=second.file)
            async with tls_line(port, other, "102") as new:
                assert (await new.ask("REGISTER", "102")).startswith("SIP/2.0 200")
                assert (await old.ask("REGISTER", "101")).startswith("SIP/2.0 200")
            shutil.copy(first.file, certificate)
            plateau.signal(signal.SIGHUP)
            await eventually(lambda: said(plateau, "certificates not reloaded", 1))
            async with tls_line(port, other, "103") as new:
                assert (await new.ask("REGISTER", "103")).startswith("SIP/2.0 200")
    assert plateau.exit_status == 0 and not await said(plateau, "needs a restart", 1)


async def test_a_certificate_that_is_over_is_told_of(tmp_path: Path) -> None:
    """At start, which it does not hinder, and on SIGHUP until there is a new one."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "127.0.0.1", valid=dt.timedelta(days=-2))
    listen = {"sip": f"tls:127.0.0.1:{free_port()}", "tls": {"certificate": certificate, "key": key}}
    async with Plateau(OFFICE, changes={"listen": listen}) as plateau, asyncio.timeout(60):
        assert await said(plateau, "a certificate has ended", 1)
        assert -3 < await plateau.counter("plateau_tls_certificate_days") < -1
        plateau.signal(signal.SIGHUP)
        await eventually(lambda: said(plateau, "a certificate has ended", 2))
        authority.issue("server", "127.0.0.1", valid=dt.timedelta(days=90))
        plateau.signal(signal.SIGHUP)
        await eventually(lambda: said(plateau, "site file reloaded", 2))
        assert 89 < await plateau.counter("plateau_tls_certificate_days") < 90
        assert not await said(plateau, "a certificate has ended", 3)
    assert plateau.exit_status == 0


async def said(plateau: Plateau, words: str, times: int) -> bool:
    return sum(words in line for line in plateau.log) >= times


async def test_softphones_by_tcp_and_tls(tmp_path: Path, pjsip: Softphones, baresip: Softphones) -> None:
    """PJSIP by TCP calls baresip by TLS, which hears its own tone back."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "127.0.0.1")
    tcp, tls = free_port(), free_port()
    sockets = {"sip": [f"tcp:127.0.0.1:{tcp}", f"tls:127.0.0.1:{tls}"], "tls": {"certificate": certificate, "key": key}}
    async with Plateau(OFFICE, changes={"listen": sockets}) as plateau, asyncio.timeout(60):
        looper = await pjsip.phone("107", server=f"127.0.0.1:{tcp}", password="wire", transport="tcp", loops=True)
        listener = await baresip.phone(
            "110", server=f"127.0.0.1:{tls}", password="wire", transport="tls", tone_hz=620, policy=answer(),
        )
        assert await looper.register() == 200 and await listener.register() == 200
        call = await looper.call("110")
        there = await listener.next_call()
        await call.established()
        assert (await there.hear(620)).heard
        await there.hang_up()
        await call.ended()
        await plateau.until_idle()
        await looper.unregister()
        await listener.unregister()
