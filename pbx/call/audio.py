"""The sound of one leg: its media port and what was negotiated for it by offer and answer (RFC 3264)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from media.plane import MediaPlane, MediaPort, PortsExhausted, PortStats, RemoteMedia, Spoken
from media.security import Dtls, IceCredentials, SrtpKeys
from pbx.sdp.audio import AudioStream, read_audio
from pbx.sdp.errors import NoCommonCodec, SdpError
from pbx.sdp.offer_answer import LocalDescription, Negotiated
from pbx.sdp.offer_answer import Spoken as AgreedCodec
from pbx.sdp.sdp import text_of
from pbx.sdp.security import OFF, Agreed, Means
from pbx.sip.errors import SipError

#: A direction seen from the other side.
FLIPPED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class Audio:
    """A port is leased when first needed and released once. `codec` is what was agreed, `codecs` what may be offered to
    others for the peer's sake, best first. Whatever reads a peer's SDP raises SipError (400, 488); without a free port
    it is SipError 503. `on_lost` is told when the port is gone because its media worker died, `on_silent` when the
    peer, who is not on hold, has sent nothing for `silent_after_ms`. `near` names a port that this one is best
    beside."""

    __slots__ = (
        "_heard", "_local", "_negotiated", "_plane", "_policy", "_tag", "codecs", "dtmf", "host", "near", "offered",
        "on_lost", "on_secure", "on_silent", "port", "silent_after_ms", "takes_info",
    )  # fmt: skip

    def __init__(
        self, plane: MediaPlane, host: str, policy: tuple[str, ...], session_id: int, tag: bytes, means: Means = OFF
    ) -> None:
        self._plane = plane
        self.host = host  # our address, as the peer should see it
        self._policy = policy  # the codecs that we may speak with this peer, best first
        self._tag = tag  # by which the next server knows the port again
        self._local = LocalDescription(session_id)
        self._local.secure.use(means)
        self._heard: AudioStream | None = None  # the peer's offer that waits for our answer
        self._negotiated: Negotiated | None = None
        self.codecs = policy
        self.dtmf = "auto"  # how keys go: auto, rfc4733, info, inband
        self.takes_info = False  # the peer says that it takes INFO
        self.offered = False  # our offer waits for the peer's answer
        self.on_secure: Callable[[bool], None] | None = None  # see MediaPort
        self.port: MediaPort | None = None
        self.on_lost: Callable[[], None] | None = None
        self.on_silent: Callable[[], None] | None = None
        self.silent_after_ms: int | None = None
        self.near: Callable[[], MediaPort | None] | None = None

    @property
    def codec(self) -> str | None:
        return None if self._negotiated is None else self._negotiated.codec

    @property
    def was_offered(self) -> bool:
        """The peer made the first offer."""
        return self._heard is not None

    @property
    def held(self) -> bool:
        """The peer does not want to hear us (RFC 3264 8.4)."""
        return self._negotiated is not None and self._negotiated.held

    @property
    def direction(self) -> str:
        """As the peer wrote it last."""
        return "sendrecv" if self._negotiated is None else FLIPPED[self._negotiated.direction]

    @property
    def takes_events(self) -> bool:
        """The peer takes keys as RFC 4733 events."""
        return self._negotiated is not None and self._negotiated.dtmf_payload_type is not None

    @property
    def in_band(self) -> bool:
        """The peer's keys are tones, and so are those for it: it has no other way, or so the site says."""
        return self.dtmf == "inband" or (self.dtmf == "auto" and not self.takes_events and not self.takes_info)

    @property
    def takes_keys(self) -> bool:
        """Keys go to the peer with its sound, and not by INFO."""
        return self.takes_events or self.in_band

    @property
    def _events(self) -> bool:
        """Whether we speak of telephone-event to the peer at all: its presses must come by one way."""
        return self.dtmf in ("auto", "rfc4733")

    def hear(self, body: bytes) -> None:
        """Take the peer's first offer, if there is one. Raises SipError when nothing in it is for us."""
        if not body:
            return
        self._heard, common = self._read_offer(text_of(body))
        self.codecs = (*common, *[codec for codec in self._policy if codec not in common])

    def answer(self, prefer: str | None = None) -> str:
        """Our answer to the peer's offer, with the codec `prefer` if it has it; our own offer if it made none. What was
        said once is said again (RFC 3261 13.3.1: every response has the same description)."""
        if self.port is not None and self._local.said:
            return self._local.said
        if self._heard is None:
            return self.offer(())
        codecs = (prefer, *self._policy) if prefer in self._policy else self._policy
        return self._answer(self._heard, codecs, "sendrecv")

    def secure_by(self, means: Means) -> None:
        """The first offer goes another way than was thought."""
        self._local.secure.use(means)

    def offer(self, prefer: tuple[str, ...]) -> str:
        """A first offer: all that we may speak, and what the other side of the call prefers comes first."""
        port = self._lease()
        self.offered = True
        first = [codec for codec in prefer if codec in self._policy]
        return self._offer(port, (*first, *[codec for codec in self._policy if codec not in first]))

    def reoffer(self, direction: str = "sendrecv") -> str:
        """An offer inside the session: what was agreed stays first."""
        port = self._lease()
        self.offered = True
        layout = (None,) if self._negotiated is None else self._negotiated.layout
        return self._offer(port, self._ordered(), direction, layout)

    def offer_again(self) -> str:
        """An offer that changes nothing: the last description once more."""
        if not self._local.said:
            return self.reoffer()
        self.offered = True
        return self._local.offer_again()

    def reanswer(self, offer: str, direction: str = "sendrecv") -> str:
        """Our answer to an offer inside the session; `direction` is what the other side of the bridge would do."""
        return self._answer(offer, self._ordered(), direction)

    def accept(self, text: str) -> str:
        """Take the peer's answer to our offer; returns the direction the peer wrote."""
        self.offered = False
        try:
            negotiated = self._local.read_answer(text)
        except SdpError as error:
            raise _sip(error) from None
        self._use(negotiated)
        return FLIPPED[negotiated.direction]

    def move(self) -> None:
        """After the port was lost: sound goes to the peer from another one, where the peer is yet to send his. Raises
        SipError 503 without a free port."""
        self._lease()
        if self._negotiated is not None:
            self._connect(self._negotiated)

    def answered(self) -> None:
        """The call is answered with what was agreed before: a phone behind NAT may begin to send only now, and the port
        looks out for it anew. Who has keys is known by them."""
        if self._negotiated is not None and self._negotiated.security is None and self.port is not None:
            self._connect(self._negotiated)

    def keep(self) -> dict[str, Any]:
        """What another server needs to go on with this sound, as JSON has it; not what was said, nor any keys."""
        agreed = self._negotiated
        assert agreed is not None
        return {
            "session_id": self._local.session_id, "version": self._local.version,
            "secure": agreed.security is not None, "agreed": asdict(replace(agreed, security=None)),
        }  # fmt: skip

    def take_up(self, kept: dict[str, Any]) -> None:
        """Go on with what another server kept, by the port that a media worker held for us. Without that nothing is
        sent in the clear to a peer whose keys are lost: he is asked for others."""
        self._local.session_id = kept["session_id"]
        self._local.version = kept["version"] + 1  # what is said next is not what was said last
        agreed = dict(kept["agreed"])
        agreed["layout"] = tuple(agreed["layout"])
        agreed["others"] = tuple([AgreedCodec(*one) for one in agreed.get("others", ())])
        self._negotiated = Negotiated(**agreed)
        self.port = self._plane.adopted().pop(self._tag, None)
        if self.port is not None:
            self.port.on_lost, self.port.on_secure, self.port.on_silent = self._lost, self.on_secure, self.on_silent
        elif kept["secure"]:
            self._negotiated = replace(self._negotiated, port=0)
        self.codecs = self._ordered()

    def direction_of(self, offer: str) -> str:
        """The direction an offer was written with, if it is one that we could take."""
        return self._read_offer(offer)[0].direction

    def _read_offer(self, text: str) -> tuple[AudioStream, list[str]]:
        """The stream and the codecs in common, as the peer prefers them."""
        try:
            secure = self._local.secure
            stream = read_audio(text, srtp=secure.means.policy)
            secure.choose(stream.security, stream.proto)
            theirs = dict.fromkeys([codec.name for codec in stream.codecs()])
            common = [codec for codec in theirs if codec in self._policy]
            if not common:
                raise NoCommonCodec(f"no codec in common (ours: {', '.join(self._policy)})")
        except SdpError as error:
            raise _sip(error) from None
        return stream, common

    def release(self, on_stats: Callable[[PortStats], None] | None = None) -> None:
        """Give the port back; `on_stats` is told the counters, zeros if there never was a port."""
        port, self.port = self.port, None
        self.on_lost = self.on_secure = self.on_silent = None
        self.near = None
        if port is not None:
            self._plane.release(port, on_stats)
        elif on_stats is not None:
            on_stats(PortStats())

    def ask(self, on_stats: Callable[[PortStats], None]) -> None:
        """What the port has counted so far."""
        if self.port is not None:
            self._plane.quality(self.port, on_stats)

    def _answer(self, offer: str | AudioStream, codecs: tuple[str, ...], direction: str) -> str:
        port = self._lease()
        try:
            text, negotiated = self._local.answer(
                offer, self.host, port.number, codecs, keys=self._events, direction=direction
            )
        except SdpError as error:
            raise _sip(error) from None
        self._use(negotiated)
        return text

    def _offer(
        self, port: MediaPort, codecs: tuple[str, ...], direction: str = "sendrecv",
        layout: tuple[str | None, ...] = (None,),
    ) -> str:  # fmt: skip
        try:
            return self._local.offer(
                self.host, port.number, codecs, keys=self._events, direction=direction, layout=layout
            )
        except SdpError as error:
            raise _sip(error) from None

    def _ordered(self) -> tuple[str, ...]:
        codec = self.codec
        return self._policy if codec is None else (codec, *[other for other in self._policy if other != codec])

    def _lease(self) -> MediaPort:
        if self.port is None:
            try:
                beside = None if self.near is None else self.near()
                self.port = port = self._plane.lease(beside, self._tag)
            except PortsExhausted as error:
                raise SipError(str(error), error.status) from None
            self.host = port.advertised or self.host
            port.on_lost, port.on_secure, port.on_silent = self._lost, self.on_secure, self.on_silent
            self._local.secure.prescribe(port.ice_ufrag, port.ice_pwd, port.fingerprint, port.srtp_keys)
        return self.port

    def _lost(self) -> None:
        self.port = None
        if self.on_lost is not None:
            self.on_lost()

    def _use(self, negotiated: Negotiated) -> None:
        self._negotiated = negotiated
        self.codecs = self._ordered()
        self._connect(negotiated)

    def _connect(self, negotiated: Negotiated) -> None:
        assert self.port is not None
        remote = RemoteMedia(
            negotiated.host, negotiated.port, negotiated.codec, negotiated.payload_type, negotiated.dtmf_payload_type,
            negotiated.rtcp_port, negotiated.ptime_ms, negotiated.sends, negotiated.receives, negotiated.receive_type,
            negotiated.clock_hz, negotiated.dtmf_receive_type, negotiated.dtmf_clock_hz, negotiated.rtcp_mux,
            _security(negotiated.security), _ice(negotiated.security), negotiated.parameters, negotiated.max_ptime_ms,
            in_band_keys=self.in_band, others=tuple([Spoken(*one) for one in negotiated.others]),
        )  # fmt: skip
        self._plane.connect(self.port, remote)
        if self.silent_after_ms is not None:
            talks = negotiated.receives and not negotiated.held
            self._plane.watch(self.port, self.silent_after_ms if talks else None)


def _security(agreed: Agreed | None) -> SrtpKeys | Dtls | None:
    if agreed is None:
        return None
    if agreed.suite:
        return SrtpKeys(agreed.suite, agreed.receive, agreed.send)
    return Dtls(agreed.hash, agreed.digest, agreed.active)


def _ice(agreed: Agreed | None) -> IceCredentials | None:
    return IceCredentials(agreed.ice_ufrag, agreed.ice_pwd) if agreed is not None and agreed.ice_ufrag else None


def _sip(error: SdpError) -> SipError:
    refusal = SipError(error.reason, error.status)
    if error.warning:
        refusal.warning = f'Warning: {error.warning} plateau "{error.reason}"\r\n'
    return refusal
