"""What is never shown or exported: whatever a password could be found or guessed from, and keys of media.

Masked are the digest's `response` and `rspauth` (a dictionary finds a weak password from them), credentials of other
schemes, passwords in SIP URIs, and keys in SDP (RFC 4568 crypto, RFC 8866 k=, RFC 8839 ice-pwd). Each character becomes
a star, so that lengths stay true. Nothing switches this off.
"""

from __future__ import annotations

import re
from typing import Final

_HEADERS: Final = re.compile(
    rb"^(?:Proxy-)?Auth(?:orization|entication-Info)[ \t]*+:(?>(?:[^\r\n]++|\r?\n[ \t])*)",
    re.IGNORECASE | re.MULTILINE,
)
_DIGEST: Final = re.compile(rb"[^:]*+:(?>(?:[ \t]|\r?\n[ \t])*)Digest[ \t\r\n]", re.IGNORECASE)
_PROOF: Final = re.compile(rb'\b(?:response|rspauth)\s*+=\s*+"?+([^",;\s]++)', re.IGNORECASE)
_CREDENTIALS: Final = re.compile(rb":\s*+[^\s,]++\s++(.*)\Z", re.DOTALL)
_IN_URI: Final = re.compile(rb"sips?:[^\s:@<>\"]*+:([^\s@<>\"]++)@", re.IGNORECASE)
_IN_SDP: Final = re.compile(rb"^(?:a=crypto:[^\r\n]*+|k=[^:\r\n]*+:([^\r\n]++)|a=ice-pwd:([^\r\n]++))", re.MULTILINE)
_INLINE: Final = re.compile(rb"inline:([^|;\s]++)")


def mask(data: bytes) -> bytes:
    """The message without secrets; the same length."""
    data = _HEADERS.sub(_header, data)
    if b"@" in data:
        data = _IN_URI.sub(_group, data)
    return _IN_SDP.sub(_sdp, data)


def _stars(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + b"*" * (end - start) + data[end:]


def _group(found: re.Match[bytes]) -> bytes:
    """The match with its group starred."""
    return _stars(found[0], found.start(1) - found.start(), found.end(1) - found.start())


def _header(found: re.Match[bytes]) -> bytes:
    line = found[0]
    if b"uthentication" in line.lower().partition(b":")[0] or _DIGEST.match(line):
        return _PROOF.sub(_group, line)
    return _CREDENTIALS.sub(_group, line)


def _sdp(found: re.Match[bytes]) -> bytes:
    group = found.lastindex
    if group is None:
        return _INLINE.sub(_group, found[0])  # crypto: the line may hold several keys
    return _stars(found[0], found.start(group) - found.start(), found.end(group) - found.start())
