"""Copies of all messages for a Homer server, by HEPv3 over UDP. The only file of this package that does I/O.

It reads the ring like anybody else, a few hundred messages at a time between other work, and never waits: what the
network does not take at once, or what fell out of the ring before its turn, is counted as lost.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import Final

from config.trace import Homer as HomerSettings
from pbx.trace.captured import Ours
from pbx.trace.hep import HepEncoder
from pbx.trace.reader import Reader
from pbx.trace.ring import Ring

IDLE_S: Final = 0.1
BUSY_S: Final = 0.01
STEPS: Final = 4  # of the reader, in one turn
RESOLVE_AGAIN_S: Final = 30.0
SEND_BUFFER_BYTES: Final = 1 << 20


class HomerExporter:
    """Runs from `start` to `close`."""

    def __init__(self, settings: HomerSettings, ring: Ring, ours: Ours, counters: Counter[str]) -> None:
        password = settings.password.get_secret_value() if settings.password is not None else None
        self._address = settings.address
        self._encoder = HepEncoder(settings.capture_id, password)
        self._reader = Reader(ring, ours, first=ring.next)
        self._counters = counters
        self._counted = 0  # of what the reader missed
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Send what is there, then stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._socket is not None:
            self._turn()
            self._socket.close()
            self._socket = None

    async def _run(self) -> None:
        while not await self._open():
            self._counters["homer_unreachable"] += 1
            await asyncio.sleep(RESOLVE_AGAIN_S)
        while True:
            self._turn()
            await asyncio.sleep(BUSY_S if self._reader.behind else IDLE_S)

    async def _open(self) -> bool:
        host, port = self._address
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            opened = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError):
            return False
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            opened.connect(address)
        except OSError:
            opened.close()
            return False
        self._socket = opened
        return True

    def _turn(self) -> None:
        for _ in range(STEPS):
            for message in self._reader.step():
                datagram = self._encoder.encode(message)
                self._counters["homer_sent" if datagram and self._send(datagram) else "homer_lost"] += 1
        self._counters["homer_lost"] += self._reader.missed - self._counted
        self._counted = self._reader.missed

    def _send(self, datagram: bytes) -> bool:
        assert self._socket is not None
        try:
            self._socket.send(datagram)
        except OSError:  # its buffer is full, or nobody was there for the one before
            return False
        return True
