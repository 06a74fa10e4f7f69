"""SRTP by a real rtpengine: keys in the signalling for every suite, DTLS and ICE against aiortc."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.rtpengine import Rtpengine
from bench.srtp import Srtp
from media.plane import MediaError, MediaPort
from media.rtpengine.own import Own
from media.rtpengine.plane import RtpenginePlane
from media.security import SUITES, SrtpKeys
from tests.media.conftest import Packet, Phone
from tests.media.rtpengine.conftest import MakePhone, caller, plane_of, settle
from tests.media.test_aiortc import Peer, heard

CM80 = "AES_CM_128_HMAC_SHA1_80"


@pytest.fixture
async def plane(daemon: Rtpengine, prompts: Path) -> AsyncIterator[RtpenginePlane]:
    made = await plane_of(daemon, prompts, srtp=True)
    yield made
    await made.close()


class SafePhone:
    """A phone with keys for its port: those that the port shows, and its own."""

    def __init__(self, plane: RtpenginePlane, phone: Phone, suite: str, beside: MediaPort | None = None) -> None:
        self.plane, self.phone, self.suite = plane, phone, suite
        self.port = plane.lease(beside)
        assert self.port.srtp_keys is not None
        self.theirs = self.port.srtp_keys[suite]
        self.rekey()

    def rekey(self) -> None:
        key = secrets.token_bytes(sum(SUITES[self.suite]))
        self.out, self.back = Srtp(self.suite, key), Srtp(self.suite, self.theirs)
        self.plane.connect(self.port, self.phone.remote(security=SrtpKeys(self.suite, key, self.theirs)))

    def send(self, payload: bytes) -> None:
        self.phone.rtp.sendto(self.out.protect(self.phone.packet(payload)), ("127.0.0.1", self.port.number))
        self.phone.seq += 1
        self.phone.timestamp += 160

    def opened(self, packets: list[Packet]) -> set[bytes]:
        """Payloads."""
        found = set()
        for one in packets:
            head = struct.pack(">BBHII", 0x80, one.payload_type | one.marker << 7, one.seq, one.timestamp, one.ssrc)
            found.add(self.back.unprotect(head + one.payload)[12:])
        return found


async def exchanged(one: SafePhone, two: SafePhone) -> tuple[set[bytes], set[bytes]]:
    """What each heard of the other."""
    one.phone.forget_heard()
    two.phone.forget_heard()
    for _ in range(10):
        one.send(b"\x21" * 160)
        two.send(b"\x22" * 160)
        await asyncio.sleep(0.01)
    return one.opened(await one.phone.listen(0.1)), two.opened(await two.phone.listen(0.1))


@pytest.mark.parametrize("suite", SUITES)
async def test_keys_of_the_signalling(plane: RtpenginePlane, phone: MakePhone, suite: str) -> None:
    one = SafePhone(plane, phone(payload_type=8), suite)
    two = SafePhone(plane, phone(payload_type=8, ssrc=0x99), suite if suite == CM80 else "AEAD_AES_128_GCM", one.port)
    plane.bridge(one.port, two.port)
    await settle(plane, one.port, two.port)
    assert await exchanged(one, two) == ({b"\x22" * 160}, {b"\x21" * 160})
    one.rekey()  # re-INVITE
    await settle(plane, one.port, two.port)
    assert await exchanged(one, two) == ({b"\x22" * 160}, {b"\x21" * 160})


async def test_one_is_safe_and_the_other_plain(plane: RtpenginePlane, phone: MakePhone) -> None:
    one, plain = SafePhone(plane, phone(payload_type=8), CM80), phone(payload_type=8, ssrc=0x99)
    port = caller(plane, plain, beside=one.port)
    plane.bridge(port, one.port)
    await settle(plane, one.port, port)
    for _ in range(10):
        one.send(b"\x21" * 160)
        plain.send(port, b"\x22" * 160)
        one.phone.send(one.port, b"\x23" * 160)  # in the clear: it does not pass
        await asyncio.sleep(0.01)
    assert one.opened(await one.phone.listen(0.1)) == {b"\x22" * 160}
    assert {packet.payload for packet in await plain.listen(0.1)} == {b"\x21" * 160}
    plane.play(one.port, ["one"], loop=True)
    await settle(plane, one.port)
    one.phone.forget_heard()
    assert len(one.opened(await one.phone.listen(0.2))) > 1


@pytest.mark.parametrize("calls", [True, False])
async def test_handshakes(plane: RtpenginePlane, calls: bool) -> None:
    peer = Peer(plane)
    assert peer.port.fingerprint == plane.fingerprint
    await (peer.offers() if calls else peer.answers())
    async with asyncio.timeout(30):
        assert await heard(await peer.tracks.get()) > 0.8
    await peer.close()


async def test_without_srtp_there_is_none(daemon: Rtpengine, prompts: Path, phone: MakePhone) -> None:
    plane = await plane_of(daemon, prompts)
    try:
        port = plane.lease()
        assert (plane.fingerprint, port.fingerprint, port.srtp_keys, port.ice_ufrag) == ("", "", None, "")
        with pytest.raises(MediaError, match="SRTP"):
            plane.connect(port, phone().remote(security=SrtpKeys(CM80, bytes(30), bytes(30))))
    finally:
        await plane.close()


def test_what_can_not_be_read_is_left_out() -> None:
    said = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\na=crypto:2 F8 inline:AAAA\r\na=ice-ufrag:abcd\r\n"
    assert Own.read(said) == Own(ufrag="abcd") and Own.read(None) == Own()
