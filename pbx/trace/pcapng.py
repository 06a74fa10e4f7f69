"""pcapng for Wireshark, tshark and sngrep (draft-ietf-opsawg-pcapng): each SIP message as one UDP packet.

What came by TCP, TLS or WebSocket was decrypted and framed by then, and is written as UDP between the same addresses:
there are no segments to reassemble, and the comment of each packet names the transport it really had.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

from pbx.trace.captured import Address, Captured

MEDIA_TYPE: Final = "application/x-pcapng"
LINKTYPE_RAW: Final = 101  # packets begin with their IPv4 or IPv6 header
MAX_PAYLOAD_BYTES: Final = 65_000  # a longer message is cut: no IP packet could hold it
_UDP: Final = 17
_COMMENT, _FLAGS = 1, 2  # options of a packet
_INBOUND, _OUTBOUND = 1, 2


def head() -> bytes:
    """The section header (4.1) and the one interface (4.2)."""
    name = _option(4, b"Plateau") + _option(0, b"")  # shb_userappl
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + name
    interface = struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + _option(2, b"sip") + _option(0, b"")
    return _block(0x0A0D0D0A, section) + _block(1, interface)


def packet(message: Captured) -> bytes:
    """An enhanced packet block (4.3); nothing for a message whose addresses are none. Secrets are masked."""
    data = _datagram(message.source, message.destination, message.data[:MAX_PAYLOAD_BYTES])
    if not data:
        return b""
    micros = round(message.at * 1e6)
    comment = " ".join(filter(None, (
        message.transport, "received" if message.received else "sent", message.call_id and f"call {message.call_id}",
    )))  # fmt: skip
    options = _option(_COMMENT, comment.encode())
    options += _option(_FLAGS, struct.pack("<I", _INBOUND if message.received else _OUTBOUND)) + _option(0, b"")
    fixed = struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFF_FFFF, len(data), len(data))
    return _block(6, fixed + _padded(data) + options)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _datagram(source: Address, destination: Address, payload: bytes) -> bytes:
    """IP and UDP headers and the payload; b"" if the addresses are none or of two families."""
    try:
        here, there = ipaddress.ip_address(source[0]), ipaddress.ip_address(destination[0])
    except ValueError:
        return b""
    if here.version != there.version:
        return b""
    length = 8 + len(payload)
    ports = struct.pack(">HHH", source[1], destination[1], length)
    pseudo = here.packed + there.packed + struct.pack(">II", length, _UDP)  # RFC 768, RFC 8200 8.1: the same sum
    udp = ports + struct.pack(">H", _checksum(pseudo + ports + payload)) + payload
    if here.version == 6:
        return struct.pack(">IHBB", 0x6000_0000, length, _UDP, 64) + here.packed + there.packed + udp
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, _UDP, 0) + here.packed + there.packed
    return ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:] + udp


def _checksum(data: bytes) -> int:
    """RFC 1071: the one's complement sum of 16-bit words is what is left of one great number divided by 65,535.
    Never 0, which would mean "no checksum" to UDP."""
    left = int.from_bytes(data + bytes(len(data) % 2), "big") % 0xFFFF
    return 0xFFFF - left
