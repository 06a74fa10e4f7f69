"""The audio stream of a description: what offer/answer works on, read the quick way or through the whole parser.

`read_audio` gives the same for the same text either way. The quick way takes descriptions with one audio line over
RTP/AVP(F) and nothing unusual - nearly all - and returns None for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pbx.sdp.codecs import BY_ENCODING, STATIC, Codec
from pbx.sdp.errors import BadSdp, NotAcceptable
from pbx.sdp.sdp import Media, Session, parse, split_lines
from pbx.sdp.security import LINES, NOTHING, SECURED, Security, security_of

DIRECTIONS: Final = frozenset(("sendrecv", "sendonly", "recvonly", "inactive"))
PROTOS: Final = frozenset(("RTP/AVP", "RTP/AVPF"))
NOWHERE: Final = frozenset(("0.0.0.0", "::", "0:0:0:0:0:0:0:0"))
MAX_PAYLOAD_TYPE: Final = 127  # seven bits (RFC 3550 5.1)
TELEPHONE_EVENT: Final = "TELEPHONE-EVENT/"
_UNUSUAL: Final = ("a=maxptime", *LINES)
_HELD: Final = {"sendrecv": "sendonly", "recvonly": "inactive"}
_READ_OVER: Final = frozenset(("v=", "s=", "b=", "i="))

_RTPMAP = re.compile(r"([0-9]{1,3}) +([A-Za-z0-9._+\-]+/[0-9]+(?:/[0-9]+)?)")
_QUICK_CONNECTION = re.compile(r"c=IN IP([46]) ([0-9A-Fa-f.:]+)\Z")
_QUICK_MEDIA = re.compile(r"m=audio ([0-9]{1,5}) (RTP/AVPF?) ([0-9 ]*[0-9])\Z")
_ORIGIN_LINE = re.compile(r"o=\S+ [0-9]{1,40} [0-9]{1,40} IN IP[46] \S+\Z")


class AudioStream(NamedTuple):
    """One audio line with all that applies to it."""

    host: str  # connection address
    port: int
    proto: str
    formats: tuple[str, ...]  # payload types in order of preference
    maps: dict[str, str]  # payload type -> "PCMA/8000", upper case; static ones only if they were mapped
    direction: str  # as its sender wrote it; a connection to nowhere means that he can't receive
    ptime_ms: int | None
    rtcp_port: int | None
    m_line: int  # which of the m-lines it is
    layout: tuple[str | None, ...]  # the m-lines: None for this one, the refusal for each other
    time: str  # t= of the session
    security: Security = NOTHING
    parameters: Mapping[str, str] = MappingProxyType({})  # payload type -> what fmtp says
    max_ptime_ms: int | None = None

    def encoding_of(self, payload_type: str) -> str | None:
        """What a payload type stands for, as "PCMA/8000" (no channel count if it is one); None if nobody says."""
        mapped = self.maps.get(payload_type) or STATIC.get(payload_type)
        return mapped.removesuffix("/1") if mapped and int(payload_type) <= MAX_PAYLOAD_TYPE else None

    def codec_of(self, payload_type: str) -> Codec | None:
        """The codec of a payload type; None if it is none of ours."""
        return BY_ENCODING.get(self.encoding_of(payload_type) or "")

    def codecs(self) -> dict[Codec, int]:
        """What we know of it, in its order: codec -> payload type."""
        found: dict[Codec, int] = {}
        for payload_type in self.formats:
            codec = self.codec_of(payload_type)
            if codec is not None:
                found.setdefault(codec, int(payload_type))
        return found

    def telephone_event(self, clock_hz: int = 8000) -> tuple[int, int] | None:
        """(payload type, clock) of telephone-event (RFC 4733): that of the sound's clock, else that of 8000 Hz, which
        many phones use with any codec; None if the stream has neither."""
        found: tuple[int, int] | None = None
        for payload_type in self.formats:
            encoding = self.encoding_of(payload_type)
            if encoding is not None and encoding.startswith(TELEPHONE_EVENT):
                clock = encoding.removeprefix(TELEPHONE_EVENT)
                if clock == str(clock_hz):
                    return int(payload_type), clock_hz
                if clock == "8000" and found is None:
                    found = int(payload_type), 8000
        return found


def read_audio(text: str, m_line: int | None = None, srtp: str = "off") -> AudioStream:
    """The audio stream of a description: that of a given m-line (reading an answer), or the first that could be taken;
    secured ones are passed over if `srtp` is "off", preferred if it is "required".

    Raises BadSdp for unreadable text, NotAcceptable if no such stream is there.
    """
    quick = quick_audio(text)
    if quick is not None and not m_line:
        return quick
    session = parse(text)
    if m_line is None:
        m_line = _first_usable(session, srtp)
    elif m_line >= len(session.media) or not _usable(session.media[m_line]):
        raise NotAcceptable("the audio stream was refused")
    return audio_of(session, m_line)


class _Attributes:
    """The attributes of the usual audio stream. What counts once may come once; `take` says False to the unusual."""

    __slots__ = ("direction", "maps", "parameters", "ptime_ms", "rtcp_port", "seen")

    def __init__(self) -> None:
        self.maps: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.direction = "sendrecv"
        self.ptime_ms: int | None = None
        self.rtcp_port: int | None = None
        self.seen = ""

    def take(self, line: str) -> bool:
        if line.startswith("a=rtpmap:"):
            found = _RTPMAP.match(line, 9)
            if found is None:
                return False
            self.maps.setdefault(found[1], found[2].upper())
        elif line.startswith("a=fmtp:"):
            _take_parameters(self.parameters, line[7:])
            return not line[-1].isspace()
        elif line[2:] in DIRECTIONS:
            self.direction = line[2:]
            return self._once("direction")
        elif line.startswith("a=ptime:"):
            self.ptime_ms = _ptime(line[8:])
            return self._once("ptime")
        elif line.startswith("a=rtcp:"):
            self.rtcp_port = _rtcp_port(line[7:])
            return self._once("rtcp")
        elif line.startswith(_UNUSUAL) or line[-1].isspace() or line in ("a=ptime", "a=rtcp", "a=rtpmap"):
            return False
        return True

    def _once(self, name: str) -> bool:
        if name in self.seen:
            return False
        self.seen += name
        return True


def quick_audio(text: str) -> AudioStream | None:
    """Read the usual description in one pass; None if it is not the usual one."""
    lines = split_lines(text)
    if lines[0] != "v=0":
        return None
    host: str | None = None
    media: re.Match[str] | None = None
    attributes = _Attributes()
    for line in lines:
        kind = line[:2]
        if kind == "a=":
            if media is None:
                if line[2:].rstrip() in DIRECTIONS or line.startswith(LINES):
                    return None
            elif not attributes.take(line):
                return None
        elif kind == "c=":
            found = _QUICK_CONNECTION.match(line)
            if found is None or host is not None:
                return None
            host = found[2]
        elif kind == "m=":
            if media is not None:
                return None
            media = _QUICK_MEDIA.match(line)
            if media is None:
                return None
        elif not (line == "t=0 0" or kind in _READ_OVER or (kind == "o=" and _ORIGIN_LINE.match(line))):
            return None
    if media is None or host is None or not 0 < int(media[1]) < 65536:
        return None
    return AudioStream(
        host, int(media[1]), media[2], tuple(media[3].split()), attributes.maps, _held(host, attributes.direction),
        attributes.ptime_ms, attributes.rtcp_port, 0, (None,), "0 0", NOTHING, attributes.parameters,
    )  # fmt: skip


def audio_of(session: Session, m_line: int) -> AudioStream:
    """The audio stream of one m-line of a whole description."""
    media = session.media[m_line]
    host = media.host or session.host
    if host is None:
        raise BadSdp("SDP: no connection address (c=) for the audio stream")
    maps: dict[str, str] = {}
    parameters: dict[str, str] = {}
    direction = next((name for name, value in session.attributes if name in DIRECTIONS and value is None), "sendrecv")
    direction = next((name for name, value in media.attributes if name in DIRECTIONS and value is None), direction)
    for name, value in media.attributes:
        if name == "rtpmap":
            found = _RTPMAP.match(value or "")
            if found is None:
                raise BadSdp(f"SDP: bad rtpmap {value!r}")
            maps.setdefault(found[1], found[2].upper())
        elif name == "fmtp":
            _take_parameters(parameters, value or "")
    ptime = media.first("ptime")
    ptime_ms = None if ptime is None else _ptime(ptime)
    longest = _ptime(media.first("maxptime") or "")
    if longest is not None and (ptime_ms or 20) > longest:
        ptime_ms = longest
    layout = tuple([None if n == m_line else refusal(one) for n, one in enumerate(session.media)])
    return AudioStream(
        host, media.port, media.proto, media.formats, maps, _held(host, direction), ptime_ms,
        _rtcp_port(media.first("rtcp") or ""), m_line, layout, session.time, security_of(session, media), parameters,
        longest,
    )  # fmt: skip


def _take_parameters(parameters: dict[str, str], value: str) -> None:
    payload_type, _, said = value.partition(" ")
    parameters.setdefault(payload_type, said.strip())


def refusal(media: Media) -> str:
    """The m-line that refuses a stream: port 0, one format because there must be one (RFC 3264 6)."""
    return f"m={media.kind} 0 {media.proto} {media.formats[0]}\r\n"


def _usable(media: Media) -> bool:
    return media.kind == "audio" and media.port > 0 and (media.proto in PROTOS or media.proto in SECURED)


def _first_usable(session: Session, srtp: str) -> int:
    usable = [index for index, media in enumerate(session.media) if _usable(media)]
    secured = [index for index in usable if session.media[index].proto in SECURED]
    if srtp == "off":
        usable = [index for index in usable if index not in secured]
    elif srtp == "required" and secured:
        usable = secured
    if not usable:
        raise NotAcceptable(f"no audio stream over RTP/{'AVP' if srtp == 'off' else 'AVP or RTP/SAVP'}")
    return usable[0]


def _held(host: str, direction: str) -> str:
    """The direction with the old form of hold: who gives no address can't receive (RFC 3264 8.4)."""
    return _HELD.get(direction, direction) if host in NOWHERE else direction


def _ptime(text: str) -> int | None:
    """Packet time in ms; None for one that makes no sense for speech."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        return None
    value = int(text)
    return value if 10 <= value <= 120 and value % 10 == 0 else None


def _rtcp_port(text: str) -> int | None:
    """a=rtcp (RFC 3605): the port alone; an address of its own for RTCP is not followed."""
    text = text.strip().partition(" ")[0]
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    return None
