"""HEPv3, the encapsulation of Homer (HEP3 network protocol specification, sipcapture.org): one datagram a message.

"HEP3" | total length u16 | chunks: vendor u16 = 0, type u16, length u16 (with these six octets), value
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

from pbx.trace.captured import Captured

_CHUNK: Final = struct.Struct(">HHH")
_HEAD: Final = struct.Struct(">4sH")
_AF_INET, _AF_INET6 = 2, 10
_TCP, _UDP = 6, 17
_SIP: Final = 1
MAX_DATAGRAM_BYTES: Final = 65_507  # of UDP over IPv4


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(0, kind, 6 + len(value)) + value


class HepEncoder:
    """Makes datagrams for one site: `capture_id` is its number, `password` what the collector wants to hear."""

    def __init__(self, capture_id: int, password: str | None) -> None:
        self._always = _chunk(0x0B, bytes((_SIP,))) + _chunk(0x0C, struct.pack(">I", capture_id))
        if password is not None:
            self._always += _chunk(0x0E, password.encode())

    def encode(self, message: Captured) -> bytes | None:
        """The datagram; None if the message is too long for one, or an address is none. Secrets are masked."""
        try:
            addresses = [ipaddress.ip_address(host) for host, _ in (message.source, message.destination)]
        except ValueError:
            return None
        six = addresses[0].version == 6
        if six != (addresses[1].version == 6):
            return None
        seconds, micros = divmod(round(message.at * 1e6), 1_000_000)
        body = b"".join((
            _chunk(0x01, bytes((_AF_INET6 if six else _AF_INET,))),
            _chunk(0x02, bytes((_UDP if message.transport == "udp" else _TCP,))),
            _chunk(0x05 if six else 0x03, addresses[0].packed),
            _chunk(0x06 if six else 0x04, addresses[1].packed),
            _chunk(0x07, struct.pack(">H", message.source[1])),
            _chunk(0x08, struct.pack(">H", message.destination[1])),
            _chunk(0x09, struct.pack(">I", seconds)),
            _chunk(0x0A, struct.pack(">I", micros)),
            self._always,
            _chunk(0x11, (message.call_id or message.sip_call_id).encode()),
        ))  # fmt: skip
        length = _HEAD.size + len(body) + _CHUNK.size + len(message.data)
        if length > MAX_DATAGRAM_BYTES:
            return None
        return _HEAD.pack(b"HEP3", length) + body + _chunk(0x0F, message.data)
