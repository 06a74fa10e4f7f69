"""Offer and answer (RFC 3264) for one audio stream with telephone-event (RFC 4733).

    we offer:   LocalDescription.offer()  ...their answer...  read_answer(answer, offer)  -> Negotiated
    they offer: LocalDescription.answer(offer)                                            -> text, Negotiated

A late offer (INVITE without a body) is the first form with our offer in the 200 and their answer in the ACK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from pbx.sdp.audio import AudioStream, read_audio
from pbx.sdp.codecs import EVENT_TYPES, Codec, forms_of
from pbx.sdp.errors import NoCommonCodec, NotAcceptable
from pbx.sdp.sdp import address_type, text_of
from pbx.sdp.security import NOTHING, Agreed, Parts, Secure

_PLAIN: Final = Parts("RTP/AVP", "", "")

_KEYS: Final = "0-15"  # of telephone-event (RFC 4733 2.4.1)

# Direction as (we send, we receive).
_BITS: Final = {
    "sendrecv": (True, True),
    "sendonly": (True, False),
    "recvonly": (False, True),
    "inactive": (False, False),
}
_NAMES: Final = {bits: name for name, bits in _BITS.items()}
_JOINT: Final = {  # (what we would do, what the peer's line says) -> what we do (RFC 3264 6.1)
    (ours, theirs): _NAMES[(a[0] and b[1], a[1] and b[0])] for ours, a in _BITS.items() for theirs, b in _BITS.items()
}


class Spoken(NamedTuple):
    """A codec that both sides agreed on, as Negotiated says it of the first."""

    codec: str
    clock_hz: int
    payload_type: int
    receive_type: int
    dtmf_payload_type: int | None
    dtmf_receive_type: int | None
    dtmf_clock_hz: int
    parameters: str


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on, as we have to use it."""

    host: str  # where the peer wants RTP
    port: int
    rtcp_port: int  # where it wants RTCP
    codec: str  # its name in the site's policy
    clock_hz: int  # of its RTP timestamps
    payload_type: int  # the peer's type for the codec: what we send with
    receive_type: int  # ours: what the peer's sound arrives with
    dtmf_payload_type: int | None  # the peer's type for telephone-event; None: it takes none
    dtmf_receive_type: int | None  # ours: what the peer's keys arrive with
    dtmf_clock_hz: int  # of the keys' timestamps
    ptime_ms: int  # that the peer asked for, 0 if it did not
    direction: str  # ours: sendrecv, sendonly (the peer only listens), recvonly (the peer holds us), inactive
    layout: tuple[str | None, ...] = (None,)  # the m-lines; a later offer of ours must keep them (RFC 3264 8)
    security: Agreed | None = None  # None: plain RTP
    rtcp_mux: bool = False  # RTCP comes and goes on the RTP ports (RFC 5761)
    parameters: str = ""  # of the codec, as the peer wants it (a=fmtp)
    max_ptime_ms: int = 0  # the longest packet that the peer takes; 0: it does not say
    others: tuple[Spoken, ...] = ()  # codecs that the peer may go over to at any packet (RFC 3264 6.1, 7)

    @property
    def sends(self) -> bool:
        """Whether we may send."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """Whether the peer sends."""
        return self.direction in ("sendrecv", "recvonly")

    @property
    def held(self) -> bool:
        """Whether the peer put us on hold."""
        return not self.sends


def make_offer(
    host: str, port: int, codecs: Sequence[str], *, session_id: int, version: int = 1, keys: bool = True,
    ptime_ms: int = 20, direction: str = "sendrecv", layout: tuple[str | None, ...] = (None,), parts: Parts = _PLAIN,
) -> str:  # fmt: skip
    """An offer of one audio stream; with the `layout` of an earlier Negotiated its other m-lines stay refused. `parts`:
    how it is secured."""
    formats, attributes = _offer_lines(tuple(codecs), keys, ptime_ms, direction)
    audio = f"m=audio {port} {parts.proto} {formats}\r\n{attributes}{parts.stream}"
    return _head(host, session_id, version, "0 0") + parts.session + _with_layout(audio, layout)


def offered_stream(
    host: str, port: int, codecs: Sequence[str], *, keys: bool = True, ptime_ms: int = 20,
    direction: str = "sendrecv", layout: tuple[str | None, ...] = (None,),
) -> AudioStream:  # fmt: skip
    """What `read_audio` would make of `make_offer` with the same arguments, without the text."""
    formats, maps, parameters = _offer_formats(tuple(codecs), keys)
    return AudioStream(
        host, port, "RTP/AVP", formats, maps, direction, ptime_ms, None, layout.index(None), layout, "0 0", NOTHING,
        parameters,
    )  # fmt: skip


def answer(
    offer: str | bytes | AudioStream, host: str, port: int, codecs: Sequence[str], *, session_id: int, version: int = 1,
    keys: bool = True, ptime_ms: int = 20, direction: str = "sendrecv", secure: Secure | None = None,
) -> tuple[str, Negotiated]:  # fmt: skip
    """The answer to an offer (its text, or what `read_audio` made of it) and what follows from both. `codecs` in order
    of preference: the first that the offer has is taken. Without `keys` no telephone-event is.

    Raises BadSdp (400), NotAcceptable, NotSecure or NoCommonCodec (488).
    """
    secure = secure or Secure()
    stream = offer if isinstance(offer, AudioStream) else read_audio(text_of(offer), srtp=secure.means.policy)
    codec, payload_type = _choose(stream, codecs)
    joint = _JOINT[direction, stream.direction]
    events = stream.telephone_event(codec.clock_hz) if keys else None
    parts, agreed = secure.answer(stream.security, stream.proto, host, port)
    spoken = _spoken(stream, codec, payload_type, payload_type, events, events)
    negotiated = _negotiated(stream, spoken, joint, stream.layout, agreed)
    formats, attributes = _answer_lines(codec._replace(payload_type=payload_type), events, ptime_ms, joint)
    audio = f"m=audio {port} {stream.proto} {formats}\r\n{attributes}{parts.stream}"
    head = _head(host, session_id, version, stream.time) + parts.session
    return head + _with_layout(audio, stream.layout), negotiated


def read_answer(text: str | bytes, offer: str | AudioStream, secure: Secure | None = None) -> Negotiated:
    """What the peer's answer makes of our offer. Raises BadSdp (400), NotAcceptable, NotSecure or NoCommonCodec (488):
    then there is a dialog but no session, and the call has to end."""
    ours = offer if isinstance(offer, AudioStream) else read_audio(offer)
    theirs = read_audio(text_of(text), ours.m_line)
    offered = ours.codecs()
    spoken = [
        _spoken(
            theirs, codec, payload_type, offered[codec], theirs.telephone_event(codec.clock_hz),
            ours.telephone_event(codec.clock_hz),
        )
        for codec, payload_type in theirs.codecs().items() if codec in offered
    ]  # fmt: skip
    if not spoken:
        raise NoCommonCodec("the answer has no codec of the offer")
    agreed = (secure or Secure()).answered(theirs.security, theirs.proto)
    joint = _JOINT[ours.direction, theirs.direction]
    return _negotiated(theirs, spoken[0], joint, ours.layout, agreed, tuple(spoken[1:]))


class LocalDescription:
    """Our side of one session: its id, and the version, one more whenever the description changes (RFC 3264 8)."""

    __slots__ = ("_offered", "said", "secure", "session_id", "version")

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id
        self.version = 1
        self._offered: AudioStream | None = None  # the offer made last
        self.said = ""  # the last description
        self.secure = Secure()

    def offer(
        self, host: str, port: int, codecs: Sequence[str], *, keys: bool = True, ptime_ms: int = 20,
        direction: str = "sendrecv", layout: tuple[str | None, ...] = (None,),
    ) -> str:  # fmt: skip
        self._offered = offered_stream(
            host, port, codecs, keys=keys, ptime_ms=ptime_ms, direction=direction, layout=layout
        )  # fmt: skip
        text = make_offer(
            host, port, codecs, session_id=self.session_id, version=self.version, keys=keys, ptime_ms=ptime_ms,
            direction=direction, layout=layout, parts=self.secure.offer(host, port),
        )  # fmt: skip
        return self._with_version(text)

    def answer(
        self, offer: str | bytes | AudioStream, host: str, port: int, codecs: Sequence[str], *, keys: bool = True,
        ptime_ms: int = 20, direction: str = "sendrecv",
    ) -> tuple[str, Negotiated]:  # fmt: skip
        text, negotiated = answer(
            offer, host, port, codecs, session_id=self.session_id, version=self.version, keys=keys, ptime_ms=ptime_ms,
            direction=direction, secure=self.secure,
        )  # fmt: skip
        return self._with_version(text), negotiated

    def offer_again(self) -> str:
        """The last description once more, as an offer that changes nothing (RFC 4028 7.4)."""
        self._offered = read_audio(self.said, srtp=self.secure.means.policy)
        return self.said

    def read_answer(self, text: str | bytes) -> Negotiated:
        """What the peer's answer makes of the offer made last. Raises NotAcceptable if none was made."""
        if self._offered is None:
            raise NotAcceptable("an answer without an offer")
        return read_answer(text, self._offered, self.secure)

    def _with_version(self, text: str) -> str:
        if self.said and text.partition("\r\ns=")[2] != self.said.partition("\r\ns=")[2]:
            self.version += 1
            text = text.replace(f" {self.version - 1} IN ", f" {self.version} IN ", 1)
        self.said = text
        return text


