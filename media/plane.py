"""The media plane as the call layer sees it. One interface, several makers: `worker` (own process), `fake` (tests).

No call here blocks or waits for the worker: a port is leased from a pool that the worker opened and announced before,
so an SDP answer needs no round trip. Commands of one turn of the loop leave in one write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from config.frozen import frozen
from media.security import Dtls, IceCredentials, SrtpKeys


class MediaError(Exception):
    """Root of the media plane's errors."""


class PortsExhausted(MediaError):
    """No free port in the site's range: the call that wanted one is refused with 503."""

    status = 503


class UnknownPrompt(MediaError):
    """A prompt that the site's folder does not hold."""


class PlaylistTooLong(MediaError):
    """More than PLAYLIST_LONGEST prompts in one `play`."""


class UnknownKey(MediaError):
    """A digit to send that is none of KEYS."""


class BadPrompt(MediaError):
    """One or more files of the prompts folder can't be used; the text names each with its reason."""


class ConferencesExhausted(MediaError):
    """No more conferences, or no more members in this one: who wanted in is refused with 503."""

    status = 503


class WorkerFailed(MediaError):
    """The media worker could not be started, or not one port could be opened."""


CODECS = ("PCMU", "PCMA", "G722", "OPUS", "L16")
KEYS = "0123456789*#ABCD"  # by RFC 4733 event code
PLAYLIST_LONGEST = 32  # prompts
MEMBERS_MOST = 64  # of one conference
SPEAKERS_MOST = 4  # that are summed, the loudest of those a member hears


class Spoken(NamedTuple):
    """A codec that was agreed on, as RemoteMedia says it of the first."""

    codec: str
    clock_hz: int
    payload_type: int
    receive_type: int
    dtmf_payload_type: int | None
    dtmf_receive_type: int | None
    dtmf_clock_hz: int
    fmtp: str = ""


@frozen
class RemoteMedia:
    """Where a leg's peer wants its sound, as negotiated by SDP."""

    host: str  # connection address; "0.0.0.0" or port 0: nothing is sent
    port: int  # RTP port
    codec: str  # one of CODECS
    payload_type: int  # the peer's RTP payload type for the codec
    dtmf_payload_type: int | None = None  # the peer's type for telephone-event (RFC 4733)
    rtcp_port: int | None = None  # None: port + 1
    ptime_ms: int = 0  # the length of packets that the peer asks for; 0: it does not say, and gets 20
    sends: bool = True  # we may send (not on hold: a=sendonly or inactive from the peer)
    receives: bool = True  # the peer sends
    receive_type: int | None = None  # what the peer's sound arrives with; None: payload_type
    clock_hz: int = 8000  # of the codec's RTP timestamps
    dtmf_receive_type: int | None = None  # what the peer's keys arrive with; None: dtmf_payload_type
    dtmf_clock_hz: int = 8000  # of the keys' timestamps
    rtcp_mux: bool = False  # RTCP on the RTP port, both ways (RFC 5761)
    security: SrtpKeys | Dtls | None = None  # None: plain RTP; otherwise nothing in the clear passes, either way
    ice: IceCredentials | None = None  # then the peer is where its checks come from, whatever host and port say
    fmtp: str = ""  # the codec's parameters as the peer gave them (a=fmtp)
    max_ptime_ms: int = 0  # a=maxptime of the peer; 0: it does not say
    in_band_keys: bool = False  # the peer has no telephone-event: its keys are tones, and so are those for it
    others: tuple[Spoken, ...] = ()  # what else the peer may send at any time, and is sent from then on


@frozen
class PortStats:
    """Counters of one port from lease to release."""

    packets_received: int = 0
    packets_sent: int = 0
    packets_lost: int = 0  # RFC 3550 A.3, cumulative
    packets_dropped: int = 0  # from a stranger, malformed, late
    jitter_ms: float = 0.0  # RFC 3550 A.8, of what arrived here
    loss_bursts: int = 0  # runs of lost packets
    rtt_ms: float | None = None  # round trip by RTCP (RFC 3550 6.4.1), smoothed; None: no report told it
    peer_lost: int = 0  # packets of ours that the peer missed, by its last report
    peer_jitter_ms: float = 0.0  # of ours, there
    peer_reports: int = 0  # reports of the peer about our stream
    concealed_ms: int = 0  # of decoded sound: lost, late or not decodable
    decode_errors: int = 0  # packets that did not decode
    late: int = 0  # packets that came after their time, where sound was decoded
    mos: float | None = None  # mean opinion score (1 to 4.5) of what arrived here (media/quality.py); None: nothing did
    peer_mos: float | None = None  # of what the peer hears, by its reports
    codec: str = ""  # that it speaks by now, of those that were agreed on; empty: the plane does not know


