"""All connections: found by their far end, made when needed, limited, kept alive (RFC 3261 18, RFC 5626, RFC 5923)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pbx.sip.errors import SipError
from pbx.sip.hop import DEFAULT_PORT, WEB, Hop
from pbx.sip.source import source_of
from pbx.sip.via import top_via
from pbx.transport.handshakes import Handshakes
from pbx.transport.stream import TURN_BYTES, Bare, Framing, Stream
from pbx.transport.tls import Tls, TlsChannel, TlsFiles
from pbx.transport.websocket import WebSocket

log = structlog.get_logger("pbx.transport")

WAITING = 64  # messages that may wait for a connection being made
CONNECT_S = 5.0
BRIEF_S = 1.0  # when UDP would do as well
SWEEP_S = 5.0  # how often connections are looked at
SILENT_S = 30.0  # how long one may stand without its first message
PING_S = 100.0  # RFC 5626 4.4.1: 95 to 120 s between keep-alives of a connection that we made
PING_WEB_S = 30.0  # a browser sends none by itself, and proxies between are impatient
LOG_S = 1.0  # a failed handshake is worth a line this often
BACKLOG = 1024  # phones that come back at once

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the site allows."""

    max_connections: int = 10_000
    max_connections_per_address: int = 100
    idle_s: float = 900.0  # a connection on which nothing at all came for so long is closed
    udp_max_bytes: int = 1300  # a request above it goes by TCP (RFC 3261 18.1.1)
    origins: tuple[str, ...] = ()  # of web pages that may connect; all when empty
    handshakes_at_once: int = 1000  # TLS, of all who come together
    handshakes_per_s: float = 300.0


