"""The keys that rtpengine heard (`--dtmf-log-dest`): a JSON text in a datagram each, when the key ends."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from media.plane import KEYS, MediaError

OnKey = Callable[[str, str, str, int], None]  # call-id, tag, key, duration_ms


class KeySocket(asyncio.DatagramProtocol):
    """Tells `on_key` of each."""

    def __init__(self, address: tuple[str, int], on_key: OnKey, counters: Counter[str]) -> None:
        self.address, self._on_key, self._counters = address, on_key, counters
        self._transport: asyncio.BaseTransport | None = None
        self._closed = asyncio.Event()

    async def open(self) -> None:
        """Raises MediaError."""
        try:
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=self.address)
        except OSError as error:
            why = error.strerror or str(error)
            raise MediaError(f"media.rtpengine.keys {self.address[0]}:{self.address[1]}: {why}") from None

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        try:
            heard = read_key(data)
        except ValueError:
            self._counters["media_rtpengine_unreadable"] += 1
        else:
            self._on_key(*heard)


def read_key(data: bytes) -> tuple[str, str, str, int]:
    """Call-id, tag, key, duration_ms. Raises ValueError."""
    try:
        event = json.loads(data)
        number = event["event"]
        key = KEYS[number] if number >= 0 else ""
        found = str(event["callid"]), str(event["source_tag"]), key, int(event["duration"])
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no key of rtpengine: {data[:80]!r}") from error
    if not key:
        raise ValueError(f"no key of rtpengine: {data[:80]!r}")
    return found
