"""A peer may use any codec of its answer at any packet, and its packets have the length it likes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from media.plane import MediaPort, PortStats, Spoken
from media.worker.loop import SoundEncoder
from media.worker_plane import WorkerPlane
from tests.media.conftest import snr_db

from .test_sound import CODECS, HERTZ, payloads, sound_of, talk

if TYPE_CHECKING:
    from tests.media.conftest import Leg

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]

G722_TOO = Spoken("G722", 8000, 9, 9, 101, 101, 8000)
PCMU_TOO = Spoken("PCMU", 8000, 0, 0, 101, 101, 8000)
OPUS_TOO = Spoken("OPUS", 48000, 120, 96, 103, 103, 48000, "useinbandfec=1")


async def test_the_peer_goes_over_to_another_codec_of_its_answer(
    plane: WorkerPlane, leg: MakeLeg, stats: Stats
) -> None:
    """It is heard, and spoken to likewise; and back."""
    a, b = leg(remote={"others": (G722_TOO,)}), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    for name in ("PCMU", "G722", "PCMU"):
        await asyncio.gather(talk(a, name, 40), talk(b, "PCMU", 40))
        to_b, to_a = await b.phone.listen(0.05), await a.phone.listen(0.05)
        assert len(to_b) >= 35 and {packet.payload_type for packet in to_b} == {0}
        assert snr_db(sound_of("PCMU", to_b)[-6400:-1600], HERTZ) > 18, name
        assert to_a[-1].payload_type == CODECS[name].remote["payload_type"]
        assert snr_db(sound_of(name, to_a)[-6400:-1600], HERTZ) > 18, name
    assert (await stats(a.port)).packets_dropped == 0


async def test_static_types_are_followed_too(plane: WorkerPlane, leg: MakeLeg, stats: Stats) -> None:
    """G.722 was agreed on first at both sides; one of them sends G.711."""
    a, b = leg(remote={**CODECS["G722"].remote, "others": (PCMU_TOO,)}), leg(remote=CODECS["G722"].remote, ssrc=77)
    plane.bridge(a.port, b.port)
    await talk(a, "PCMU", 40)
    packets = await b.phone.listen(0.05)
    assert {packet.payload_type for packet in packets} == {9}
    assert snr_db(sound_of("G722", packets)[-6400:-1600], HERTZ) > 18
    assert (await stats(a.port)).packets_dropped == 0


async def test_clock_and_types_of_the_keys_are_those_of_the_codec(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats
) -> None:
    a, b = leg(remote={"others": (OPUS_TOO,)}), leg(ssrc=77)
    held: list[tuple[str, int]] = []
    a.port.on_key_end = lambda key, ms: held.append((key, ms))
    plane.bridge(a.port, b.port)
    await talk(a, "OPUS", 3)
    a.phone.send_key(a.port, 7, 9600, end=True, payload_type=103)
    await settle()
    assert held == [("7", 200)]
    plane.send_digit(a.port, "1", 40)
    while (packet := await a.phone.receive()).payload_type != 103 or not packet.payload[1] & 0x80:
        pass
    assert packet.payload[0] == 1 and int.from_bytes(packet.payload[2:]) == 40 * 48
    await talk(b, "PCMU", 10)
    assert (await a.phone.listen(0.05))[-1].payload_type == 120  # the peer's number, not ours
    assert [(await stats(one.port)).codec for one in (a, b)] == ["OPUS", "PCMU"]


async def test_a_late_packet_of_the_other_codec_changes_nothing(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats
) -> None:
    a, b = leg(remote={"others": (G722_TOO,)}), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    await settle()
    for payload_type in (0, 9, 9):
        a.phone.send(a.port, payload_type=payload_type)
    late = a.phone.seq - 3
    a.phone.seq = late
    a.phone.send(a.port, payload_type=0)
    await settle()
    b.phone.send(b.port)
    assert (await a.phone.receive()).payload_type == 9
    assert (await stats(a.port)).packets_dropped == 1


async def test_an_empty_packet_of_another_type_changes_nothing(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle
) -> None:
    """It keeps a way through a NAT open (RFC 6263 4.2)."""
    a, b = leg(remote={**CODECS["G722"].remote, "others": (PCMU_TOO,)}), leg(remote=CODECS["G722"].remote, ssrc=77)
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port, payload_type=9)
    a.phone.send(a.port, b"", payload_type=0)
    assert (await b.phone.receive()).payload_type == 9 and await b.phone.hears_nothing()
    b.phone.send(b.port, payload_type=9)
    assert (await a.phone.receive()).payload_type == 9


async def test_what_was_not_agreed_is_dropped(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a, b = leg(remote={"others": (OPUS_TOO,)}), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port, payload_type=9)
    assert await b.phone.hears_nothing()
    assert (await stats(a.port)).packets_dropped == 1


# --- the length of packets --------------------------------------------------------------------------------------------


async def sizes(leg: Leg) -> list[int]:
    return [len(packet.payload) for packet in await leg.phone.listen(0.05)]


async def test_a_peer_gets_the_packets_it_asks_for(plane: WorkerPlane, leg: MakeLeg) -> None:
    a, b = leg(), leg(ssrc=77, remote={"ptime_ms": 40})
    plane.bridge(a.port, b.port)
    await asyncio.gather(talk(a, "PCMU", 60), talk(b, "PCMU", 60, ptime_ms=40))
    packets = await b.phone.listen(0.05)
    assert {len(packet.payload) for packet in packets} == {320} and len(packets) >= 27
    assert snr_db(sound_of("PCMU", packets)[-9600:-3200], HERTZ) > 30
    relayed = await a.phone.listen(0.05)  # who asks for nothing gets what comes
    assert {packet.payload for packet in relayed} <= set(payloads("PCMU", 60, 40))


async def test_long_packets_that_nobody_announced_are_cut(plane: WorkerPlane, leg: MakeLeg) -> None:
    a, b = leg(), leg(ssrc=77, remote={"max_ptime_ms": 20})
    plane.bridge(a.port, b.port)
    await talk(a, "PCMU", 60, ptime_ms=60)
    packets = await b.phone.listen(0.05)
    assert {len(packet.payload) for packet in packets} == {160}
    assert snr_db(sound_of("PCMU", packets)[-9600:-3200], HERTZ) > 30


async def test_a_length_that_changes_in_the_call_is_noticed(plane: WorkerPlane, leg: MakeLeg) -> None:
    """And when it suits again, packets pass undecoded again, in one unbroken stream."""
    a, b = leg(), leg(ssrc=77, remote={"max_ptime_ms": 20})
    plane.bridge(a.port, b.port)
    for ptime_ms in (20, 60, 20):
        await talk(a, "PCMU", 30, ptime_ms=ptime_ms)
    packets = await b.phone.listen(0.05)
    lengths = [len(packet.payload) for packet in packets]
    assert lengths.count(480) == 2  # until it was clear that the peer sends so now
    assert packets[-1].payload in payloads("PCMU", 30)
    assert [packet.seq - packets[0].seq for packet in packets] == list(range(len(packets)))
    assert all(one.timestamp < other.timestamp for one, other in itertools.pairwise(packets))


async def test_what_suits_passes_undecoded(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    """A wish that is met, and an odd rest now and then, cost nothing: the bytes are the peer's."""
    a, b = leg(), leg(ssrc=77, remote={"ptime_ms": 20, "max_ptime_ms": 40})
    plane.bridge(a.port, b.port)
    await settle()
    sent: list[bytes] = []
    for n in range(12):
        sent.append(bytes([n]) * (80 if n % 4 == 3 else 160))
        a.phone.send(a.port, sent[-1])
    assert [packet.payload for packet in await b.phone.receive_many(12)] == sent


async def test_opus_is_never_cut_for_a_wish(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    """Every receiver takes any length of it."""
    remote: dict[str, Any] = CODECS["OPUS"].remote
    a, b = leg(remote=remote), leg(ssrc=77, remote={**remote, "ptime_ms": 40})
    plane.bridge(a.port, b.port)
    await settle()
    sound = SoundEncoder(111).encode(bytes(640))
    a.phone.send(a.port, sound, payload_type=96)
    assert (await b.phone.receive()).payload == sound