def _head(host: str, session_id: int, version: int, time: str) -> str:
    kind = address_type(host)
    return f"v=0\r\no=- {session_id} {version} IN {kind} {host}\r\ns=-\r\nc=IN {kind} {host}\r\nt={time}\r\n"


def _with_layout(audio: str, layout: tuple[str | None, ...]) -> str:
    if len(layout) == 1:
        return audio
    return "".join([audio if line is None else line for line in layout])


@lru_cache(maxsize=256)
def _offer_formats(codecs: tuple[str, ...], keys: bool) -> tuple[tuple[str, ...], dict[str, str], dict[str, str]]:
    """(formats, maps, parameters) of an offer, as AudioStream has them."""
    forms = forms_of(codecs)
    maps = {str(form.payload_type): form.encoding.upper() for form in forms}
    parameters = {str(form.payload_type): form.parameters for form in forms if form.parameters}
    for number, clock_hz in _offered_events(forms, keys):
        maps[str(number)] = f"TELEPHONE-EVENT/{clock_hz}"
        parameters[str(number)] = _KEYS
    return tuple(maps), maps, parameters


@lru_cache(maxsize=256)
def _offer_lines(codecs: tuple[str, ...], keys: bool, ptime_ms: int, direction: str) -> tuple[str, str]:
    """(formats, attribute lines) of an offer."""
    forms = forms_of(codecs)
    return _lines(forms, _offered_events(forms, keys), ptime_ms, direction)


