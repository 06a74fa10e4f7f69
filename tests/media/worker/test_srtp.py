"""SRTP at a port: every suite against the reference, forgeries and replays, new sources, wraps, new keys, RTCP."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.srtp import Srtp
from media import records
from media.plane import MediaError, MediaPort, PortStats
from media.security import SUITES, Dtls, SecurityPolicy, SrtpKeys
from media.worker.loop import srtp_missing
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Packet, Phone

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]
GCM = "AEAD_AES_128_GCM"
SOURCES_MOST = 16 + 1024  # SSRCs of a peer under one key


def keys_of(suite: str, seed: int = 0) -> SrtpKeys:
    size = sum(SUITES[suite])
    return SrtpKeys(suite, bytes((seed + i) & 0xFF for i in range(size)), bytes((seed - i) & 0xFF for i in range(size)))


class Secured:
    """A leg whose phone speaks SRTP, by the reference."""

    def __init__(self, leg: Leg, keys: SrtpKeys) -> None:
        self.phone: Phone = leg.phone
        self.port = leg.port
        self.rekey(keys)

    def rekey(self, keys: SrtpKeys) -> None:
        self.out, self.inc, self.roc = Srtp(keys.suite, keys.receive), Srtp(keys.suite, keys.send), 0

    def sealed(self, payload: bytes, **kwargs: Any) -> bytes:
        """The next packet."""
        packet = self.out.protect(self.phone.packet(payload, **kwargs), self.roc)
        self.phone.seq += 1
        self.phone.timestamp += 160
        if self.phone.seq == 0x10000:
            self.phone.seq, self.roc = 0, self.roc + 1
        return packet

    def send_raw(self, packet: bytes) -> None:
        self.phone.rtp.sendto(packet, (self.phone.host, self.port.number))

    def send(self, payload: bytes = b"\x10" * 160, **kwargs: Any) -> None:
        self.send_raw(self.sealed(payload, **kwargs))

    async def receive_raw(self, within_s: float = 30.0) -> bytes:
        async with asyncio.timeout(within_s):
            return await asyncio.get_running_loop().sock_recv(self.phone.rtp, 2048)

    async def receive(self) -> bytes:
        """The next packet in the clear."""
        return self.inc.unprotect(await self.receive_raw())


@pytest.fixture
def secured(leg: MakeLeg) -> Callable[..., Secured]:
    def make(suite: str = GCM, seed: int = 0, remote: dict[str, Any] | None = None, **kwargs: Any) -> Secured:
        keys = keys_of(suite, seed)
        return Secured(leg(remote={"security": keys, **(remote or {})}, **kwargs), keys)

    return make


MakeSecured = Callable[..., Secured]


def test_the_library_is_there() -> None:
    assert srtp_missing() is None


@pytest.mark.parametrize("suite", SUITES)
async def test_every_suite_both_ways(plane: WorkerPlane, secured: MakeSecured, settle: Settle, suite: str) -> None:
    a = secured(suite)
    plane.echo(a.port)
    await settle()
    for number in range(3):
        payload = bytes([number]) * 160
        a.send(payload)
        assert (await a.receive())[12:] == payload


@pytest.mark.parametrize("suite", SUITES)
async def test_rtcp(plane: WorkerPlane, secured: MakeSecured, settle: Settle, suite: str) -> None:
    a = secured(suite)
    plane.silence(a.port)
    await settle()
    await a.receive()
    plane.release(a.port)
    async with asyncio.timeout(30):
        sealed = await asyncio.get_running_loop().sock_recv(a.phone.rtcp, 2048)
    report = a.inc.unprotect_rtcp(sealed)
    assert report[1] == 200 and report[-7] == 203  # SR ... BYE


async def test_rtcp_on_the_same_port(plane: WorkerPlane, secured: MakeSecured, settle: Settle, stats: Stats) -> None:
    """RFC 5761."""
    a = secured(remote={"rtcp_mux": True})
    plane.echo(a.port)
    await settle()
    a.send()
    await a.receive()
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, a.phone.ssrc, 1 << 32, 0, 1, 160)
    a.send_raw(a.out.protect_rtcp(report))
    a.send()
    await a.receive()
    counted = await stats(a.port)
    assert (counted.packets_received, counted.packets_dropped) == (2, 0)
    report = a.inc.unprotect_rtcp(await a.receive_raw())
    assert report[1] == 200 and report[4:8] != bytes(4)
    assert struct.unpack_from(">I", report, 44) == (0x00010000,)  # LSR: our report was read


async def test_rtcp_mux_without_srtp(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg(remote={"rtcp_mux": True})
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    assert (await a.phone.receive()).payload == b"\x10" * 160
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, a.phone.ssrc, 1 << 32, 0, 1, 160)
    a.phone.rtp.sendto(report, (a.phone.host, a.port.number))
    await asyncio.sleep(0.01)
    counted = await stats(a.port)
    assert (counted.packets_received, counted.packets_dropped) == (1, 0)
    assert (await asyncio.get_running_loop().sock_recv(a.phone.rtp, 2048))[1] == 200


async def test_bridge_of_a_secured_and_a_plain_leg(
    plane: WorkerPlane, secured: MakeSecured, leg: MakeLeg, settle: Settle
) -> None:
    a, b = secured(), leg(payload_type=8)
    plane.bridge(a.port, b.port)
    await settle()
    a.send()
    there: Packet = await b.phone.receive()
    assert there.payload_type == 8 and len(there.payload) == 160
    b.phone.send(b.port)
    assert len(await a.receive()) == 172


async def test_forged_replayed_and_clear_packets(
    plane: WorkerPlane, secured: MakeSecured, settle: Settle, stats: Stats
) -> None:
    a = secured()
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)  # in the clear
    good = a.sealed(b"\x20" * 160)
    a.send_raw(good[:-1] + bytes([good[-1] ^ 1]))
    a.send_raw(good[:40])
    a.send_raw(good)
    assert (await a.receive())[12:] == b"\x20" * 160
    a.send_raw(good)
    assert await a.phone.hears_nothing()
    counted = await stats(a.port)
    assert (counted.packets_received, counted.packets_dropped) == (1, 4)
    await plane_totals(plane)
    assert plane.counters["media_srtp_forged"] == 3
    assert plane.counters["media_srtp_replayed"] == 1


async def plane_totals(plane: WorkerPlane) -> None:
    """Ask the worker for its sums."""
    plane.workers[0].send(records.ping())
    await asyncio.sleep(0.05)


async def counts(plane: WorkerPlane, counter: str, number: int) -> None:
    async with asyncio.timeout(30):
        while plane.counters[counter] < number:
            await plane_totals(plane)
    assert plane.counters[counter] == number


async def test_a_stranger_never_latches_but_who_has_the_key_does_at_once(
    plane: WorkerPlane, secured: MakeSecured, phone: Callable[..., Phone], settle: Settle
) -> None:
    a = secured()
    plane.echo(a.port)
    await settle()
    stranger, elsewhere = phone(ssrc=9), phone()
    for _ in range(30):
        stranger.send(a.port)
    assert await stranger.hears_nothing(0.03)
    elsewhere.rtp.sendto(a.sealed(b"\x30" * 160), (a.phone.host, a.port.number))
    async with asyncio.timeout(30):
        sealed = await asyncio.get_running_loop().sock_recv(elsewhere.rtp, 2048)
    assert a.inc.unprotect(sealed)[12:] == b"\x30" * 160


async def test_sequence_wraps(plane: WorkerPlane, secured: MakeSecured, settle: Settle) -> None:
    """The rollover counter of the peer (RFC 3711 3.3.1), and ours, which a relayed stream brings to its wrap."""
    a = secured(seq=0xFFFE)
    plane.echo(a.port)
    await settle()
    for number in range(4):
        a.send(bytes([number]) * 160)
        assert (await a.receive())[12] == number
    assert a.roc == 1
    roc, before = 0, 0
    for number in range(30):
        a.phone.seq = (a.phone.seq + 2900) & 0xFFFF  # gaps are kept, so ours goes on as fast
        a.roc += a.phone.seq < 2900
        if number % 8 == 0:
            plane.silence(a.port)
            plane.echo(a.port)  # a new source: what comes late is measured from here
            await settle()
        a.send()
        sealed = await a.receive_raw()
        seq = int.from_bytes(sealed[2:4])
        roc, before = roc + (seq < before), seq
        a.inc.unprotect(sealed, roc)
    assert roc >= 1


async def test_new_sources(plane: WorkerPlane, secured: MakeSecured, settle: Settle) -> None:
    """A gateway may take a new SSRC for each announcement of a long call. Earlier ones go on where they were; what was
    heard of them is never heard again (RFC 3711 3.3.2)."""
    a = secured()
    plane.echo(a.port)
    await settle()
    heard = []
    for ssrc in range(40):
        a.phone.ssrc = 0x5000 + ssrc
        heard.append(a.sealed(b"\x40" * 160))
        a.send_raw(heard[-1])
        assert len(await a.receive()) == 172
    for replayed in heard:
        a.send_raw(replayed)
    assert await a.phone.hears_nothing()
    await counts(plane, "media_srtp_replayed", 40)
    a.phone.ssrc, a.phone.seq = 0x5000, 101
    first, second, third = (a.sealed(b"\x41" * 160) for _ in range(3))
    for packet in (first, third, second):
        a.send_raw(packet)
        assert len(await a.receive()) == 172
    a.send_raw(heard[0])
    assert await a.phone.hears_nothing()
    await counts(plane, "media_srtp_replayed", 41)
    assert plane.counters["media_srtp_forged"] == 0


async def test_earlier_packets_are_replayed(plane: WorkerPlane, secured: MakeSecured, settle: Settle) -> None:
    """Not only the last one: all of the window is known."""
    a = secured()
    plane.echo(a.port)
    await settle()
    heard = [a.sealed(b"\x42" * 160) for _ in range(100)]
    for packet in heard:
        a.send_raw(packet)
        await a.receive_raw()
    for packet in heard:
        a.send_raw(packet)
    await counts(plane, "media_srtp_replayed", 100)


async def test_sources_are_bounded(plane: WorkerPlane, secured: MakeSecured, settle: Settle) -> None:
    a = secured()
    plane.echo(a.port)
    await settle()
    for ssrc in range(SOURCES_MOST):
        a.phone.ssrc = 0x5000 + ssrc
        a.send()
        await a.receive_raw()
    a.phone.ssrc = 0x4000
    a.send()
    assert await a.phone.hears_nothing()
    a.phone.ssrc = 0x5000
    a.send()
    await a.receive_raw()
    await counts(plane, "media_srtp_sources_refused", 1)
    assert plane.counters["media_srtp_forged"] == 0


async def test_new_keys(plane: WorkerPlane, secured: MakeSecured, settle: Settle) -> None:
    """A re-INVITE with other keys: the old ones are worth nothing; with the same, the index goes on."""
    a = secured()
    plane.echo(a.port)
    await settle()
    a.send()
    old = await a.receive()
    replayed = a.sealed(b"\x40" * 160)
    a.send_raw(replayed)
    await a.receive()
    plane.connect(a.port, a.phone.remote(security=keys_of(GCM)))
    await settle()
    a.send_raw(replayed)
    assert await a.phone.hears_nothing()
    fresh = keys_of("AES_CM_128_HMAC_SHA1_80", 7)
    plane.connect(a.port, a.phone.remote(security=fresh))
    await settle()
    a.send()
    assert await a.phone.hears_nothing()
    a.rekey(fresh)
    a.send()
    assert (await a.receive())[8:12] != old[8:12]


async def test_a_key_that_comes_again(plane: WorkerPlane, secured: MakeSecured, settle: Settle) -> None:
    """In the clear meanwhile, or with another suite: our key of before must not be used with an index twice."""
    a = secured()
    plane.echo(a.port)
    await settle()
    seen = set()
    for between in (None, keys_of("AES_CM_128_HMAC_SHA1_80", 7), None):
        a.send()
        seen.add((await a.receive())[8:12])
        plane.connect(a.port, a.phone.remote(security=between))
        plane.connect(a.port, a.phone.remote(security=keys_of(GCM)))
        await settle()
    assert len(seen) == 3


async def test_keys_of_the_signalling_end_when_a_handshake_is_agreed(
    plane: WorkerPlane, secured: MakeSecured, settle: Settle
) -> None:
    """Mute and deaf, as ever without keys."""
    a = secured()
    plane.echo(a.port)
    await settle()
    a.send()
    await a.receive()
    plane.connect(a.port, a.phone.remote(security=Dtls("sha-256", bytes(32), active=False)))
    await settle()
    a.send()
    assert await a.phone.hears_nothing()


async def test_the_whole_window_is_remembered(
    plane: WorkerPlane, secured: MakeSecured, settle: Settle, stats: Stats
) -> None:
    """Wherever in it a packet is: seen again it is a replay, or too old (RFC 3711 3.3.2)."""
    a = secured(seq=1)
    plane.echo(a.port)
    await settle()
    packets = [a.sealed(b"\x20" * 160) for _ in range(512)]
    for packet in packets[:3] + packets[-1:]:
        a.send_raw(packet)
    for packet in packets[:3]:
        a.send_raw(packet)
    await asyncio.sleep(0.02)
    await plane_totals(plane)
    assert plane.counters["media_srtp_replayed"] == 3
    a.send_raw(packets[450])  # late, and the first time
    a.send_raw(a.sealed(b"\x20" * 160))
    await asyncio.sleep(0.02)
    assert (await stats(a.port)).packets_received == 6


async def test_rubbish(plane: WorkerPlane, secured: MakeSecured, settle: Settle, stats: Stats) -> None:
    """Any length, any header: counted, nothing else. For a build with sanitizers above all."""
    for suite in (GCM, "AES_256_CM_HMAC_SHA1_32"):
        a = secured(suite, remote={"rtcp_mux": True})
        plane.echo(a.port)
        await settle()
        draw = random.Random(suite)
        for _ in range(300):
            sound = bytearray(a.sealed(draw.randbytes(160)))
            sound[0] = 0x80 | draw.getrandbits(6)  # sources, extension, padding
            sound[1] = draw.choice((0, 72, 200, 201))
            packet = bytes(sound[: draw.randint(0, 190)]) + draw.randbytes(draw.choice((0, 0, 30, 1900)))
            a.send_raw(packet)
            a.phone.rtcp.sendto(packet, (a.phone.host, a.port.number + 1))
        await asyncio.sleep(0.05)
        a.send(b"\x50" * 160)
        assert (await a.receive())[12:] == b"\x50" * 160
        assert (await stats(a.port)).packets_received == 1


async def test_no_key_stays_in_memory(plane: WorkerPlane, secured: MakeSecured, settle: Settle) -> None:
    a = secured("AES_256_CM_HMAC_SHA1_80", 0x33)
    keys = keys_of("AES_256_CM_HMAC_SHA1_80", 0x33)
    pid = plane.worker_pid
    assert pid is not None
    plane.echo(a.port)
    await settle()
    a.send()
    await a.receive()
    assert in_memory(pid, keys.send)
    plane.release(a.port)
    await settle()
    assert not in_memory(pid, keys.send) and not in_memory(pid, keys.receive)


def in_memory(pid: int, wanted: bytes) -> bool:
    """Or its end: an allocator writes to the beginning of what is freed."""
    wanted = wanted[16:]
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            first, last = (int(number, 16) for number in place.split("-"))
            if not rights.startswith("rw") or last - first > 1 << 30:
                continue
            memory.seek(first)
            with contextlib.suppress(OSError):
                if wanted in (memory.read(last - first) or b""):
                    return True
    return False


async def test_back_to_the_clear_only_when_it_is_agreed(
    plane: WorkerPlane, secured: MakeSecured, settle: Settle
) -> None:
    a = secured()
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    assert await a.phone.hears_nothing()
    plane.connect(a.port, a.phone.remote())
    await settle()
    a.phone.send(a.port)
    assert (await a.phone.receive()).payload == b"\x10" * 160


async def test_the_next_lease_knows_nothing_of_the_keys(
    make_plane: Callable[[int], Awaitable[WorkerPlane]], phone: Callable[..., Phone]
) -> None:
    plane = await make_plane(1)
    port = plane.lease()
    plane.connect(port, phone().remote(security=keys_of(GCM)))
    plane.release(port)
    port, second = plane.lease(), phone()
    plane.connect(port, second.remote())
    plane.silence(port)
    assert (await second.receive()).payload == b"\xff" * 160
    await plane.close()


async def test_a_site_that_wants_srtp_without_the_library(plane: WorkerPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "SRTP needs the library libcrypto.so.3; on Debian or Ubuntu: sudo apt-get install libssl3"
    monkeypatch.setattr("media.plane_security.srtp_missing", lambda: reason)
    other = WorkerPlane("127.0.0.1", None, plane.ports, security=SecurityPolicy((), (), 15))
    with pytest.raises(MediaError, match="libssl3"):
        await other.start()
