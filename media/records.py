"""The records between the server and the media worker: fixed size, host byte order, read natively by `worker/loop.pyx`.

A message of the SOCK_SEQPACKET socket holds up to 512 commands (96 bytes each) or 800 events (40 bytes each). The first
command, in a message of its own, is `hello`, the first event GREETING; both carry VERSION. The first four bytes of
these two (op, flags, version) are the same in every version: a worker of another one finishes its calls alone.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from functools import lru_cache
from typing import NamedTuple

from media.plane import KEYS, PLAYLIST_LONGEST, RecordingOrder, RemoteMedia, Spoken
from media.security import PROFILES, Dtls, SrtpKeys

VERSION = 3
COMMAND_BYTES = 96
COMMANDS_A_MESSAGE = 512
EVENT_BYTES = 40
MESSAGE_BYTES = 65536
PROMPTS_MOST = 4096

_HEAD = struct.Struct("=BBHIII80s")  # op, flags, count, index, generation, argument, payload
_BRIDGE = struct.Struct("=BBHIIIII72x")
_CONNECT = struct.Struct("=HHHBBBBBBBBBB16sB")
_OTHER = struct.Struct("=8B")
_OTHERS_MOST = 5
_JOIN_PAYLOAD = struct.Struct("=QB")
_EVENT = struct.Struct("=BBHIII6I")
_SLOTS = [struct.Struct(f"={n}H") for n in range(PLAYLIST_LONGEST + 1)]

_HELLO, _LEASE, _CONNECT_OP, _BRIDGE_OP, _PLAY, _SILENCE = range(1, 7)
_ECHO, _SEND_DIGIT, _RELEASE, _PROMPT, _FORGET, _PING = range(7, 13)
_STOP, _WATCH, _TELL_STATS, _RETIRE, _OPEN_MISSING = range(13, 18)
GREETING, PORTS, READY, DIGIT, PLAYED, STATS, PONG = range(1, 8)
SOUND, KEY_END = 16, 24
_OPEN_CONFERENCE, _JOIN, _LEAVE, _CLOSE_CONFERENCE = range(30, 34)
_SECURITY, _KEYS_OP, _HANDSHAKE = range(50, 53)
SECURED, INSECURE, SECURITY_TOTALS = range(40, 43)
_RECORD, _MASK, _STOP_RECORDING = range(40, 43)
RECORDING_STARTED, RECORDING_MASKED, RECORDING_ENDED = range(32, 35)
DONE, REFUSED, LEASED, LEASED_PEER, SILENT, QUALITY = range(8, 14)
REFUSALS = ("stale", "unknown", "impossible", "full")  # why a command was REFUSED: its flags
DOING = ("nothing", "silence", "prompts", "bridge", "echo", "conference")  # flags of LEASED
TAG_BYTES = 16
NOBODY = 0xFFFFFFFF  # no partner

_NO_TYPE = 255
_IN_BAND_KEYS, _FEC, _PTIME_WISHED = 1, 2, 4
_OPUS = 111
_CODECS = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": _OPUS}
_L16 = {8000: 11, 16000: 12}  # by clock
_NAMES = {number: (name, 48000 if name == "OPUS" else 8000) for name, number in _CODECS.items()}
_NAMES |= {number: ("L16", clock_hz) for clock_hz, number in _L16.items()}
_MAY_SEND, _PEER_SENDS, _SECURED, _RTCP_MUX, _ICE, _DTLS = 1, 2, 4, 8, 16, 32
_HASHES = {"sha-256": 1, "sha-384": 2, "sha-512": 3}
_SHAKE = struct.Struct("=8s24s48s")


class Event(NamedTuple):
    """What the worker says: which fields mean something depends on `op`."""

    op: int
    flags: int
    version: int  # or a count
    port: int  # index in the range
    generation: int
    argument: int
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int


def events(message: bytes) -> list[Event]:
    """The events of one message; a torn record at its end is left out (the worker never sends one)."""
    whole = len(message) // EVENT_BYTES * EVENT_BYTES
    return [Event._make(fields) for fields in _EVENT.iter_unpack(message[:whole])]


def version_of(message: bytes) -> int:
    """Of a worker, by its first message; 0 if that is no greeting."""
    return int.from_bytes(message[2:4], sys.byteorder) if len(message) >= 4 and message[0] == GREETING else 0


def hello(grace_s: float) -> bytes:
    """`grace_s`: how long leases outlive the server that dies."""
    return _HEAD.pack(_HELLO, 0, VERSION, 0, 0, round(grace_s * 1000), b"")


def stop() -> bytes:
    return _HEAD.pack(_STOP, 0, 0, 0, 0, 0, b"")


def retire() -> bytes:
    """Give up free ports now, leased ones when they are released."""
    return _HEAD.pack(_RETIRE, 0, 0, 0, 0, 0, b"")


def open_missing() -> bytes:
    """Try again to open ports that somebody had; those that could be are announced."""
    return _HEAD.pack(_OPEN_MISSING, 0, 0, 0, 0, 0, b"")


def ping() -> bytes:
    return _HEAD.pack(_PING, 0, 0, 0, 0, 0, b"")


def lease(index: int, generation: int, tag: bytes = b"") -> bytes:
    """`tag`: TAG_BYTES at most, told to the next server."""
    return _HEAD.pack(_LEASE, 0, 0, index, generation, 0, tag)


def connect(index: int, generation: int, remote: RemoteMedia) -> bytes:
    family, host = _address(remote.host)
    codec = codec_number(remote.codec, remote.clock_hz)
    payload_type = remote.payload_type if 0 <= remote.payload_type <= 127 else codec
    fec, bitrate_kbps = _opus(codec, remote.fmtp)
    wished = _PTIME_WISHED if remote.ptime_ms else 0
    others = remote.others[:_OTHERS_MOST]
    payload = _CONNECT.pack(
        family if remote.port else 0,
        remote.port,
        (remote.port + 1 if remote.rtcp_port is None else remote.rtcp_port) & 0xFFFF,
        codec,
        payload_type,
        _type(remote.dtmf_payload_type),
        payload_type if remote.receive_type is None else remote.receive_type & 0x7F,
        _type(remote.dtmf_payload_type if remote.dtmf_receive_type is None else remote.dtmf_receive_type),
        min(max(remote.dtmf_clock_hz // 1000, 8), 48),
        min(max(remote.ptime_ms or 20, 10), 60),
        min(max(remote.max_ptime_ms, 0), 255),
        (_IN_BAND_KEYS if remote.in_band_keys else 0) | fec | wished,
        bitrate_kbps,
        host,
        len(others),
    ) + b"".join([_other(one) for one in others])
    flags = (_MAY_SEND if remote.sends else 0) | (_PEER_SENDS if remote.receives else 0)
    flags |= (_SECURED if remote.security else 0) | (_RTCP_MUX if remote.rtcp_mux else 0)
    flags |= (_ICE if remote.ice else 0) | (_DTLS if isinstance(remote.security, Dtls) else 0)
    return _HEAD.pack(_CONNECT_OP, flags, 0, index, generation, 0, payload)


def _other(one: Spoken) -> bytes:
    codec = codec_number(one.codec, one.clock_hz)
    return _OTHER.pack(
        codec, one.payload_type, one.receive_type, _type(one.dtmf_payload_type), _type(one.dtmf_receive_type),
        min(max(one.dtmf_clock_hz // 1000, 8), 48), *_opus(codec, one.fmtp),
    )  # fmt: skip


def _opus(codec: int, fmtp: str) -> tuple[int, int]:
    """(flag, kbit/s) of what a peer says of Opus."""
    if codec != _OPUS:
        return 0, 0
    parameters = _parameters(fmtp)
    fec = _FEC if parameters.get("useinbandfec") == "1" else 0
    return fec, _bitrate_kbps(parameters.get("maxaveragebitrate", ""))


def codec_number(codec: str, clock_hz: int) -> int:
    """The worker's number of a codec. ValueError: it has none."""
    number = _L16.get(clock_hz) if codec == "L16" else _CODECS.get(codec)
    if number is None:
        raise ValueError(f"no codec {codec}/{clock_hz}")
    return number


