"""SDP as rtpengine is told it: one audio stream of one codec, and what is read of its answers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace

from media.plane import MediaError, RemoteMedia
from media.rtpengine.own import Own
from media.security import Dtls, IceCredentials, SrtpKeys

NOWHERE = ("0.0.0.0", "::")  # of IPv4, of IPv6
DTMF_TYPE = 101


STATIC = {"PCMU": 0, "PCMA": 8, "G722": 9}  # codecs whose payload type is always the same (RFC 3551 6)


@dataclass(frozen=True, slots=True)
class Voice:
    """One end of a stream."""

    host: str = "0.0.0.0"  # that address: nothing is sent there, what comes is not passed on
    port: int = 9
    codec: str = "PCMA"
    payload_type: int = 8
    dtmf_type: int | None = DTMF_TYPE
    ptime_ms: int = 20
    direction: str = "sendrecv"  # as that end would write it
    rtcp_port: int | None = None
    rtcp_mux: bool = False
    clock_hz: int = 8000
    dtmf_clock_hz: int = 8000  # that the peer really counts keys in
    fmtp: str = ""
    security: SrtpKeys | Dtls | None = None
    ice: IceCredentials | None = None
    crypto_tag: str = "1"  # of the suite in rtpengine's offer

    @property
    def proto(self) -> str:
        """Of the m-line, and as rtpengine names it."""
        if self.security is None:
            return "RTP/AVP"
        return "RTP/SAVP" if isinstance(self.security, SrtpKeys) else "UDP/TLS/RTP/SAVPF"

    @property
    def nowhere(self) -> bool:
        return self.host in NOWHERE

    @property
    def static(self) -> bool:
        return self.codec in STATIC

    @property
    def format(self) -> str:
        """As a=rtpmap and rtpengine name it."""
        return "opus/48000/2" if self.codec == "OPUS" else f"{self.codec}/{self.clock_hz}"

    def joins(self, other: Voice) -> bool:
        """rtpengine can put both ends together. It chooses the payload type of what it makes, and relays types as they
        are, so that one of them must have a static one, if they have not the same. Where both have SDES it would pass
        on the one's key to the other."""
        if isinstance(self.security, SrtpKeys) and isinstance(other.security, SrtpKeys):
            return False
        return self.static or other.static or (self.format, self.payload_type) == (other.format, other.payload_type)

    def between(self, other: Voice) -> Voice:
        """What the way between two ends speaks that are not put together: the same for `other`, asked for this."""
        if (self.format, self.payload_type) == (other.format, other.payload_type):
            return self
        static = sorted({one.codec for one in (self, other) if one.static}) or ["G722"]
        return replace(self, codec=static[0], payload_type=STATIC[static[0]], clock_hz=8000, fmtp="")

    def __str__(self) -> str:
        family = "IP6" if ":" in self.host else "IP4"
        types = [(self.payload_type, self.format)]
        if self.dtmf_type is not None:
            # Of another clock than the codec's (RFC 4733 2.1 forbids that) rtpengine knows no keys when it transcodes.
            types.append((self.dtmf_type, f"telephone-event/{self.clock_hz}"))
        lines = [
            "v=0",
            f"o=- 1 1 IN {family} {self.host}",
            "s=-",
            f"c=IN {family} {self.host}",
            "t=0 0",
            f"m=audio {self.port} {self.proto} {' '.join(str(number) for number, _ in types)}",
            *[f"a=rtpmap:{number} {name}" for number, name in types],
            *([f"a=fmtp:{self.payload_type} {self.fmtp}"] if self.fmtp else []),
            f"a=ptime:{self.ptime_ms}",
            f"a={self.direction}",
        ]
        if self.rtcp_port is not None and self.rtcp_port != self.port + 1:
            lines.append(f"a=rtcp:{self.rtcp_port}")
        if self.rtcp_mux:
            lines.append("a=rtcp-mux")
        lines += self._security_lines()
        return "".join(line + "\r\n" for line in lines)

    def _security_lines(self) -> Iterator[str]:
        if isinstance(self.security, SrtpKeys):
            key = base64.b64encode(self.security.receive).decode()
            yield f"a=crypto:{self.crypto_tag} {self.security.suite} inline:{key}"
        elif self.security is not None:
            yield f"a=fingerprint:{self.security.hash} {self.security.digest.hex(':').upper()}"
            yield f"a=setup:{'passive' if self.security.active else 'active'}"
        if self.ice is not None:
            yield f"a=ice-ufrag:{self.ice.ufrag}"
            yield f"a=ice-pwd:{self.ice.pwd}"


_DIRECTIONS = {  # (we may send, the peer sends): as the peer writes it
    (True, True): "sendrecv", (True, False): "recvonly", (False, True): "sendonly", (False, False): "inactive"
}  # fmt: skip


def voice_of(remote: RemoteMedia, own: Own, nowhere: str = NOWHERE[0]) -> Voice:
    """`own`: what rtpengine shows at the port; `nowhere`: the address that stands for none. Raises MediaError for what
    can't be left to it."""
    suite = remote.security.suite if isinstance(remote.security, SrtpKeys) else ""
    if (suite and suite not in own.keys) or (isinstance(remote.security, Dtls) and not own.fingerprint):
        raise MediaError("rtpengine was not asked for SRTP here")
    if remote.codec not in (*STATIC, "OPUS"):
        raise MediaError(f"rtpengine 10.5 has no {remote.codec}")
    return Voice(
        host=nowhere if remote.port == 0 or remote.host in NOWHERE else remote.host,
        port=remote.port or 9,
        codec=remote.codec,
        payload_type=remote.payload_type,
        dtmf_type=remote.dtmf_payload_type,
        ptime_ms=remote.ptime_ms or 20,
        direction=_DIRECTIONS[remote.sends, remote.receives],
        rtcp_port=remote.rtcp_port,
        rtcp_mux=remote.rtcp_mux,
        clock_hz=remote.clock_hz,
        dtmf_clock_hz=remote.dtmf_clock_hz,
        fmtp=remote.fmtp,
        security=remote.security,
        ice=remote.ice,
        crypto_tag=own.tags.get(suite, "1"),
    )


def address_of(sdp: object) -> tuple[str, int]:
    """Where the daemon wants the sound of an end. Raises MediaError."""
    host, port = "", 0
    if isinstance(sdp, bytes):
        for line in sdp.decode("ascii", "replace").splitlines():
            words = line.split()
            if line.startswith("c=IN IP"):
                host = words[-1]
            elif line.startswith("m=audio ") and len(words) > 1:
                port = int(words[1]) if words[1].isdigit() and len(words[1]) <= 5 else 0
    if not host or not 0 < port < 65536:
        raise MediaError("rtpengine's SDP has no port for audio")
    return host, port
