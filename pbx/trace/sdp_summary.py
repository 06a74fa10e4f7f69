"""A session description in a few words: `PCMA/PCMU`, `PCMA sendonly`, `opus+VP8 DTLS`. Never raises."""

from __future__ import annotations

import re
from typing import Final

_STATIC: Final = {"0": "PCMU", "3": "GSM", "8": "PCMA", "9": "G722", "18": "G729"}  # RFC 3551 6
_SECTION: Final = re.compile(r"^(?=m=)", re.MULTILINE)
_MEDIA: Final = re.compile(r"m=(\S{1,20}) (\d{1,5})\S* (\S{1,40})((?: \S{1,20})*)")
_MAP: Final = re.compile(r"^a=rtpmap:(\d{1,3}) ([^/\s]{1,20})", re.MULTILINE)
_DIRECTION: Final = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", re.MULTILINE)
_NOT_NAMED: Final = frozenset(("telephone-event", "CN", "red", "ulpfec", "rtx"))
_MOST: Final = 4  # codecs named of one stream, and streams


def sdp_summary(text: str) -> str:
    """Streams with their codecs, how they are secured, and the direction if it isn't both ways."""
    session, *sections = _SECTION.split(text)
    streams = [_stream(section) for section in sections[:_MOST]]
    secured = next(filter(None, map(_secured, sections)), "")
    directions = [found[1] for found in map(_DIRECTION.search, [*sections, session]) if found]
    direction = directions[0] if directions and directions[0] != "sendrecv" else ""
    return " ".join(filter(None, ("+".join(filter(None, streams)), secured, direction)))


def _stream(section: str) -> str:
    media = _MEDIA.match(section)
    if media is None:
        return ""
    if media[2] == "0":
        return f"no {media[1]}"
    if media[1] not in ("audio", "video"):
        return media[1]
    mapped = dict(_MAP.findall(section))
    named = dict.fromkeys(mapped.get(one) or _STATIC.get(one, one) for one in media[4].split())
    codecs = [name for name in named if name not in _NOT_NAMED]
    return "/".join(codecs[:_MOST]) + ("/..." if len(codecs) > _MOST else "")


def _secured(section: str) -> str:
    media = _MEDIA.match(section)
    return "" if media is None else "DTLS" if "TLS" in media[3] else "SRTP" if "SAVP" in media[3] else ""