class Streams:
    """The connections and the listeners they come by. `failed(hop, sent)` tells that no answer will come: nothing got
    through, or (`sent`) something may have. `on_closed(hop)` tells that a connection is over."""

    def __init__(
        self, receive: Callable[[bytes, Hop], None], failed: Callable[[Hop, bool], None], counters: Counter[str]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.receive = receive
        self.counters = counters
        self.limits = Limits()
        self.tls: Tls | None = None
        self.admits: Callable[[bytes, Hop], bool] | None = None  # asked for each connection that comes, with no data
        self.source: Callable[[Hop], str | None] = lambda hop: None  # the address of ours to call a hop from
        self.on_closed: Callable[[Hop], None] = lambda hop: None
        self.reading = memoryview(bytearray(TURN_BYTES))  # of all: what is read is taken out at once
        self._failed = failed
        self.handshakes = Handshakes()
        self._all: set[Stream] = set()
        self._open: dict[Key, Stream] = {}
        self._per_address: Counter[str] = Counter()  # that came, by `source_of`
        self._waiting: dict[Key, list[bytes]] = {}
        self._brief: set[Key] = set()  # where a connection is about to be made for which there is not much time
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._logged_at = float("-inf")
        self._closing = False

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, hop: Hop) -> bool:
        """Whether there is a connection to `hop`."""
        return hop[:3] in self._open

    def peer_names(self, hop: Hop) -> tuple[str, ...]:
        """Who the far end of a connection is, by its verified certificate."""
        stream = self._open.get(hop[:3])
        return () if stream is None else stream.peer_names

    # --- that come --------------------------------------------------------------------------------------------------

    async def listen(self, transport: str, host: str, port: int, listener: int) -> tuple[str, int]:
        hop = Hop(transport, "", 0, listener)
        server = await self.loop.create_server(
            lambda: Stream(self, hop, self._framing(transport)), host, port, backlog=BACKLOG
        )
        self._servers.append(server)
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(SWEEP_S, self._sweep)
        address = server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    def _framing(self, transport: str) -> Framing:
        return WebSocket(self.limits.origins, self.counters) if transport in WEB else Bare()

    def admit(self, stream: Stream) -> bool:
        """Whether one more may be."""
        limits, source = self.limits, source_of(stream.hop.host)
        if len(self._all) >= limits.max_connections:
            self.counters["tcp_connections_refused"] += 1
            return False
        if stream.accepted:
            if self._per_address[source] >= limits.max_connections_per_address:
                self.counters["tcp_connections_refused"] += 1
                return False
            if self.admits is not None and not self.admits(b"", stream.hop):
                return False
            if stream.hop.secure and not self._may_shake_hands(stream):
                self.counters["tls_handshakes_refused"] += 1
                return False
            self._per_address[source] += 1
        self._all.add(stream)
        return True

    def _may_shake_hands(self, stream: Stream) -> bool:
        now = self.loop.time()
        slowest = self.handshakes.slowest(self.limits, now)
        if slowest is not None:
            slowest.give_way()
        return self.handshakes.begin(stream, self.limits, now)

    def channel(self, hop: Hop, *, accepted: bool) -> TlsChannel:
        """The encryption of a new connection. Raises TlsError."""
        if self.tls is None:  # the site says nothing of TLS, and yet a server is to be called by it
            self.tls = Tls(TlsFiles())
        if accepted:
            assert self.tls.server is not None
            return TlsChannel(self.tls.server, server_side=True)
        return TlsChannel(self.tls.client, server_side=False, name=hop.name or hop.host)

    def add(self, stream: Stream) -> None:
        """It can be used. Another one from there is dead, or of somebody else who was there: what went by it, bindings
        above all, does not go on to the new one."""
        self.handshakes.over(stream)
        before = self._open.get(stream.hop[:3])
        if before is not None:
            before.close()
        self._name(stream, stream.hop[:3])

    def alias(self, stream: Stream, message: bytes) -> None:
        """RFC 5923 5, 9: requests to the sent-by port of who asks for it take this connection, if they come from the
        same address; over TLS it has to have shown who it is."""
        transport = stream.hop.transport
        if not stream.accepted or len(stream.keys) > 1 or transport in WEB:
            return
        if message.startswith(b"SIP/2.0 ") or (transport == "tls" and not stream.peer_names):
            return
        try:
            via = top_via(message)
        except SipError:
            return
        if any(name == "alias" for name, _ in via.params):
            key = (transport, stream.hop.host, via.port or DEFAULT_PORT[transport])
            if key not in self._open and key not in self._waiting:
                self._name(stream, key)

    def _name(self, stream: Stream, key: Key) -> None:
        self._open[key] = stream
        stream.keys.append(key)

    # --- that end ---------------------------------------------------------------------------------------------------

    def remove(self, stream: Stream) -> None:
        """It is over, or about to be: bindings to it go first, then the requests that wait for an answer on it fail
        (RFC 3261 8.1.3.1, 17.1.4), so that what is tried next does not come back here."""
        self.handshakes.over(stream)
        if stream not in self._all:
            return
        self._all.discard(stream)
        if stream.accepted:
            source = source_of(stream.hop.host)
            self._per_address[source] -= 1
            if not self._per_address[source]:
                del self._per_address[source]
        keys, stream.keys = stream.keys, []
        keys = [key for key in keys if self._open.get(key) is stream]
        for key in keys:
            del self._open[key]
        if self._closing or not keys:
            return
        self.on_closed(stream.hop)
        if stream.asked:
            for key in keys:
                self._failed(Hop(*key), True)

    def hang_up(self, host_is: Callable[[str], bool]) -> None:
        """Close the connections that came from such hosts."""
        for stream in [one for one in self._all if one.accepted and host_is(one.hop.host)]:
            stream.close()

    def cut_off(self, hop: Hop) -> None:
        """Whoever called from there sends nothing but rubbish."""
        stream = self._open.get(hop[:3])
        if stream is not None and stream.accepted:
            self.counters["tcp_rubbish"] += 1
            stream.close()

    def handshake_failed(self, stream: Stream, reason: str) -> None:
        """Counted each time, told now and then: strangers would fill the log."""
        self.counters["tls_handshake_failures"] += 1
        now = self.loop.time()
        if now - self._logged_at >= LOG_S:
            self._logged_at = now
            who = {"expected": stream.hop.name or stream.hop.host} if not stream.accepted else {}
            failures = self.counters["tls_handshake_failures"]
            log.warning("TLS handshake failed", peer=str(stream.hop), reason=reason, failures=failures, **who)

    def _sweep(self) -> None:
        self._sweeper = self.loop.call_later(SWEEP_S, self._sweep)
        self.sweep(self.loop.time())

    def sweep(self, now: float) -> None:
        """Close what never spoke or fell silent; give signs of life."""
        for stream in list(self._all):
            quiet_s = now - stream.heard_at
            if stream.accepted and not stream.spoken and now - stream.opened_at > SILENT_S:
                self.counters["tcp_silent_closed"] += 1
                stream.close()
            elif quiet_s > self.limits.idle_s:
                self.counters["tcp_idle_closed"] += 1
                stream.close()
            elif stream.ready and (not stream.accepted or stream.hop.transport in WEB):
                period_s = PING_WEB_S if stream.hop.transport in WEB else PING_S
                if min(quiet_s, now - stream.pinged_at) > period_s:
                    stream.ping()

    # --- sending ----------------------------------------------------------------------------------------------------

    def be_brief(self, hop: Hop) -> None:
        """The next connection to `hop` must come up soon: there is another way."""
        if hop[:3] not in self._open and hop[:3] not in self._waiting:
            self._brief.add(hop[:3])

    def send(self, data: bytes, hop: Hop) -> None:
        """Send on the connection to `hop`, making one first if need be."""
        stream = self._open.get(hop[:3])
        if stream is None:
            if data.startswith(b"SIP/2.0 "):
                self._respond(data, hop)
            else:
                self._send_on_new(data, hop)
        elif hop.name and not stream.is_of(hop.name):  # another's connection, though at the same address
            self.counters["tls_wrong_names"] += 1
            self._fail_soon(hop)
        else:
            stream.send(data)

    def _respond(self, data: bytes, hop: Hop) -> None:
        """RFC 3261 18.2.2: the connection the request came by is gone, so the response goes to the address it came
        from and the port that its Via names. A browser can't be connected to."""
        if hop.transport in WEB:
            self.counters["tcp_sends_lost"] += 1
            return
        try:
            port = top_via(data).port or DEFAULT_PORT[hop.transport]
        except SipError:
            self.counters["tcp_sends_lost"] += 1
            return
        hop = hop._replace(port=port)
        stream = self._open.get(hop[:3])
        if stream is None:
            self._send_on_new(data, hop)
        else:
            stream.send(data)

    def _send_on_new(self, data: bytes, hop: Hop) -> None:
        key = hop[:3]
        patience_s = BRIEF_S if key in self._brief else CONNECT_S
        self._brief.discard(key)
        waiting = self._waiting.get(key)
        if waiting is not None:
            if len(waiting) < WAITING:
                waiting.append(data)
            else:
                self.counters["tcp_waiting_dropped"] += 1
        elif self._closing:
            self.counters["tcp_sends_lost"] += 1
        elif hop.transport in WEB or len(self._waiting) + len(self._all) >= self.limits.max_connections:
            self.counters["tcp_unreachable"] += 1
            self._fail_soon(hop)
        else:
            self._waiting[key] = [data]
            task = self.loop.create_task(self._connect(hop, patience_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _fail_soon(self, hop: Hop) -> None:
        """Not in the midst of the sending: the transaction is not yet known by then."""
        self.loop.call_soon(self._failed, hop, False)

    async def _connect(self, hop: Hop, patience_s: float) -> None:
        key = hop[:3]
        source = self.source(hop)
        usable: asyncio.Future[None] = self.loop.create_future()
        stream = Stream(self, hop, self._framing(hop.transport), usable)
        try:
            async with asyncio.timeout(patience_s):
                await self.loop.create_connection(
                    lambda: stream, hop.host, hop.port, local_addr=(source, 0) if source else None
                )
                await usable
        except OSError:  # TimeoutError is one
            del self._waiting[key]
            self.counters["tcp_connect_failures"] += 1
            stream.close()
            self._failed(hop, False)
            return
        for data in self._waiting.pop(key):
            stream.send(data)

    async def close(self) -> None:
        self._closing = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        for stream in list(self._all):
            stream.close()
        await asyncio.sleep(0)  # let the transports close
