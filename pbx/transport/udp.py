"""SIP over UDP (RFC 3261 18), and the STUN that shares its port (RFC 5626 8)."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable

from pbx.sip import stun
from pbx.sip.hop import Hop
from pbx.transport.local import host_of, socket_address

BURST = 64  # datagrams read in one turn of the loop before others get theirs
COALESCING_S = 0.01  # datagrams that come faster are read together: waking up costs more than reading one
GATHERED = 8  # messages that leave together while a burst is read: to wake their reader for each costs more than they
BUFFER_BYTES = 4 << 20  # a burst of 2,000 INVITEs
MOST_WAITING_S = 60.0
_SO_TIMESTAMPNS = 35  # Linux; the socket module has no name for it
_TIMESPEC = struct.Struct("qq")


class UdpSocket:
    """One listening socket; `receive(data, hop)` is called for each datagram."""

    def __init__(
        self, host: str, port: int, listener: int, receive: Callable[[bytes, Hop], None], counters: Counter[str]
    ) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if ":" in host:  # IPv4 has listeners of its own
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._listener = listener
        self._receive = receive
        self._counters = counters
        self._gathered: list[tuple[bytes, Hop]] | None = None  # to be sent; None: no burst is being read
        self._loop = asyncio.get_running_loop()
        self._woken_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None  # of the next turn; None: datagrams wake the loop
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        """A datagram woke the loop. When the last one did so a moment ago, they are read by the clock from now on."""
        before, self._woken_at = self._woken_at, self._loop.time()
        if self._woken_at - before < COALESCING_S:
            self._loop.remove_reader(self._socket.fileno())
            self._turn()
        else:
            self._read()

    def _turn(self) -> None:
        """By the clock, until a turn finds nothing."""
        read = BURST  # should whoever receives them raise
        try:
            read = self._read()
        finally:
            if read:
                self._timer = self._loop.call_later(COALESCING_S if read < BURST else 0.0, self._turn)
            else:
                self._timer = None
                self._loop.add_reader(self._socket.fileno(), self._readable)

    def _read(self) -> int:
        self._gathered = []
        try:
            return self._read_burst()
        finally:
            self._send_gathered()
            self._gathered = None

    def _read_burst(self) -> int:
        """At most a burst; how many there were."""
        take, recvfrom = self._take, self._socket.recvfrom
        for read in range(BURST):
            try:
                data, address = recvfrom(65_535)
            except (BlockingIOError, InterruptedError):
                return read
            except OSError:  # an ICMP error of something sent before; SIP's timers deal with it
                self._counters["udp_receive_errors"] += 1
                continue
            take(data, address)
        return BURST

    def _take(self, data: bytes, address: tuple[str, int] | tuple[str, int, int, int]) -> None:
        if len(data) <= 4:  # a keep-alive (RFC 5626 4.4.1)
            return
        if data[0] < 4:  # no SIP message begins so (RFC 5389 6)
            self._answer_stun(data, address)
        else:
            host = address[0] if len(address) == 2 else host_of(address)
            self._receive(data, Hop("udp", host, address[1], self._listener))

    def waiting_s(self) -> float:
        """How long the oldest unread datagram has waited; 0 when there is none. It is read and served by that."""
        try:
            data, ancillary, _, address = self._socket.recvmsg(65_535, socket.CMSG_SPACE(_TIMESPEC.size))
        except OSError:
            return 0.0
        waited_s = 0.0
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(value) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                waited_s = time.time() - seconds - nanoseconds / 1e9
        self._take(data, address)
        return waited_s if 0.0 < waited_s < MOST_WAITING_S else 0.0  # else the wall clock was set

    def _answer_stun(self, data: bytes, address: tuple[str, int] | tuple[str, int, int, int]) -> None:
        answer = stun.answer(data, address[0], address[1])
        self._counters["stun_requests" if answer else "stun_dropped"] += 1
        if answer:
            self.send(answer, Hop("udp", host_of(address), address[1]))

    def send(self, data: bytes, hop: Hop) -> None:
        """Send or lose: a full buffer or an unreachable peer is counted and left to SIP's retransmissions."""
        if self._gathered is None:
            self._send(data, hop)
            return
        self._gathered.append((data, hop))
        if len(self._gathered) >= GATHERED:
            self._send_gathered()

    def _send_gathered(self) -> None:
        gathered = self._gathered or []
        while gathered:
            self._send(*gathered.pop(0))

    def _send(self, data: bytes, hop: Hop) -> None:
        try:
            self._socket.sendto(data, (hop.host, hop.port) if "%" not in hop.host else socket_address(*hop[1:3]))
        except OSError:
            self._counters["udp_send_errors"] += 1

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
