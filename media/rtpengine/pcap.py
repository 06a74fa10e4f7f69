"""Captures as rtpengine writes them (libpcap's format of 1998, raw IP or behind an Ethernet header): RTP packets, as
they were received, and deciphered."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_HEADER_BYTES = 24
_RECORD = struct.Struct("<IIII")
_ETHERNET, _RAW = 1, 101  # link types
_ETHERNET_BYTES = 14
_LONGEST_BYTES = 65_535
_RTP_BYTES = 12


class NotACapture(ValueError):
    """A file that begins otherwise, as that of a daemon on a machine of the other byte order."""


class Packet(NamedTuple):
    """One RTP packet."""

    at_ns: int  # of its arrival, since 1970
    source: tuple[bytes, int]  # address (4 or 16 bytes) and port
    port: int  # where it was received
    payload_type: int
    timestamp: int
    payload: bytes


def packets(file: BinaryIO) -> Iterator[Packet]:
    """What is whole of a capture, in the order of arrival; a daemon that was killed leaves a torn end. Raises
    NotACapture."""
    header = file.read(_HEADER_BYTES)
    if not header:
        return  # nothing was written yet
    link = int.from_bytes(header[20:24], "little")
    if header[:4] != b"\xd4\xc3\xb2\xa1" or link not in (_ETHERNET, _RAW):
        raise NotACapture(f"{file.name} is no capture of rtpengine's")
    skip = _ETHERNET_BYTES if link == _ETHERNET else 0
    while len(head := file.read(_RECORD.size)) == _RECORD.size:
        seconds, microseconds, size, _ = _RECORD.unpack(head)
        data = file.read(size) if size <= _LONGEST_BYTES else b""
        if not data or len(data) < size:
            return
        packet = _rtp(seconds * 1_000_000_000 + microseconds * 1000, data[skip:])
        if packet is not None:
            yield packet


def _rtp(at_ns: int, ip: bytes) -> Packet | None:
    """None: RTCP, or nothing of RTP."""
    if ip[:1] == b"\x45":
        address, udp = ip[12:16], ip[20:]
    elif ip[:1] and ip[0] >> 4 == 6:
        address, udp = ip[8:24], ip[40:]
    else:
        return None
    rtp = udp[8:]
    if len(rtp) < _RTP_BYTES or rtp[0] >> 6 != 2 or 192 <= rtp[1] <= 223:  # RFC 5761 4
        return None
    start = _RTP_BYTES + 4 * (rtp[0] & 15)
    if rtp[0] & 0x10:  # an extension (RFC 3550 5.3.1)
        start += 4 + 4 * int.from_bytes(rtp[start + 2 : start + 4], "big")
    end = len(rtp) - (rtp[-1] if rtp[0] & 0x20 else 0)
    if start >= end:
        return None
    source, port = struct.unpack_from("!HH", udp)
    return Packet(
        at_ns, (address, source), port, rtp[1] & 0x7F, int.from_bytes(rtp[4:8], "big"), rtp[start:end]
    )  # fmt: skip
