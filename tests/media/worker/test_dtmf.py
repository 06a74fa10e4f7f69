"""Keys by RFC 4733: each reported once whatever is lost or repeated; sent with marker, growing duration, three ends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import pytest

from media.plane import MediaPort, PortStats, UnknownKey
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Packet

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
Press = Callable[..., None]


class Keys:
    """A leg whose keys are collected."""

    def __init__(self, leg: Leg) -> None:
        self.leg, self.heard, self.sent = leg, "", 0
        leg.port.on_digit = self.on_digit

    def on_digit(self, digit: str) -> None:
        self.heard += digit

    def press(
        self, event: int, durations: Sequence[int] = (160, 320, 480), ends: int = 3, payload_type: int = 101
    ) -> None:
        """The packets of one key, and 200 ms on the clock."""
        phone = self.leg.phone
        self.sent += len(durations) + ends
        for duration in durations:
            phone.send_key(self.leg.port, event, duration, payload_type=payload_type)
        for _ in range(ends):
            phone.send_key(self.leg.port, event, 640, end=True, payload_type=payload_type)
        phone.timestamp += 1600

    async def all(self) -> str:
        """What was heard, once everything sent is processed (a port takes one packet a millisecond)."""
        await asyncio.sleep(0.03 + self.sent * 0.0015)
        return self.heard


@pytest.fixture
async def keys(leg: MakeLeg, settle: Settle) -> AsyncIterator[Keys]:
    made = Keys(leg())
    await settle()
    yield made


async def test_every_key_once(keys: Keys) -> None:
    for event in range(16):
        keys.press(event)
    assert await keys.all() == "0123456789*#ABCD"


async def test_the_same_key_twice(keys: Keys) -> None:
    keys.press(5)
    keys.press(5)
    assert await keys.all() == "55"


async def test_all_ends_lost(keys: Keys) -> None:
    keys.press(5, ends=0)
    keys.press(5, ends=0)
    keys.press(6, ends=0)
    assert await keys.all() == "556"


async def test_all_but_an_end_lost(keys: Keys) -> None:
    keys.press(5, durations=(), ends=1)
    keys.press(5, durations=(), ends=1)
    assert await keys.all() == "55"


async def test_late_packet_of_an_earlier_key(keys: Keys) -> None:
    first = keys.leg.phone.timestamp
    keys.press(1)
    keys.press(2)
    keys.leg.phone.timestamp, now = first, keys.leg.phone.timestamp
    keys.leg.phone.send_key(keys.leg.port, 1, 640, end=True)
    keys.leg.phone.timestamp = now
    keys.press(3)
    assert await keys.all() == "123"


async def test_timestamps_wrap(keys: Keys) -> None:
    keys.leg.phone.timestamp = 0xFFFFFF00
    keys.press(1)
    keys.leg.phone.timestamp &= 0xFFFFFFFF
    keys.press(2)
    assert await keys.all() == "12"


async def test_key_longer_than_a_segment(keys: Keys) -> None:
    """RFC 4733 2.5.1.3: 0xFFFF units, then on with a new timestamp; still one key."""
    phone, port = keys.leg.phone, keys.leg.port
    phone.send_key(port, 9, 160)
    phone.send_key(port, 9, 0xFFFF)
    phone.timestamp += 0xFFFF
    phone.send_key(port, 9, 160)
    phone.send_key(port, 9, 320, end=True)
    assert await keys.all() == "9"


async def test_sound_between_packets_of_a_key(keys: Keys) -> None:
    phone, port = keys.leg.phone, keys.leg.port
    start = phone.timestamp
    for duration in (160, 320, 480):
        phone.timestamp = start
        phone.send_key(port, 4, duration)
        phone.timestamp = start + duration
        phone.send(port)
    assert await keys.all() == "4"


async def test_other_events_and_short_packets_are_no_keys(keys: Keys) -> None:
    keys.press(16)  # flash
    keys.press(70)
    keys.leg.phone.send(keys.leg.port, b"\x01\x80", payload_type=101)
    keys.press(8)
    assert await keys.all() == "8"


async def test_payload_types(leg: MakeLeg, settle: Settle) -> None:
    """The peer's own number, and 101, which our offers say; nothing else."""
    keys = Keys(leg(remote={"dtmf_payload_type": 96}))
    await settle()
    keys.press(1, payload_type=96)
    keys.press(2, payload_type=101)
    keys.press(3, payload_type=97)
    assert await keys.all() == "12"