@dataclass(slots=True)
class MediaPort:
    """One leased RTP/RTCP pair. Belongs to exactly one leg; `release` ends it."""

    number: int  # local RTP port, RTCP is number + 1
    host: str  # address to write into SDP
    generation: int  # tells this lease from earlier ones of the same number
    worker: int = 0  # which worker has it
    advertised: str = ""  # what SDP must show, wherever the signalling is; empty: the call layer knows
    tag: bytes = b""  # 16 bytes, of a port that was adopted
    doing: str = ""  # what an adopted port does: nothing, silence, prompts, bridge, echo
    ice_ufrag: str = ""  # ours, for SDP; empty if the plane has no DTLS
    ice_pwd: str = field(default="", repr=False)
    fingerprint: str = ""  # of the certificate that DTLS shows here, if it is not the plane's
    srtp_keys: Mapping[str, bytes] | None = field(default=None, repr=False)  # ours, by suite; None: any will do
    on_digit: Callable[[str], None] | None = field(default=None, repr=False)  # once a key, when it begins
    keys: int = 0  # that have been heard in the sound: as events, or as tones
    on_key_end: Callable[[str, int], None] | None = field(default=None, repr=False)  # and when it ends: held so many ms
    on_played: Callable[[int], None] | None = field(default=None, repr=False)  # a playlist ended by itself: its play id
    on_lost: Callable[[], None] | None = field(default=None, repr=False)  # the worker died: the port is gone already
    on_secure: Callable[[bool], None] | None = field(default=None, repr=False)  # False: it can't be; the port is mute
    on_silent: Callable[[], None] | None = field(default=None, repr=False)  # see `watch`

    def forget(self) -> None:
        """Nobody is told anything any more."""
        self.on_digit = self.on_key_end = self.on_played = self.on_lost = self.on_secure = self.on_silent = None


@dataclass(slots=True)
class Conference:
    """A mix: every member hears the sum of those whom it hears, without itself. Ends with `close_conference`."""

    number: int
    generation: int  # tells it from earlier ones of the same number
    worker: int = 0  # which worker mixes
    lost: bool = False  # that worker died: it has no members any more, and can have none


@dataclass(frozen=True, slots=True)
class RecordingOrder:
    """How a port is recorded, and into which file. Left is what the port receives, right what it is sent."""

    folder: str  # must exist
    path: str  # below it, with "/"; folders between are made; the file must not exist
    stereo: bool = True  # False: both sides mixed into one
    rate_hz: int = 8000
    key: bytes = field(default=b"", repr=False)  # 32 bytes: enciphered (media/worker/recording_file.py)
    least_free_bytes: int = 0  # the recording fails before the file system has less
    beep: str | None = None  # prompt that both parties of a bridge hear, in place of each other
    beep_every_s: int = 15
    hide_keys: bool = False  # silence in place of keys that a peer sends as tones (others are in no recording)
    masked: bool = False  # from the beginning


@dataclass(frozen=True, slots=True)
class RecordingEvent:
    """What became of a recording. `started` comes once its file is open, `ended` always, once, and last. `lost`: the
    port is, and `ended` takes its time."""

    kind: str  # started, masked, unmasked, lost, ended
    recording_id: int
    at_ms: int = 0  # masked, unmasked: place in the recording; ended: its length
    why: str = ""  # ended: stopped, released (the port), failed, lost (the worker died)
    error: int = 0  # ended: errno if the file could not be written
    packets_lost: int = 0  # found no room, as the disk was too slow
    packets_late: int = 0
    size_bytes: int = 0


