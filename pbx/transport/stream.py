"""SIP over TCP: connections by remote address, framed (RFC 3261 18.2, 18.3)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from pbx.sip.errors import SipError
from pbx.sip.framing import PING, PONG, Framer
from pbx.sip.hop import Hop

PARTIAL_S = 10.0  # how long half a message may stand (slow loris)
WRITE_LIMIT_BYTES = 1 << 20  # unsent bytes after which a peer that does not read is cut off
WAITING = 64  # messages that may wait for a connection being made
CONNECT_S = 5.0
LINGER_S = 2.0  # how long the last words may take to a peer that is being cut off


class Stream(asyncio.Protocol):
    """One connection."""

    def __init__(self, streams: Streams, listener: int) -> None:
        self._streams = streams
        self._listener = listener
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.hop = Hop("tcp", "", 0, listener)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        peer = transport.get_extra_info("peername")
        if not peer:  # gone again already
            self._transport.abort()
            return
        self.hop = Hop("tcp", peer[0], peer[1], self._listener)
        self._streams.add(self)

    def data_received(self, data: bytes) -> None:
        complete = False
        try:
            for message in self._framer.feed(data):
                complete = True
                if message == PING:
                    self.send(PONG)
                else:
                    self._streams.receive(message, self.hop)
        except SipError as error:
            self._streams.counters["tcp_unframeable"] += 1
            if isinstance(error.message, bytes):
                self._streams.receive(error.message, self.hop)  # the head alone: it is answered with 413
            self.close()
            return
        if complete or not self._framer.partial:  # drops of a message don't move its deadline
            self._cancel_deadline()
        if self._framer.partial and self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(PARTIAL_S, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        self._streams.counters["tcp_partial_timeouts"] += 1
        self.close()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    @property
    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def send(self, data: bytes) -> None:
        if self.closing:
            self._streams.counters["tcp_sends_lost"] += 1
            return
        assert self._transport is not None
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > WRITE_LIMIT_BYTES:
            self._streams.counters["tcp_slow_readers"] += 1
            self._streams.remove(self)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        self._streams.remove(self)

    def close(self) -> None:
        """What was written still goes out, if the peer reads it soon; what comes later needs a new connection."""
        self._streams.remove(self)
        if not self.closing:
            assert self._transport is not None
            self._cancel_deadline()
            self._deadline = asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)
            self._transport.close()


class Streams:
    """All TCP connections and the listeners they come by. `failed(hop)` tells that what was sent can't arrive,
    `on_closed(hop)` that a connection is over."""

    def __init__(
        self,
        receive: Callable[[bytes, Hop], None],
        failed: Callable[[Hop], None],
        counters: Counter[str],
        limit: int = 4096,
    ) -> None:
        self.receive = receive
        self.counters = counters
        self.on_closed: Callable[[Hop], None] = lambda hop: None
        self._failed = failed
        self._limit = limit
        self._open: dict[tuple[str, int], Stream] = {}
        self._waiting: dict[tuple[str, int], list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, hop: Hop) -> bool:
        """Whether there is a connection to `hop`."""
        return (hop.host, hop.port) in self._open

    async def listen(self, host: str, port: int, listener: int) -> tuple[str, int]:
        server = await asyncio.get_running_loop().create_server(lambda: Stream(self, listener), host, port)
        self._servers.append(server)
        address = server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    def add(self, stream: Stream) -> None:
        if len(self._open) >= self._limit:
            self.counters["tcp_connections_refused"] += 1
            stream.close()
            return
        self._open[stream.hop.host, stream.hop.port] = stream

    def remove(self, stream: Stream) -> None:
        key = (stream.hop.host, stream.hop.port)
        if self._open.get(key) is stream:
            del self._open[key]
            self.on_closed(stream.hop)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send on the connection to `hop`, making one first if need be."""
        key = (hop.host, hop.port)
        stream = self._open.get(key)
        if stream is not None:
            stream.send(data)
            return
        waiting = self._waiting.get(key)
        if waiting is not None:
            if len(waiting) < WAITING:
                waiting.append(data)
            else:
                self.counters["tcp_waiting_dropped"] += 1
            return
        self._waiting[key] = [data]
        task = asyncio.get_running_loop().create_task(self._connect(hop))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, hop: Hop) -> None:
        key = (hop.host, hop.port)
        try:
            async with asyncio.timeout(CONNECT_S):
                _, stream = await asyncio.get_running_loop().create_connection(
                    lambda: Stream(self, hop.listener), hop.host, hop.port
                )
        except (OSError, TimeoutError):
            del self._waiting[key]
            self.counters["tcp_connect_failures"] += 1
            self._failed(hop)
            return
        waiting = self._waiting.pop(key)
        if stream.closing:  # one too many, or gone again
            self._failed(hop)
        for data in waiting:
            stream.send(data)

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        for stream in list(self._open.values()):
            stream.close()
        await asyncio.sleep(0)  # let the transports close
