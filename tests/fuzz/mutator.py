"""Mutations that know what SIP is made of: pieces of the grammar where they don't belong, lines and values swapped.

Everything comes from the dice it is given, so that a run can be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from pbx.sip.headers import COMPACT, KNOWN

MAX_BYTES = 80_000  # beyond what the parser takes, so that its limits are tried too

#: Pieces of the grammar, of its limits and of what breaks parsers.
TOKENS: tuple[bytes, ...] = tuple(
    one.encode("utf-8", "surrogateescape")
    for one in (
        *KNOWN, *COMPACT, "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK", "UPDATE", "REFER", "NOTIFY",
        "SUBSCRIBE", "INFO", "MESSAGE", "SIP/2.0", "SIP/3.0", "sip:", "sips:", "tel:", "urn:service:sos", "http://h",
        "z9hG4bK", "z9hG4bKx", ";branch=", ";rport", ";rport=", ";received=", ";maddr=", ";ttl=", ";tag=", ";lr", ";q=",
        ";expires=", ";transport=", ";user=phone", ";ob", ";+sip.instance=", ";reg-id=1", ";method=", ";x", ";=", ";;",
        "?Subject=x", "?Replaces=a", "&b=c", "%00", "%41", "%", "%4", "%ff", "%c3%a9", "@", "<", ">", "<>", '"', '\\"',
        "\\", ",", ";", ":", "/", "=", "*", "[", "]", "[::1]", "[2001:db8::9:1]", "::ffff:192.0.2.1", "[::]", "[:",
        "[fe80::1%25eth0]", "192.0.2.1", "256.1.1.1", "h.example.", "-h", "0", "-1", "+33", "65535", "65536", "99999",
        "2147483647", "2147483648", "4294967296", "99999999999999999999", "9" * 5000, "1e5", "0x10", "²", "٣", "١",
        "é", "\udcff", "\udce9", "\x00", "\x0b", "\x0c", "\x1f", "\x7f", "\u0085", "\u2028", "\ufeff", "\r", "\n",
        "\r\n", "\r\n ", "\r\n\t", "\n ", "\r\n\r\n", "\n\n", " ", "\t", "  ", "Digest ", "realm=", "nonce=",
        "username=", "uri=", "response=", "algorithm=MD5", "algorithm=SHA-256", "qop=auth", 'qop="auth,auth-int"',
        "nc=00000001", "cnonce=", "opaque=", "stale=true", "Basic x", "application/sdp", "multipart/mixed;boundary=b",
        "100rel", "timer", "path", "replaces", "outbound", "v=0\r\n", "o=- 1 1 IN IP4 192.0.2.1\r\n", "s=-\r\n",
        "c=IN IP4 0.0.0.0\r\n", "c=IN IP6 ::1\r\n", "t=0 0\r\n", "m=audio 40000 RTP/AVP 0 8 101\r\n",
        "m=audio 0 RTP/AVP 0\r\n", "m=video 1 RTP/SAVP 96\r\n", "a=rtpmap:8 PCMA/8000\r\n", "a=rtpmap:",
        "a=rtpmap:101 telephone-event/8000\r\n", "a=sendonly\r\n", "a=inactive\r\n", "a=ptime:", "a=maxptime:",
        "a=rtcp:", "a=fmtp:101 0-16\r\n", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
    )
)  # fmt: skip

_REPEATED = (b"a", b" ", b"\t", b",", b";a", b";a=b", b"<", b'"', b'\\"', b"%41", b"(", b"[", b":", b"\r\n ", b"a:\r\n",
             b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n", b"<sip:a@b>,", b"a=b\r\n", b"a.", b"a-", b"1 ")  # fmt: skip


def mutate(data: bytes, dice: random.Random, others: list[bytes] | None = None) -> bytes:
    """One to four mutations; `others` are messages to take lines from."""
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        data = dice.choice(_WAYS)(data, dice)
        if others and dice.random() < 0.1:
            data = _splice(data, dice.choice(others), dice)
    return data[:MAX_BYTES]


def _insert(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(TOKENS) + data[at:]


def _replace(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(TOKENS) + data[at + dice.randrange(13) :]


def _delete(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + data[at + dice.choice((1, 1, 2, 5, 20, 100)) :]


def _octet(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + bytes((dice.randrange(256),)) + data[at + 1 :]


def _repeat(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(_REPEATED) * dice.choice((2, 10, 100, 100, 1000)) + data[at:]


def _line(data: bytes, dice: random.Random) -> bytes:
    """Repeat, drop or move a line, or give it another name or the value of another line."""
    lines = data.split(b"\r\n")
    first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
    way = dice.randrange(5)
    if way == 0:
        lines.insert(second, lines[first])
    elif way == 1:
        del lines[first]
    elif way == 2:
        lines[first], lines[second] = lines[second], lines[first]
    elif way == 3:
        lines[first] = dice.choice(TOKENS) + b":" + lines[first].partition(b":")[2]
    else:
        lines[first] = lines[first].partition(b":")[0] + b":" + lines[second].partition(b":")[2]
    return b"\r\n".join(lines)


def _value(data: bytes, dice: random.Random) -> bytes:
    """A piece of the grammar as a parameter, in front of or in place of a header's value."""
    lines = data.split(b"\r\n")
    at = dice.randrange(len(lines))
    name, colon, value = lines[at].partition(b":")
    token = dice.choice(TOKENS)
    lines[at] = name + colon + dice.choice((value + token, b" " + token + value, b" " + token))
    return b"\r\n".join(lines)


def _number(data: bytes, dice: random.Random) -> bytes:
    """Another number where one stands."""
    digits = [at for at, octet in enumerate(data[:4000]) if 0x30 <= octet <= 0x39]
    if not digits:
        return data
    at = dice.choice(digits)
    return data[:at] + dice.choice((b"0", b"9", b"65536", b"-1", b"4294967296", b"", b"00", b"1.5")) + data[at + 1 :]


def _splice(data: bytes, other: bytes, dice: random.Random) -> bytes:
    lines, lent = data.split(b"\r\n"), other.split(b"\r\n")
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(lent))
    return b"\r\n".join(lines)


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _insert, _insert, _replace, _replace, _delete, _octet, _repeat, _line, _line, _value, _value, _number,
)  # fmt: skip
