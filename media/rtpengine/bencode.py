"""Bencode (BEP 3), the encoding of rtpengine's ng protocol: integers, byte strings, lists, dictionaries.

Keys are text, values that are strings are bytes when read (SDP, media) and text or bytes when written. rtpengine does
not sort its keys, so neither order nor duplicates are complained about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "int | bytes | list[Value] | dict[str, Value]"
Writable: TypeAlias = "int | str | bytes | Sequence[Writable] | Mapping[str, Writable]"

_DEEPEST = 32  # levels; what rtpengine says has 7


class BencodeError(ValueError):
    """Not one whole bencoded value."""


def encode(value: Writable) -> bytes:
    """`True` and `False` are no values of bencode: TypeError."""
    parts: list[bytes] = []
    _write(value, parts)
    return b"".join(parts)


def decode(data: bytes) -> Value:
    """Exactly one value; raises BencodeError."""
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise BencodeError(f"{len(data) - end} bytes too many")
    return value


def _write(value: Writable, parts: list[bytes]) -> None:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        parts += (b"%d:" % len(value), value)
    elif isinstance(value, int) and not isinstance(value, bool):
        parts.append(b"i%de" % value)
    elif isinstance(value, Mapping):
        parts.append(b"d")
        for key in sorted(value):
            _write(key, parts)
            _write(value[key], parts)
        parts.append(b"e")
    elif isinstance(value, Sequence):
        parts.append(b"l")
        for one in value:
            _write(one, parts)
        parts.append(b"e")
    else:
        raise TypeError(f"{type(value).__name__} can't be bencoded")


def _read(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    kind = data[at : at + 1]
    if kind.isdigit():
        return _string(data, at)
    if kind == b"i":
        end = data.find(b"e", at)
        return _number(data[at + 1 : end], end), end + 1
    if depth == _DEEPEST:
        raise BencodeError("nested too deeply")
    if kind == b"l":
        items: list[Value] = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _read(data, at, depth + 1)
            items.append(item)
        return items, at + 1
    if kind == b"d":
        entries: dict[str, Value] = {}
        at += 1
        while data[at : at + 1] != b"e":
            key, at = _string(data, at)
            entries[key.decode(errors="replace")], at = _read(data, at, depth + 1)
        return entries, at + 1
    raise BencodeError(f"nothing bencoded at byte {at}")


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    colon = data.find(b":", at, at + 12)
    start = colon + 1
    end = start + _number(data[at:colon], colon)
    if not start <= end <= len(data):
        raise BencodeError(f"a string at byte {at} that is longer than the data, or of negative length")
    return data[start:end], end


def _number(digits: bytes, end: int) -> int:
    """`end`: where the number's end was found, -1 if it was not."""
    if end < 0 or len(digits) > 20 or not digits.removeprefix(b"-").isdigit():
        raise BencodeError(f"no number: {digits[:20]!r}")
    return int(digits)
