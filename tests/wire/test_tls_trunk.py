"""A trunk known by the name in its certificate (`tls_name`), over real handshakes."""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.ports import free_port
from tests.transport.certificates import Authority
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

CARRIER = "sip.carrier.example"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"

Certificate = tuple[str, str]


@dataclass
class Site:
    """The server, and the authority that it believes of those who call."""

    plateau: Plateau
    port: int
    authority: Authority
    trust: Callable[[], ssl.SSLContext]

    @asynccontextmanager
    async def line(self, certificate: Certificate | None) -> AsyncIterator[Line]:
        context = self.trust()
        if certificate is not None:
            context.load_cert_chain(*certificate)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@dataclass
class Line:
    """A peer that writes its messages by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, method: str, cseq: int, branch: str, to: str, body: str = "") -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.writer.write(
            f"{method} sip:1001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK{branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:+33612345678@carrier.example>;tag=a\r\nTo: {to}\r\n"
            f"Call-ID: {branch[:8]}\r\nCSeq: {cseq} {method}\r\nContact: <sip:127.0.0.1:9;transport=tls>\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    async def answer(self) -> str:
        """The next final response."""
        while True:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            length = int(re.search(r"Content-Length: (\d+)", head)[1])  # type: ignore[index]
            await self.reader.readexactly(length)
            if not head.startswith("SIP/2.0 1"):
                return head

    async def call(self) -> str:
        """What an INVITE to the echo gets; a call that stands is ended again."""
        branch = secrets.token_hex(4)
        async with asyncio.timeout(30):
            return await self._call(branch)

    async def _call(self, branch: str) -> str:
        self.say("INVITE", 1, f"{branch}i", "<sip:1001@127.0.0.1>", SDP)
        answer = await self.answer()
        to = re.search(r"\r\nTo: ([^\r]*)", answer)[1]  # type: ignore[index]
        self.say("ACK", 1, f"{branch}{'a' if answer.startswith('SIP/2.0 200') else 'i'}", to)
        if answer.startswith("SIP/2.0 200"):
            self.say("BYE", 2, f"{branch}b", to)
            assert (await self.answer()).startswith("SIP/2.0 200")
        return answer.partition("\r\n")[0]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("tls-trunk")
    ours, theirs = Authority(folder), Authority(folder, "carriers")
    certificate, key = ours.issue("server", "127.0.0.1")
    port = free_port()
    tls = {"certificate": certificate, "key": key, "client_ca": theirs.file, "client_certificates": "optional"}
    changes = {
        "listen": {"sip": f"tls:127.0.0.1:{port}", "tls": tls}, "trunks": {"carrier": {"tls_name": [CARRIER.upper()]}},
    }  # fmt: skip
    async with Plateau(OFFICE, changes=changes) as plateau:
        yield Site(plateau, port, theirs, lambda: ssl.create_default_context(cafile=ours.file))
        await plateau.until_idle()
    assert plateau.exit_status == 0


@pytest.mark.parametrize("names", [(CARRIER,), ("other.example", f"sip:{CARRIER}")], ids=["dns", "uri"])
async def test_its_call_needs_no_password(site: Site, names: tuple[str, ...]) -> None:
    """RFC 5922 7.1: the name stands in subjectAltName, as a DNS name or as a SIP URI."""
    async with site.line(site.authority.issue("carrier", *names)) as line:
        assert await line.call() == "SIP/2.0 200 OK"

    async def recorded() -> bool:
        return any(cdr["trunk"] == "carrier" for cdr in (await site.plateau.get("/v1/cdrs"))["cdrs"])

    await eventually(recorded)


@pytest.mark.parametrize(
    "names", [("other.example",), (f"www.{CARRIER}",), ("*.carrier.example",)], ids=["other", "below", "star"]
)
async def test_another_name_is_a_stranger(site: Site, names: tuple[str, ...]) -> None:
    """RFC 5922 7.2: wildcards are not for SIP."""
    async with site.line(site.authority.issue("stranger", *names)) as line:
        assert await line.call() == "SIP/2.0 401 Unauthorized"


async def test_a_common_name_does_not_count_beside_others(site: Site) -> None:
    """RFC 5922 7.1: it is looked at only where there is no other."""
    async with site.line(site.authority.issue("both", "other.example", common=CARRIER)) as line:
        assert await line.call() == "SIP/2.0 401 Unauthorized"
    async with site.line(site.authority.issue("alone", common=CARRIER)) as line:
        assert await line.call() == "SIP/2.0 200 OK"


async def test_nobody_who_shows_none(site: Site) -> None:
    async with site.line(None) as line:
        assert await line.call() == "SIP/2.0 401 Unauthorized"


async def test_another_authority_makes_no_carrier(site: Site, tmp_path: Path) -> None:
    """Not a word of SIP: the handshake fails, and is counted."""
    failures = await site.plateau.counter("plateau_tls_handshake_failures_total")
    with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
        async with site.line(Authority(tmp_path, "forger").issue("carrier", CARRIER)) as line:
            await line.call()

    async def counted() -> bool:
        return await site.plateau.counter("plateau_tls_handshake_failures_total") == failures + 1

    await eventually(counted)