async def test_new_source_starts_anew(keys: Keys) -> None:
    keys.press(1)
    keys.leg.phone.ssrc, keys.leg.phone.timestamp = 4711, 5
    keys.press(1)
    assert await keys.all() == "11"


async def test_relayed_with_the_other_legs_payload_type(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg(remote={"dtmf_payload_type": 96})
    keys = Keys(a)
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port)
    keys.press(7, durations=(160, 320), ends=3)
    a.phone.send(a.port)
    packets = await b.phone.receive_many(7)
    assert [packet.payload_type for packet in packets] == [0, 96, 96, 96, 96, 96, 0]
    assert [packet.seq - packets[0].seq for packet in packets] == [0, 1, 2, 3, 4, 5, 6]
    assert [packet.timestamp - packets[0].timestamp for packet in packets] == [0] + [160] * 5 + [1760]
    assert packets[1].payload == bytes([7, 10, 0, 160]) and packets[5].payload == bytes([7, 138, 2, 128])
    assert await keys.all() == "7"


async def test_peer_without_telephone_event_gets_no_gap(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, b = leg(), leg(remote={"dtmf_payload_type": None})
    keys = Keys(a)
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port)
    keys.press(7)
    a.phone.send(a.port)
    first, second = await b.phone.receive_many(2)
    assert second.seq == first.seq + 1
    assert await keys.all() == "7"


def check_key(packets: list[Packet], event: int, duration: int, payload_type: int) -> None:
    assert {packet.payload_type for packet in packets} == {payload_type}
    assert len({packet.timestamp for packet in packets}) == 1
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    fields = [struct.unpack(">BBH", packet.payload) for packet in packets]
    assert {event_sent for event_sent, _, _ in fields} == {event}
    assert [flags >> 7 for _, flags, _ in fields] == [0] * (len(packets) - 3) + [1, 1, 1]
    assert [length for _, _, length in fields[-3:]] == [duration] * 3
    lengths = [length for _, _, length in fields[:-2]]
    assert lengths == sorted(set(lengths))


async def test_sent_alone(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg(remote={"dtmf_payload_type": 96})
    plane.send_digit(a.port, "#", 80)
    plane.send_digit(a.port, "1", 90)
    packets = await a.phone.listen(0.4)
    starts = [n for n, packet in enumerate(packets) if packet.marker]
    assert len(starts) == 2
    check_key(packets[: starts[1]], 11, 640, 96)
    check_key(packets[starts[1] :], 1, 720, 96)
    assert [packet.seq - packets[0].seq for packet in packets] == list(range(len(packets)))
    assert packets[starts[1]].timestamp - packets[0].timestamp >= 640


async def test_sent_between_frames_of_music(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg()
    plane.play(a.port, ["one"], loop=True)
    await a.phone.receive()
    plane.send_digit(a.port, "5", 60)
    packets = await a.phone.listen(0.25)
    key = [packet for packet in packets if packet.payload_type == 101]
    check_key(key, 5, 480, 101)
    assert [packet.seq - packets[0].seq for packet in packets] == list(range(len(packets)))
    after = packets[packets.index(key[-1]) + 1]
    assert after.marker and after.timestamp - key[0].timestamp >= 480


async def test_sent_into_a_bridge(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    """While a key is sent the bridge's sound to that leg gives way; before and after it passes, in one sequence."""
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    plane.send_digit(a.port, "9", 60)
    listening = asyncio.create_task(a.phone.listen(0.3))
    for _ in range(12):
        b.phone.send(b.port)
        await asyncio.sleep(0.02)
    packets = await listening
    check_key([packet for packet in packets if packet.payload_type == 101], 9, 480, 101)
    assert [packet.seq - packets[0].seq for packet in packets] == list(range(len(packets)))
    assert packets[-1].payload_type == 0


async def test_what_can_not_be_sent(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg(remote={"dtmf_payload_type": None})
    plane.send_digit(a.port, "1")
    for wrong in ("", "12", "x"):
        with pytest.raises(UnknownKey):
            plane.send_digit(a.port, wrong)
    assert await a.phone.hears_nothing(0.06)


async def test_digit_callback_of_a_released_port_is_dropped(plane: WorkerPlane, keys: Keys) -> None:
    stats: list[PortStats] = []
    port: MediaPort = keys.leg.port
    keys.press(1)
    plane.release(port, stats.append)
    keys.press(2)
    assert await keys.all() in ("", "1") and len(stats) == 1
    assert port.on_digit is None
