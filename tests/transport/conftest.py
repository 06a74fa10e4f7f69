"""A driver on free ports of the loopback, and peers that speak to it by plain sockets, on both event loops."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction
from pbx.transport.driver import Driver
from pbx.transport.streams import Limits
from pbx.transport.tls import TlsFiles

from .certificates import Authority

PATIENCE_S = 30.0


class EchoCore:
    """Answers everything with 200 and notes it."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.requests: list[tuple[Request, Hop]] = []
        self.silent = False

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.requests.append((request, transaction.source))
        if not self.silent:
            transaction.respond(200, now, to_tag="t")

    def on_stateless(self, request: Request, hop: Hop, via: str, now: float) -> bool:
        return False

    def on_ack(self, request: Request, hop: Hop, now: float) -> None: ...


class Rig:
    """One driver with its core."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.driver = Driver(self.counters)
        self.core = EchoCore(self.driver)
        self.driver.layer.core = self.core

    def port(self, transport: str) -> int:
        return self.driver.local.listeners[transport][0][1]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 (what is waited for has no event)
                await asyncio.sleep(0.002)


@asynccontextmanager
async def rig(
    *transports: str, host: str = "127.0.0.1", tls: TlsFiles | None = None, limits: Limits | None = None
) -> AsyncIterator[Rig]:
    """Listens by each transport; `host` unless one brings its own, as `udp:::1`."""
    made = Rig()
    listeners = [one.partition(":") for one in transports]
    await made.driver.listen([(name, own or host, 0) for name, _, own in listeners], tls=tls, limits=limits)
    try:
        yield made
    finally:
        await made.driver.close()
        await asyncio.sleep(0.01)


class Peer:
    """One TCP connection to the driver."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def hop(self) -> Hop:
        transport = "tcp" if self.writer.get_extra_info("ssl_object") is None else "tls"
        return Hop(transport, *self.writer.get_extra_info("sockname")[:2])

    async def read(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(size)

    async def message(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def is_cut_off(self) -> bool:
        """And nothing is said but, perhaps, an alert of TLS."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return (await self.reader.read())[:1] in (b"", b"\x15")
            except (ConnectionError, ssl.SSLError):
                return True


@asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, name: str | None = None
) -> AsyncIterator[Peer]:
    """A peer that called us; `name` is the one it wants to see in the certificate."""
    server_hostname = (name or host) if tls is not None else None
    peer = Peer(*await asyncio.open_connection(host, port, ssl=tls, server_hostname=server_hostname))
    try:
        yield peer
    finally:
        peer.writer.close()
        try:
            await peer.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass


def trusting(authority: Authority, *certificate: str) -> ssl.SSLContext:
    """A client's context; it shows `certificate` (files of certificate and key)."""
    context = ssl.create_default_context(cafile=authority.file)
    if certificate:
        context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    """What the server shows; it trusts the authority."""
    certificate, key = authority.issue("server", "pbx.example.com", "127.0.0.1", "::1")
    return TlsFiles(certificate, key, ca=authority.file)


def request(method: str = "OPTIONS", number: int = 1, transport: str = "TCP", body: bytes = b"") -> bytes:
    return (
        f"{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:x@b>\r\nCall-ID: {number}\r\nCSeq: 1 {method}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine function on one of the two event loops."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.SelectorEventLoop

    def runner(main: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            problems: list[dict[str, object]] = []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
            await main()
            await asyncio.sleep(0)
            assert problems == []

        with asyncio.Runner(loop_factory=factory) as one:
            one.run(whole())

    return runner
