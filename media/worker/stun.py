"""STUN (RFC 8489) as far as the lite side of ICE needs it: answers to binding requests (RFC 8445 7.3).

Sans I/O. `answer` takes a packet and where it came from, and says what to send back and whether it is the peer's.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
import zlib
from typing import Final, NamedTuple

COOKIE: Final = 0x2112A442
REQUEST, SUCCESS, ERROR = 0x0001, 0x0101, 0x0111
USERNAME, INTEGRITY, ERROR_CODE, UNKNOWN, XOR_ADDRESS = 0x0006, 0x0008, 0x0009, 0x000A, 0x0020
PRIORITY, USE_CANDIDATE, FINGERPRINT, CONTROLLED, CONTROLLING = 0x0024, 0x0025, 0x8028, 0x8029, 0x802A
_KNOWN = frozenset((USERNAME, INTEGRITY, PRIORITY, USE_CANDIDATE, XOR_ADDRESS, ERROR_CODE, UNKNOWN, 0x0001))
_FINGERPRINT_XOR = 0x5354554E
_HEAD = struct.Struct(">HHI12s")


class Answer(NamedTuple):
    """What a packet brings: the response, empty for none; whether it is the peer's, and nominates the pair."""

    packet: bytes = b""
    valid: bool = False
    nominates: bool = False


class Message(NamedTuple):
    """One STUN message: attributes in order, with where each begins."""

    kind: int
    transaction: bytes
    attributes: tuple[tuple[int, int, bytes], ...]  # type, offset, value

    def first(self, kind: int) -> bytes | None:
        return next((value for one, _, value in self.attributes if one == kind), None)


def parse(packet: bytes) -> Message | None:
    """None if it is no STUN message (RFC 8489 5), its fingerprint included if it has one (14.7)."""
    if len(packet) < 20:
        return None
    kind, size, cookie, transaction = _HEAD.unpack_from(packet)
    if kind >> 14 or cookie != COOKIE or size % 4 or size != len(packet) - 20:
        return None
    found: list[tuple[int, int, bytes]] = []
    at = 20
    while at < len(packet):
        if at + 4 > len(packet):
            return None
        attribute, length = struct.unpack_from(">HH", packet, at)
        if at + 4 + length > len(packet):
            return None
        found.append((attribute, at, packet[at + 4 : at + 4 + length]))
        if attribute == FINGERPRINT and found[-1][2] != _checksum(packet[:at]):
            return None
        at += 4 + (length + 3) // 4 * 4
    return Message(kind, transaction, tuple(found))


def answer(packet: bytes, host: str, port: int, ufrag: str, pwd: str) -> Answer:
    """To a binding request that came from `host`, if it knows our credentials (RFC 8489 9.1.3); others get an error."""
    message = parse(packet)
    if message is None or message.kind != REQUEST:
        return Answer()
    username, integrity = message.first(USERNAME), message.first(INTEGRITY)
    if username is None or integrity is None:
        return Answer(_error(message, 400, b"Bad Request"))
    mine = username.partition(b":")[0] == ufrag.encode()
    if not mine or not _integrity_holds(packet, message, pwd.encode()):
        return Answer(_error(message, 401, b"Unauthenticated"))
    unknown = [kind for kind, _, _ in message.attributes if kind < 0x8000 and kind not in _KNOWN]
    if unknown:
        values = struct.pack(f">{len(unknown)}H", *unknown)
        return Answer(seal(ERROR, message.transaction, [_error_code(420, b"Unknown"), (UNKNOWN, values)], pwd))
    response = seal(SUCCESS, message.transaction, [(XOR_ADDRESS, _xor_address(host, port, message.transaction))], pwd)
    return Answer(response, True, message.first(USE_CANDIDATE) is not None)


def seal(kind: int, transaction: bytes, attributes: list[tuple[int, bytes]], pwd: str | None) -> bytes:
    """A message with integrity (14.5; without `pwd` none) and fingerprint (14.7)."""
    body = b"".join(
        struct.pack(">HH", one, len(value)) + value + bytes(-len(value) % 4) for one, value in attributes
    )  # fmt: skip
    if pwd is not None:
        signed = _HEAD.pack(kind, len(body) + 24, COOKIE, transaction) + body
        body += struct.pack(">HH", INTEGRITY, 20) + hmac.digest(pwd.encode(), signed, hashlib.sha1)
    whole = _HEAD.pack(kind, len(body) + 8, COOKIE, transaction) + body
    return whole + struct.pack(">HH", FINGERPRINT, 4) + _checksum(whole)


def _checksum(data: bytes) -> bytes:
    return (zlib.crc32(data) ^ _FINGERPRINT_XOR).to_bytes(4)


def _integrity_holds(packet: bytes, message: Message, pwd: bytes) -> bool:
    """Over what stands before it, with a length that ends with it; nothing after it counts but the fingerprint."""
    for kind, at, value in message.attributes:
        if kind == INTEGRITY:
            signed = packet[:2] + struct.pack(">H", at + 24 - 20) + packet[4:at]
            return hmac.compare_digest(hmac.digest(pwd, signed, hashlib.sha1), value)
        if kind == FINGERPRINT:
            return False
    return False


def _error(message: Message, code: int, reason: bytes) -> bytes:
    return seal(ERROR, message.transaction, [_error_code(code, reason)], None)


def _error_code(code: int, reason: bytes) -> tuple[int, bytes]:
    return ERROR_CODE, struct.pack(">HBB", 0, code // 100, code % 100) + reason


def _xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """14.2; an IPv4 address that came by an IPv6 socket is an IPv4 address."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    mask = COOKIE.to_bytes(4) + transaction
    masked = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    return struct.pack(">BBH", 0, 1 if address.version == 4 else 2, port ^ COOKIE >> 16) + masked
