"""sipp's captures of RFC 2833 keys: other people's packets, with timestamps and sequence numbers that jump."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.media.conftest import Leg

CAPTURES = Path("/usr/share/sip-tester")
KEYS = {**{key: key for key in "0123456789"}, "*": "star", "#": "pound"}
ETHERNET_TO_RTP = 14 + 20 + 8


def packets(path: Path) -> Iterator[bytes]:
    """RTP of a capture (libpcap's format, little-endian)."""
    data, at = path.read_bytes(), 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16 + ETHERNET_TO_RTP : at + 16 + size]
        at += 16 + size


async def test_each_key_arrives_once(leg: Callable[..., Leg], settle: Callable[[], Awaitable[None]]) -> None:
    caller = leg(payload_type=8)
    keys: list[str] = []
    caller.port.on_digit = keys.append
    await settle()
    for name in KEYS.values():
        for packet in packets(CAPTURES / f"dtmf_2833_{name}.pcap"):
            caller.phone.rtp.sendto(packet, ("127.0.0.1", caller.port.number))
            await asyncio.sleep(0.003)
    await asyncio.sleep(0.05)
    assert keys == list(KEYS)
