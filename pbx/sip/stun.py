"""STUN on a SIP port (RFC 5389, RFC 5626 4.4.2): a phone asks by which address it is seen, and keeps its NAT open."""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111
MAGIC_COOKIE: Final = 0x2112A442
XOR_MAPPED_ADDRESS: Final = 0x0020
ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
COMPREHENSION_OPTIONAL: Final = 0x8000  # attributes from here on may be ignored, FINGERPRINT among them (15)
#: What a request may bring that changes nothing: USERNAME, MESSAGE-INTEGRITY, REALM, NONCE. We ask for no credentials.
HARMLESS: Final = frozenset({0x0006, 0x0008, 0x0014, 0x0015})

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
MAX_BYTES: Final = 548  # 7.1: a request is no longer than the path is sure to carry


def is_stun(data: bytes) -> bool:
    """Whether a datagram on a SIP port is STUN's: two zero bits in front, and the cookie (6)."""
    return len(data) >= 20 and data[0] < 4 and data[4:8] == b"\x21\x12\xa4\x42"


def answer(data: bytes, host: str, port: int) -> bytes | None:
    """The response to a binding request from `host` and `port`; None for anything that is none (7.3.1)."""
    if not is_stun(data) or len(data) > MAX_BYTES:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != BINDING_REQUEST or length % 4 or length != len(data) - _HEADER.size:
        return None
    unknown = _unknown(data)
    if unknown is None:
        return None
    if unknown:  # 7.3.1: 420
        kinds = struct.pack(f"!{len(unknown)}H", *unknown)
        reason = b"Unknown Attribute"
        body = _attribute(ERROR_CODE, b"\0\0\4\x14" + reason) + _attribute(UNKNOWN_ATTRIBUTES, kinds)
        return _HEADER.pack(BINDING_ERROR, len(body), cookie, transaction) + body
    body = _attribute(XOR_MAPPED_ADDRESS, _xor_address(host, port, transaction))
    return _HEADER.pack(BINDING_SUCCESS, len(body), cookie, transaction) + body


def _unknown(data: bytes) -> list[int] | None:
    """Attributes that must be understood and are not; None when they can't be told apart."""
    unknown = []
    position = _HEADER.size
    while position < len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, position)
        position += _ATTRIBUTE.size + length + -length % 4
        if kind < COMPREHENSION_OPTIONAL and kind not in HARMLESS:
            unknown.append(kind)
    return unknown if position == len(data) else None


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """15.2: what a NAT that rewrites addresses in payloads does not recognise."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mask = struct.pack("!I", MAGIC_COOKIE) + transaction
    hidden = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ (MAGIC_COOKIE >> 16)) + hidden