def codec_name(number: int) -> str:
    """Of the worker's number; empty if that is none."""
    return _NAMES.get(number, ("", 0))[0]


def _type(payload_type: int | None) -> int:
    return _NO_TYPE if payload_type is None else payload_type & 0x7F


@lru_cache(maxsize=256)
def _parameters(fmtp: str) -> dict[str, str]:
    """`a=1; b=2` as a dictionary with names in lower case."""
    pairs = (one.partition("=") for one in fmtp.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _bitrate_kbps(bits_a_second: str) -> int:
    """RFC 7587 6.1: 6 to 510 kbit/s; 0: the peer does not say, or says nonsense."""
    return min(int(bits_a_second) // 1000, 255) if bits_a_second.isdecimal() and 6000 <= int(bits_a_second) else 0


def security() -> bytes:
    """There will be SRTP: open its library now, while nobody waits. A memfd that comes with it holds the settings of
    handshakes, as JSON (see handshakes.py)."""
    return _HEAD.pack(_SECURITY, 0, 0, 0, 0, 0, b"")


def handshake(index: int, generation: int, dtls: Dtls, ice: bool, ufrag: str, pwd: str) -> bytes:
    """To follow `connect`: the peer's certificate, and our ICE credentials (at most 8 and 24 characters)."""
    flags = (1 if dtls.active else 0) | (2 if ice else 0)
    payload = _SHAKE.pack(ufrag.encode(), pwd.encode(), dtls.digest)
    return _HEAD.pack(_HANDSHAKE, flags, _HASHES[dtls.hash], index, generation, 0, payload)


def keys(index: int, generation: int, pair: SrtpKeys) -> bytes:
    """Two commands, to follow `connect`: the key we receive with, and the one we send with."""
    profile = PROFILES[pair.suite]
    return _HEAD.pack(_KEYS_OP, 0, 0, index, generation, profile, pair.receive) + _HEAD.pack(
        _KEYS_OP, 1, 0, index, generation, profile, pair.send
    )


def bridge(index: int, generation: int, other_index: int, other_generation: int) -> bytes:
    return _BRIDGE.pack(_BRIDGE_OP, 0, 0, index, generation, 0, other_index, other_generation)


def open_conference(number: int, speakers_most: int) -> bytes:
    return _HEAD.pack(_OPEN_CONFERENCE, 0, speakers_most, 0, 0, number, b"")


def join(index: int, generation: int, number: int, seat: int, hears: int) -> bytes:
    """`hears`: a bit for each seat. For a member: its new mask."""
    return _HEAD.pack(_JOIN, 0, 0, index, generation, number, _JOIN_PAYLOAD.pack(hears, seat))


def leave(index: int, generation: int) -> bytes:
    return _HEAD.pack(_LEAVE, 0, 0, index, generation, 0, b"")


def close_conference(number: int) -> bytes:
    return _HEAD.pack(_CLOSE_CONFERENCE, 0, 0, 0, 0, number, b"")


def play(index: int, generation: int, play_id: int, slots: list[int], loop: bool, once: int = 0) -> bytes:
    """`slots`: at most PLAYLIST_LONGEST prompts, by the numbers of `prompt`."""
    return _HEAD.pack(_PLAY, loop | once << 1, len(slots), index, generation, play_id, _SLOTS[len(slots)].pack(*slots))


def silence(index: int, generation: int) -> bytes:
    return _HEAD.pack(_SILENCE, 0, 0, index, generation, 0, b"")


def echo(index: int, generation: int) -> bytes:
    return _HEAD.pack(_ECHO, 0, 0, index, generation, 0, b"")


def send_digit(index: int, generation: int, digit: str, duration_ms: int) -> bytes:
    """ValueError if `digit` is none of KEYS."""
    return _HEAD.pack(_SEND_DIGIT, 0, KEYS.index(digit), index, generation, min(max(duration_ms, 40), 8000), b"")


def release(index: int, generation: int) -> bytes:
    return _HEAD.pack(_RELEASE, 0, 0, index, generation, 0, b"")


def record(
    index: int, generation: int, recording_id: int, beep_slot: int, beep_every_s: int, masked: bool = False
) -> bytes:
    """Its message passes a memfd with `recording_order`. No beep if `beep_every_s` is 0."""
    payload = struct.pack("=HH", beep_slot, min(max(beep_every_s, 0), 0xFFFF))
    return _HEAD.pack(_RECORD, masked, 0, index, generation, recording_id, payload)


def recording_order(order: RecordingOrder) -> bytes:
    """What the worker's recorder thread reads."""
    return json.dumps(
        {
            "folder": order.folder, "path": order.path, "stereo": order.stereo, "rate_hz": order.rate_hz,
            "key": order.key.hex(), "least_free_bytes": order.least_free_bytes, "hide_keys": order.hide_keys,
        }
    ).encode()  # fmt: skip


def mask(index: int, generation: int, recording_id: int, masked: bool) -> bytes:
    return _HEAD.pack(_MASK, masked, 0, index, generation, recording_id, b"")


def stop_recording(index: int, generation: int, recording_id: int) -> bytes:
    return _HEAD.pack(_STOP_RECORDING, 0, 0, index, generation, recording_id, b"")


def watch(index: int, generation: int, silent_after_ms: int) -> bytes:
    """0: no more."""
    return _HEAD.pack(_WATCH, 0, 0, index, generation, silent_after_ms, b"")


def tell_stats(index: int, generation: int, question: int) -> bytes:
    """Answered by QUALITY and STATS with the number of the question, which is not 0."""
    return _HEAD.pack(_TELL_STATS, 0, 0, index, generation, question, b"")


def prompt(slot: int) -> bytes:
    """Its message passes a memfd as `encoding.py` writes it."""
    return _HEAD.pack(_PROMPT, 0, 0, 0, 0, slot, b"")


def forget(slot: int) -> bytes:
    return _HEAD.pack(_FORGET, 0, 0, 0, 0, slot, b"")


def tag_of(leased: Event) -> bytes:
    """What was given with the lease, filled up with zeros."""
    return struct.pack("=4I", leased.a, leased.b, leased.c, leased.d)


def remote_of(leased: Event, peer: Event) -> RemoteMedia | None:
    """The peer of a lease that was found, from LEASED and LEASED_PEER; None: it was never connected."""
    if not peer.flags:
        return None
    address = struct.pack("=4I", peer.a, peer.b, peer.c, peer.d)
    host = socket.inet_ntop(*((socket.AF_INET, address[:4]) if peer.flags == 4 else (socket.AF_INET6, address)))
    codec, clock_hz = _NAMES.get(leased.version >> 8, ("PCMU", 8000))
    return RemoteMedia(
        host.removeprefix("::ffff:"),
        peer.version,
        codec,
        leased.version & 0xFF,
        None if peer.f == _NO_TYPE else peer.f,
        clock_hz=clock_hz,
    )


@lru_cache(maxsize=1024)
def _address(host: str) -> tuple[int, bytes]:
    """4 or 6 and the binary address; 0 for none: unspecified (RFC 3264 8.4, old-style hold), or a name, which we do not
    resolve."""
    for number, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        try:
            binary = socket.inet_pton(family, host)
        except OSError:
            continue
        return (number, binary) if any(binary) else (0, b"")
    return 0, b""
