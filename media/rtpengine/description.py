"""SDP as rtpengine is told it: one audio stream of one codec, and what is read of its answers."""

from __future__ import annotations

from dataclasses import dataclass

from media.plane import MediaError, RemoteMedia

NAMES = {"PCMU": "PCMU/8000", "PCMA": "PCMA/8000", "G722": "G722/8000"}  # those of static payload types
NOWHERE = ("0.0.0.0", "::")
DTMF_TYPE = 101


@dataclass(frozen=True, slots=True)
class Voice:
    """One end of a stream. rtpengine 10.5 relays payload types as they are, so a codec has its static one."""

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

    @property
    def nowhere(self) -> bool:
        return self.host in NOWHERE

    def __str__(self) -> str:
        family = "IP6" if ":" in self.host else "IP4"
        types = [(self.payload_type, NAMES[self.codec])]
        if self.dtmf_type is not None:
            types.append((self.dtmf_type, "telephone-event/8000"))
        lines = [
            "v=0",
            f"o=- 1 1 IN {family} {self.host}",
            "s=-",
            f"c=IN {family} {self.host}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {' '.join(str(number) for number, _ in types)}",
            *[f"a=rtpmap:{number} {name}" for number, name in types],
            f"a=ptime:{self.ptime_ms}",
            f"a={self.direction}",
        ]
        if self.rtcp_port is not None and self.rtcp_port != self.port + 1:
            lines.append(f"a=rtcp:{self.rtcp_port}")
        if self.rtcp_mux:
            lines.append("a=rtcp-mux")
        return "".join(line + "\r\n" for line in lines)


_DIRECTIONS = {  # (we may send, the peer sends): as the peer writes it
    (True, True): "sendrecv", (True, False): "recvonly", (False, True): "sendonly", (False, False): "inactive"
}  # fmt: skip


def voice_of(remote: RemoteMedia) -> Voice:
    """Raises MediaError for what can't be left to rtpengine."""
    if remote.codec not in NAMES:
        raise MediaError(f"{remote.codec} can't be used with rtpengine 10.5: its payload types are not translated")
    if remote.security is not None:
        raise MediaError("rtpengine makes SRTP keys of its own, so a leg's SRTP can't be left to it")
    nowhere = remote.port == 0 or remote.host in NOWHERE
    return Voice(
        host="0.0.0.0" if nowhere else remote.host,
        port=remote.port or 9,
        codec=remote.codec,
        payload_type=remote.payload_type,
        dtmf_type=remote.dtmf_payload_type,
        ptime_ms=remote.ptime_ms,
        direction=_DIRECTIONS[remote.sends, remote.receives],
        rtcp_port=remote.rtcp_port,
        rtcp_mux=remote.rtcp_mux,
        clock_hz=remote.clock_hz,
    )


def address_of(sdp: object) -> tuple[str, int]:
    """Where the daemon wants the sound of an end. Raises MediaError."""
    host, port = "", 0
    if isinstance(sdp, bytes):
        for line in sdp.decode("ascii", "replace").splitlines():
            if line.startswith("c=IN IP"):
                host = line.split()[-1]
            elif line.startswith("m=audio "):
                port = int(line.split()[1]) if line.split()[1].isdigit() else 0
    if not host or not port:
        raise MediaError("rtpengine's SDP has no port for audio")
    return host, port
