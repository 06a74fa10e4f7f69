"""Two bridged legs hear each other, in whatever codec each speaks; the stream each hears never breaks."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from media import codecs
from media.plane import MediaPort, PortStats
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Packet, Phone

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]


async def exchange(a: Leg, b: Leg, payload: bytes) -> Packet:
    a.phone.send(a.port, payload)
    return await b.phone.receive()


async def test_both_ways(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    await settle()
    for source, to in ((a, b), (b, a)):
        heard = [await exchange(source, to, bytes([n]) * 160) for n in range(5)]
        assert [packet.payload for packet in heard] == [bytes([n]) * 160 for n in range(5)]
        assert {packet.payload_type for packet in heard} == {0}
        assert [packet.marker for packet in heard] == [True, False, False, False, False]
        assert [packet.seq - heard[0].seq for packet in heard] == [0, 1, 2, 3, 4]
        assert [packet.timestamp - heard[0].timestamp for packet in heard] == [0, 160, 320, 480, 640]
        assert len({packet.ssrc for packet in heard} | {0x1234, 77}) == 3  # our own SSRC, not the peer's


async def test_transcoding(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg(payload_type=8)
    plane.bridge(a.port, b.port)
    await settle()
    every_code = bytes(range(256))
    to_b, to_a = await exchange(a, b, every_code), await exchange(b, a, every_code)
    assert (to_b.payload_type, to_b.payload) == (8, codecs.pcmu_to_pcma_table())
    assert (to_a.payload_type, to_a.payload) == (0, codecs.pcma_to_pcmu_table())


async def test_what_arrives_counts_not_what_was_negotiated(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    """A phone may switch codec within its offer at any packet (RFC 3264 7)."""
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port, bytes(range(256)), payload_type=8)
    heard = await b.phone.receive()
    assert (heard.payload_type, heard.payload) == (0, codecs.pcma_to_pcmu_table())


async def test_any_packet_length(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    for length in (1, 80, 240, 320, 1400):
        assert (await exchange(a, b, b"\x33" * length)).payload == b"\x33" * length


async def test_extension_sources_and_padding_are_taken_off(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    """RFC 3550 5.1, 5.3.1: two contributing sources, an extension of one word, three bytes of padding."""
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    head = struct.pack(">BBHII", 0xB2, 0, 5, 800, 9) + bytes(8) + struct.pack(">HHI", 0xBEDE, 1, 42)
    a.phone.rtp.sendto(head + b"sound" + b"\x00\x00\x03", ("127.0.0.1", a.port.number))
    assert (await b.phone.receive()).payload == b"sound"


async def test_loss_stays_visible(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a, b = leg(seq=65533), leg()  # and the sequence number wraps
    plane.bridge(a.port, b.port)
    await settle()
    first = await exchange(a, b, b"a" * 160)
    a.phone.seq, a.phone.timestamp = (a.phone.seq + 3) & 0xFFFF, a.phone.timestamp + 480
    later = await exchange(a, b, b"b" * 160)
    assert (later.seq - first.seq, later.timestamp - first.timestamp) == (4, 640)
    assert (await stats(b.port)).packets_sent == 2
    counted = await stats(a.port)
    assert (counted.packets_received, counted.packets_lost, counted.packets_dropped) == (2, 3, 0)


async def test_reordering_is_no_loss(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    heard = []
    for shift in (0, 2, 1, 3):
        a.phone.seq, a.phone.timestamp = 200 + shift, 8000 + 160 * shift
        heard.append(await exchange(a, b, bytes([shift]) * 160))
    assert [packet.seq - heard[0].seq for packet in heard] == [0, 2, 1, 3]
    assert (await stats(a.port)).packets_lost == 0


async def test_new_source_of_the_peer_continues_the_stream(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    """The peer is itself a PBX and switches: other SSRC, sequence and timestamps. Ours go on."""
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    before = await exchange(a, b, b"a" * 160)
    a.phone.ssrc, a.phone.seq, a.phone.timestamp = 99, 40000, 3_000_000_000
    after = await exchange(a, b, b"b" * 160)
    assert after.ssrc == before.ssrc and after.seq == before.seq + 1 and after.marker
    assert 160 <= after.timestamp - before.timestamp < 4000


async def test_jump_without_new_source_continues_the_stream(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    before = await exchange(a, b, b"a" * 160)
    a.phone.timestamp += 10_000_000
    after = await exchange(a, b, b"b" * 160)
    assert after.seq == before.seq + 1 and 160 <= after.timestamp - before.timestamp < 4000
    # A jump of the sequence: the first packet is a stray for all we know, a second one in order is a new start (A.1).
    a.phone.seq += 20000
    a.phone.send(a.port)
    after_jump = await exchange(a, b, b"c" * 160)
    assert after_jump.seq == after.seq + 1 and after_jump.payload == b"c" * 160


async def test_release_of_one_leg_leaves_the_other_silent(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats
) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    heard = await exchange(a, b, b"a" * 160)
    await stats(a.port)
    silence = await b.phone.receive()
    assert silence.payload == b"\xff" * 160 and silence.seq == heard.seq + 1 and silence.marker


async def test_bridge_again_is_nothing_new(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    first = await exchange(a, b, b"a" * 160)
    plane.bridge(b.port, a.port)
    await settle()
    second = await exchange(a, b, b"b" * 160)
    assert not second.marker and second.seq == first.seq + 1


async def test_bridge_to_a_third_leg(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b, c = leg(), leg(), leg()
    plane.bridge(a.port, b.port)
    plane.bridge(a.port, c.port)
    await settle()
    assert (await exchange(a, c, b"c" * 160)).payload == b"c" * 160
    assert (await b.phone.receive()).payload == b"\xff" * 160


async def test_echo(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a = leg()
    plane.echo(a.port)
    await settle()
    heard = [await exchange(a, a, bytes([n]) * 160) for n in range(3)]
    assert [packet.payload[0] for packet in heard] == [0, 1, 2]
    assert heard[0].ssrc != a.phone.ssrc


async def test_hold(plane: WorkerPlane, leg: MakeLeg, settle: Settle, phone: Callable[..., Phone]) -> None:
    """b holds (a=sendonly, then RFC 2543's 0.0.0.0): nothing is sent; then all goes on in the same stream."""
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    before = await exchange(a, b, b"a" * 160)
    for held in (b.phone.remote(sends=False), b.phone.remote(host="0.0.0.0"), b.phone.remote(port=0)):
        plane.connect(b.port, held)
        await settle()
        a.phone.send(a.port)
        assert await b.phone.hears_nothing()
    plane.connect(b.port, b.phone.remote())
    await settle()
    after = await exchange(a, b, b"b" * 160)
    assert after.ssrc == before.ssrc and after.seq == before.seq + 1 and after.marker
    assert after.timestamp - before.timestamp > 3 * 160  # the time of the hold has passed


async def test_peer_that_said_it_does_not_send(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a, b = leg(remote={"receives": False}), leg()
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port)
    assert await b.phone.hears_nothing()
    assert (await exchange(b, a, b"b" * 160)).payload == b"b" * 160
    assert (await stats(a.port)).packets_dropped == 1


async def test_rubbish_is_dropped_and_counted(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    await exchange(a, b, b"a" * 160)
    good = a.phone.packet(b"x" * 160)
    rubbish = [
        b"", b"x", good[:11], good[:12], b"\x00" + good[1:], b"\xc0" + good[1:], good[:1] + b"\x60" + good[2:],
        b"\xa0" + good[1:-1] + b"\xff", b"\x8f" + good[1:40], b"\x90" + good[1:14] + b"\xff\xff" + good[16:],
        good[:1] + b"\xc8" + good[2:], good + bytes(2000),
    ]  # fmt: skip
    for one in rubbish:
        a.phone.rtp.sendto(one, ("127.0.0.1", a.port.number))
    assert (await exchange(a, b, b"b" * 160)).payload == b"b" * 160
    assert (await stats(a.port)).packets_dropped == len(rubbish)


async def test_comfort_noise_makes_no_gap(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    first = await exchange(a, b, b"a" * 160)
    a.phone.send(a.port, b"\x40", payload_type=13)
    second = await exchange(a, b, b"b" * 160)
    assert second.seq == first.seq + 1 and second.timestamp == first.timestamp + 320


async def test_jitter(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    """Packets sent in one go whose timestamps say 20 ms: the differences are 20 ms, A.8 converges there."""
    a = leg()
    plane.echo(a.port)
    await settle()
    for _ in range(100):
        a.phone.send(a.port)
    await a.phone.receive_many(100)
    counted = await stats(a.port)
    assert counted.packets_received == 100 and 15 < counted.jitter_ms < 21