class MediaPlane(Protocol):
    """All calls are immediate and ordered per port. Unknown or released ports are ignored and counted."""

    @property
    def fingerprint(self) -> str:
        """Of the certificate that DTLS shows, as SDP writes it: "sha-256 AB:CD:..."; empty: no DTLS."""

    def lease(self, beside: MediaPort | None = None, tag: bytes = b"") -> MediaPort:
        """Take a free port, of the worker of `beside` if it has one; silent until told otherwise. `tag` (16 bytes at
        most) is what the next server finds it by if this one dies. Raises PortsExhausted."""

    def adopted(self) -> dict[bytes, MediaPort]:
        """Ports that an earlier server leased and whose sound still flows, by their tags. Pop what you claim; what is
        left when the grace is over is released."""

    def connect(self, port: MediaPort, remote: RemoteMedia) -> None:
        """Set or change (re-INVITE) the peer; re-arms latching."""

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        """Each hears the other (transcoding if codecs differ); ends whatever was played to either."""

    def play(self, port: MediaPort, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
        """Play prompts one after the other; returns the play id that `on_played` reports. Raises UnknownPrompt,
        PlaylistTooLong. When the list has ended, silence packets follow. In a loop, the first `once` prompts are heard
        once, and their end is reported; the others follow without a gap, again and again."""

    def silence(self, port: MediaPort) -> None:
        """Stop playing or bridging: send silence."""

    def echo(self, port: MediaPort) -> None:
        """Send back what arrives."""

    def open_conference(self, speakers_most: int = SPEAKERS_MOST) -> Conference:
        """A mix without members. Raises ConferencesExhausted."""

    def join(
        self, conference: Conference, port: MediaPort, hears: Sequence[MediaPort] | None = None,
        heard_by: Sequence[MediaPort] | None = None,
    ) -> None:  # fmt: skip
        """Make a port a member, or change whom a member hears and who hears it. None: everybody, whoever joins later
        too. A hears B if both say so: A wants to hear B, and B may be heard by A. Ports that are named need not be
        members yet. A port is in one conference at most; `bridge`, `play`, `silence`, `echo` and `release` take it out,
        and whatever it was doing ends here. Keys are told by `on_digit` and not passed on. A conference that is lost or
        closed is ignored and counted. Raises ConferencesExhausted beyond MEMBERS_MOST."""

    def leave(self, port: MediaPort) -> None:
        """Out of its conference: silent until told otherwise. Who is in none is left as it is."""

    def close_conference(self, conference: Conference) -> None:
        """Its members are silent."""

    def send_digit(self, port: MediaPort, digit: str, duration_ms: int = 160) -> None:
        """Send one key, in place of whatever else is playing: by RFC 4733, or as tones (`in_band_keys`). Raises
        UnknownKey."""

    def record(self, port: MediaPort, order: RecordingOrder, on_event: Callable[[RecordingEvent], None]) -> int:
        """Record a port until `stop_recording` or its release; returns the recording's id, which is never 0. A port has
        one recording at most: a new one ends the old, and is masked if that was. Whatever fails is told by
        `on_event` ("ended", why "failed")."""

    def mask(self, recording_id: int, masked: bool) -> None:
        """From now on nothing of either side is recorded, but silence; or all is again."""

    def stop_recording(self, recording_id: int) -> None:
        """`on_event` is told "ended" when the file is complete."""

    def watch(self, port: MediaPort, silent_after_ms: int | None) -> None:
        """Call `on_silent` when the peer has sent neither RTP nor RTCP for so long, once until it is heard again; to
        half a second. None: no more, as on hold."""

    def quality(self, port: MediaPort, on_stats: Callable[[PortStats], None]) -> None:
        """The counters so far; zeros if the lease is over."""

    def release(self, port: MediaPort, on_stats: Callable[[PortStats], None] | None = None) -> None:
        """Give the port back; callbacks are dropped at once; `on_stats` is called when the counters arrive (or with
        zeros if the worker is gone)."""

    def comfort_noise(self, port: MediaPort) -> int:
        """Like `silence`, but a listener hears that the line lives; a play id that never ends. Raises UnknownPrompt
        where the site's tones are not loaded."""

    def has_prompt(self, name: str) -> bool: ...

    def speak(self, text: str, voice: str | None, on_ready: Callable[[str | None], None]) -> None:
        """Make a prompt of a text. `on_ready(its name)` follows, at once if it is there already, within the site's
        `speech.timeout_s` in any case; None: it can't be spoken. Play it soon: it gives way to others some day."""
