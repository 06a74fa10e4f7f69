"""The readers target: what the media plane reads in Python, each octet of it. The first one says which reader: STUN of
browsers, DTLS of them, rtpengine's replies, keys and captures, recordings as they lie on disk.

Only the declared errors may leave a reader; what is read and written again is the same.
"""

from __future__ import annotations

import atexit
import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from media.plane import MediaError
from media.recorded import RecordedFile
from media.rtpengine import bencode, description, keys, pcap, report
from media.rtpengine.bencode import BencodeError
from media.rtpengine.ng import Reply
from media.security import OwnCertificate
from media.worker import dtls, stun
from media.worker.recording_file import RecordingError

LIMIT_S: Final = 0.010
UFRAG, PWD = "ours", "p" * 22
KEY: Final = bytes(32)


def run(data: bytes) -> None:
    """Raises what should never be raised."""
    if data:
        READERS[data[0] % len(READERS)](data[1:])


def read_stun(data: bytes) -> None:
    message = stun.parse(data)
    reply = stun.answer(data, "2001:db8::1" if len(data) % 8 else "192.0.2.1", 40000, UFRAG, PWD)
    assert message is not None or reply == stun.Answer()
    if reply.packet:
        ours = stun.parse(reply.packet)
        assert ours is not None and message is not None and ours.transaction == message.transaction
        assert reply.valid == (ours.kind == stun.SUCCESS)


@cache
def _context() -> Any:
    return dtls.make_context(OwnCertificate.make().pem, ["ECDHE+AESGCM"], ["AEAD_AES_128_GCM"])


def read_dtls(data: bytes) -> None:
    """A first packet to the passive side; the loop passes none that is shorter."""
    if len(data) < 12:
        return
    try:
        dtls.Association(_context(), False, 0, bytes(32)).receive(data)
    except dtls.HandshakeFailed:
        pass


def read_reply(data: bytes) -> None:
    try:
        value = bencode.decode(data)
    except BencodeError:
        return
    assert bencode.decode(bencode.encode(value)) == value
    reply: Reply = value if isinstance(value, dict) else {"tags": {"a": value}, "SSRC": {"1": value}, "sdp": value}
    report.stats_of(reply, "a", "b", "PCMA")
    report.packets_heard(reply, "a")
    try:
        report.local_address(reply, "a")
        description.address_of(reply.get("sdp"))
    except MediaError:
        pass


def read_description(data: bytes) -> None:
    try:
        host, port = description.address_of(data)
    except MediaError:
        return
    assert host and 0 < port < 65536


def read_key(data: bytes) -> None:
    try:
        keys.read_key(data)
    except ValueError:
        pass


def read_capture(data: bytes) -> None:
    file = io.BytesIO(data)
    file.name = "x.pcap"
    try:
        for packet in pcap.packets(file):
            assert packet.payload and packet.payload_type < 128
    except pcap.NotACapture:
        pass


def read_recording(data: bytes) -> None:
    """Each part of it, by its place."""
    path = _folder() / "recording"
    path.write_bytes(data)
    try:
        with RecordedFile(str(path), KEY) as file:
            for start in (0, 44, file.size // 2, file.size - 1):
                assert len(file.read(max(0, start), 5000)) <= 5000
            assert file.media_type == "audio/ogg" or file.duration_s >= 0
    except RecordingError:
        pass


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


READERS: Final[tuple[Callable[[bytes], None], ...]] = (
    read_stun, read_dtls, read_reply, read_description, read_key, read_capture, read_recording
)  # fmt: skip