def _offered_events(forms: list[Codec], keys: bool) -> list[tuple[int, int]]:
    """(payload type, clock) of each telephone-event: one for the clock of each codec, and always that of 8000 Hz."""
    clocks = {8000, *[form.clock_hz for form in forms]} if keys else ()
    return [(EVENT_TYPES[clock_hz], clock_hz) for clock_hz in sorted(clocks)]


@lru_cache(maxsize=1024)
def _answer_lines(codec: Codec, events: tuple[int, int] | None, ptime_ms: int, direction: str) -> tuple[str, str]:
    """(formats, attribute lines) of an answer."""
    return _lines([codec], [] if events is None else [events], ptime_ms, direction)


def _lines(forms: list[Codec], events: list[tuple[int, int]], ptime_ms: int, direction: str) -> tuple[str, str]:
    numbers, lines = [], []
    for form in forms:
        numbers.append(str(form.payload_type))
        lines.append(f"a=rtpmap:{form.payload_type} {form.encoding}\r\n")
        if form.parameters:
            lines.append(f"a=fmtp:{form.payload_type} {form.parameters}\r\n")
    for number, clock_hz in events:
        numbers.append(str(number))
        lines.append(f"a=rtpmap:{number} telephone-event/{clock_hz}\r\na=fmtp:{number} {_KEYS}\r\n")
    return " ".join(numbers), f"{''.join(lines)}a=ptime:{ptime_ms}\r\na={direction}\r\n"


def _choose(stream: AudioStream, codecs: Sequence[str]) -> tuple[Codec, int]:
    """(codec, payload type) of the first of our codecs that the offer has."""
    theirs = stream.codecs()
    for form in forms_of(tuple(codecs)):
        if form in theirs:
            return form, theirs[form]
    raise NoCommonCodec(f"no codec in common (ours: {', '.join(codecs)})")


def _negotiated(
    stream: AudioStream, spoken: Spoken, direction: str, layout: tuple[str | None, ...], agreed: Agreed | None,
    others: tuple[Spoken, ...] = (),
) -> Negotiated:  # fmt: skip
    return Negotiated(
        stream.host, stream.port, stream.rtcp_port or min(stream.port + 1, 65535), spoken.codec, spoken.clock_hz,
        spoken.payload_type, spoken.receive_type, spoken.dtmf_payload_type, spoken.dtmf_receive_type,
        spoken.dtmf_clock_hz, stream.ptime_ms or 0, direction, layout, agreed, stream.security.rtcp_mux,
        spoken.parameters, stream.max_ptime_ms or 0, others,
    )  # fmt: skip


def _spoken(
    stream: AudioStream, codec: Codec, payload_type: int, receive_type: int, their_keys: tuple[int, int] | None,
    our_keys: tuple[int, int] | None,
) -> Spoken:  # fmt: skip
    to, clock_hz = their_keys or (None, 8000)
    return Spoken(
        codec.name, codec.clock_hz, payload_type, receive_type, to, None if our_keys is None else our_keys[0], clock_hz,
        stream.parameters.get(str(payload_type), ""),
    )  # fmt: skip
