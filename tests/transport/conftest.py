"""A driver on free ports of the loopback, and peers that speak to it by plain sockets, on both event loops."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction
from pbx.transport.driver import Driver

PATIENCE_S = 5.0


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
async def rig(*transports: str, host: str = "127.0.0.1") -> AsyncIterator[Rig]:
    made = Rig()
    await made.driver.listen([(transport, host, 0) for transport in transports])
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
        return Hop("tcp", *self.writer.get_extra_info("sockname")[:2])

    async def read(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(size)

    async def message(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def is_cut_off(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@asynccontextmanager
async def connected(port: int, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    peer = Peer(*await asyncio.open_connection(host, port))
    try:
        yield peer
    finally:
        peer.writer.close()
        try:
            await peer.writer.wait_closed()
        except ConnectionError:
            pass


def request(method: str = "OPTIONS", number: int = 1, transport: str = "TCP", body: bytes = b"") -> bytes:
    return (
        f"{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:x@b>\r\nCall-ID: {number}\r\nCSeq: 1 {method}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
