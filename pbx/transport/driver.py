"""The driver: sockets and the clock on one side, the sans-IO core on the other. The only place where SIP meets
asyncio."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from pbx.sip.hop import Hop
from pbx.sip.timers import ROUNDING_S
from pbx.sip.transaction_layer import TransactionLayer
from pbx.sip.via import top_via, with_via
from pbx.transport.local import LOCAL_NETWORKS, Local, Network
from pbx.transport.streams import Limits, Streams
from pbx.transport.tls import Certificate, Tls, TlsError, TlsFiles
from pbx.transport.udp import UdpSocket

SLACK_S = 0.01  # timers are late by up to this, so that thousands a second cost a hundred wake-ups

UDP_ONLY_S = 600.0  # how long a peer that took no TCP connection is not asked again
UDP_ONLY_MOST = 4096


class ListenError(Exception):
    """Listeners could not be opened; a line for each says which and why."""


class Driver:
    """Carries messages between the network and a transaction layer, keeps its one timer, and is the parts' Clock."""

    def __init__(self, counters: Counter[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoch = time.time() - self._loop.time()  # read once: `now` never jumps with the wall clock
        self._counters = counters
        self._udp: list[UdpSocket] = []
        self._streams = Streams(self._receive, self._stream_failed, counters)
        self._timer: asyncio.TimerHandle | None = None
        self.layer = TransactionLayer(self.send, counters)
        self.layer.timers.on_earlier = self._arm
        self.layer.by_stream = self._by_stream
        self.layer.cut_off = self._streams.cut_off
        self._udp_only: dict[tuple[object, ...], float] = {}  # (host, port) without TCP -> until when that is believed
        self.local = Local({})
        self._streams.source = self.local.source
        self.trace: Callable[[str, bytes, Hop], None] | None = None  # told of every message in and out
        self._admits: Callable[[bytes, Hop], bool] | None = None

    @property
    def admits(self) -> Callable[[bytes, Hop], bool] | None:
        """Asked before anything is made of a message, and of a new connection with no data: False drops it."""
        return self._admits

    @admits.setter
    def admits(self, admits: Callable[[bytes, Hop], bool] | None) -> None:
        self._admits = self._streams.admits = admits

    @property
    def on_closed(self) -> Callable[[Hop], None]:
        """Told of each connection that is over."""
        return self._streams.on_closed

    @on_closed.setter
    def on_closed(self, told: Callable[[Hop], None]) -> None:
        self._streams.on_closed = told

    def connected(self, hop: Hop) -> bool:
        """Whether what is sent to `hop` needs no new connection."""
        return not hop.reliable or hop in self._streams

    def hang_up(self, host_is: Callable[[str], bool]) -> None:
        """Close the connections that came from such hosts, when this turn of the loop is over: one of them may be
        at work."""
        self._loop.call_soon(self._streams.hang_up, host_is)

    # --- the clock --------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since 1970 (UTC); never runs backwards."""
        return self._epoch + self._loop.time()

    def after(self, delay_s: float, callback: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        return self._loop.call_later(delay_s, callback, *args)

    # --- sockets ----------------------------------------------------------------------------------------------------

    async def listen(
        self,
        listeners: Sequence[tuple[str, str, int]],
        advertise: Sequence[str] = (),
        *,
        networks: Sequence[Network] = LOCAL_NETWORKS,
        tls: TlsFiles | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Open every (transport, host, port). Raises ListenError; nothing stays open then. For `advertise` and
        `networks` see Local."""
        self.local.advertise, self.local.networks = advertise, networks
        self._streams.limits = limits or Limits()
        if tls is not None:
            try:
                self.reload_tls(tls)
            except TlsError as error:
                raise ListenError(f"listen.tls.{error}") from None
        problems = []
        for transport, host, port in listeners:
            known = self.local.listeners.setdefault(transport, [])
            try:
                known.append((host, await self._open(transport, host, port, len(known))))
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else error.strerror  # asyncio says the address again
                problems.append(f"{Hop(transport, host, port)}: {reason}")
        if problems:
            await self.close()
            raise ListenError("\n".join(problems))

    async def _open(self, transport: str, host: str, port: int, index: int) -> int:
        if transport == "udp":
            self._udp.append(UdpSocket(host, port, index, self._receive, self._counters))
            return self._udp[-1].address[1]
        if transport in ("tls", "wss") and (self._streams.tls is None or self._streams.tls.server is None):
            raise OSError(0, "needs a certificate (listen.tls)")
        return (await self._streams.listen(transport, host, port, index))[1]

    def reload_tls(self, files: TlsFiles | None) -> None:
        """Read the certificates again; connections that stand keep what they have. Raises TlsError, and then nothing
        has changed."""
        if files is not None or self._streams.tls is not None:
            self._streams.tls = Tls(files or TlsFiles())

    @property
    def certificates(self) -> Sequence[Certificate]:
        """Those that new connections are shown."""
        return self._streams.tls.certificates if self._streams.tls is not None else ()

    def peer_names(self, hop: Hop) -> tuple[str, ...]:
        """Who the far end of a TLS connection has shown to be: names of its verified certificate (RFC 5922 7.1)."""
        return self._streams.peer_names(hop)

    def _receive(self, data: bytes, hop: Hop) -> None:
        if self._admits is not None and not self._admits(data, hop):
            return
        if self.trace is not None:
            self.trace("<-", data, hop)
        self.layer.receive_bytes(data, hop, self.now())

    def waiting_s(self) -> float:
        """How long the oldest unread datagram has waited; 0 when none does. It is served by that."""
        return max([sock.waiting_s() for sock in self._udp], default=0.0)

    def send(self, data: bytes, hop: Hop) -> None:
        if self.trace is not None:
            self.trace("->", data, hop)
        if hop.transport != "udp":
            self._streams.send(data, hop)
        elif self._udp:
            self._udp[self.local.listener(hop) if len(self._udp) > 1 else 0].send(data, hop)
        else:
            self._counters["sip_no_udp_listener"] += 1

    def _stream_failed(self, hop: Hop, sent: bool) -> None:
        if not sent and hop.transport == "tcp":
            if len(self._udp_only) >= UDP_ONLY_MOST:
                self._udp_only.clear()
            self._udp_only[hop[1:3]] = self.now() + UDP_ONLY_S
        self.layer.transport_failed(hop, self.now(), sent=sent)

    def _by_stream(self, data: bytes, hop: Hop) -> tuple[bytes, Hop] | None:
        """RFC 3261 18.1.1: what the path may not carry whole goes by TCP, if we and the peer have it."""
        if len(data) <= self._streams.limits.udp_max_bytes or not self.local.listeners.get("tcp"):
            return None
        if self._udp_only.get(hop[1:3], 0.0) > self.now():
            return None
        hop = Hop("tcp", hop.host, hop.port)
        host, _, port = self.local.sent_by(hop).rpartition(":")
        via = top_via(data)
        via = replace(via, transport="TCP", host=host, port=int(port), params=(*via.params, ("alias", None)))
        self._streams.be_brief(hop)
        self._counters["sip_requests_too_large_for_udp"] += 1
        return with_via(data, via), hop

    # --- the timer --------------------------------------------------------------------------------------------------

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        when = due - self._epoch
        if when - self._loop.time() > ROUNDING_S:  # what is due now is not put off
            when += SLACK_S
        self._timer = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.layer.timers.fire(self.now())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for sock in self._udp:
            sock.close()
        self._udp.clear()
        await self._streams.close()
