"""Strangers at the ports of calls: nothing they send comes back or gets through (rtpbleed, injection). No port left."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from media.plane import MediaPort, PortsExhausted, PortStats
from media.worker_plane import WorkerPlane
from tests.media.processes import until

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Phone

MakeLeg = Callable[..., "Leg"]
MakePhone = Callable[..., "Phone"]
MakePlane = Callable[[int], Awaitable[WorkerPlane]]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]
OTHER_HOST_RUN = 15  # packets in a row after which another host is believed to be the peer behind NAT
EVIL = b"\x66" * 160


async def probe(stranger: Phone, port: MediaPort, packets: int = OTHER_HOST_RUN - 1) -> None:
    """What scanners send: RTP in a row, rubbish, RTCP with reports about everybody."""
    report = struct.pack(">BBHIIIIIIIII", 0x81, 200, 12, 0x1234, 1, 2, 3, 4, 5, 0x1234, 6, 7).ljust(52, b"\0")
    for _ in range(packets):
        stranger.send(port, EVIL)
        stranger.rtcp.sendto(report, (port.host, port.number + 1))
        await asyncio.sleep(0.002)
    for size in (0, 1, 11, 12, 2000):
        stranger.rtp.sendto(random.Random(size).randbytes(size), (port.host, port.number))


async def heard_nothing_of(phone: Phone, for_s: float = 0.05) -> bool:
    return all(packet.payload != EVIL for packet in await phone.listen(for_s))


@pytest.mark.parametrize("state", ["leased", "connected", "latched", "re-INVITE", "held", "released"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
async def test_nothing_comes_back_and_nothing_gets_through(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle, state: str, host: str
) -> None:
    a, b = leg(), leg(ssrc=0x77)
    plane.bridge(a.port, b.port)
    stranger = phone(host=host, ssrc=0x1234, seq=500)
    target = plane.lease() if state == "leased" else a.port
    if state == "leased":
        plane.bridge(target, b.port)
    await settle()
    if state in ("latched", "re-INVITE", "held"):
        a.phone.send(a.port)
        await b.phone.receive()
        stranger.seq, stranger.ssrc = a.phone.seq, a.phone.ssrc  # as if it had seen the call
    if state in ("re-INVITE", "held"):
        plane.connect(a.port, a.phone.remote(receives=state != "held"))
        await settle()
    if state == "released":
        plane.release(a.port)
    few = 4 if host == "127.0.0.1" else OTHER_HOST_RUN - 1  # before the peer is heard
    await probe(stranger, target, few if state in ("connected", "re-INVITE") else 30)
    assert await stranger.hears_nothing(0.03)
    assert await heard_nothing_of(b.phone)
    if state == "held":
        plane.connect(a.port, a.phone.remote())
        await settle()
    if state in ("connected", "latched", "re-INVITE", "held"):
        a.phone.send(a.port, b"\x11" * 160)  # the peer is there, and the stranger stays one
        assert (await b.phone.receive()).payload == b"\x11" * 160
        await probe(stranger, a.port, 30)
        assert await stranger.hears_nothing(0.03) and await heard_nothing_of(b.phone)
    with pytest.raises(TimeoutError):
        await stranger.receive_rtcp(0.01)


async def test_exhausted_ports_come_back(make_plane: MakePlane) -> None:
    plane = await make_plane(3)
    ports = [plane.lease() for _ in range(3)]
    for _ in range(5):
        with pytest.raises(PortsExhausted) as refused:
            plane.lease(beside=ports[0])
        assert refused.value.status == 503
    assert plane.counters["media_ports_exhausted"] == 5 and plane.free_ports == 0
    plane.release(ports[1])
    assert plane.lease().number == ports[1].number
    assert plane.counters["media_ports_not_rested"] == 1  # at once again, since there is no other
    await plane.close()


async def test_released_ports_rest(make_plane: MakePlane) -> None:
    """While others are free nobody gets the port of a call that is just over."""
    plane = await make_plane(4)
    for _ in range(3):
        over = plane.lease()
        plane.release(over)
        assert plane.lease().number != over.number
    assert plane.counters["media_ports_not_rested"] <= 2
    await plane.close()


async def test_sender_that_never_stops(make_plane: MakePlane, phone: MakePhone) -> None:
    """The phone of a call that is over goes on sending, through the rest and into the next call on its port."""
    plane = await make_plane(1)
    late, caller = phone(ssrc=1), phone(ssrc=2, host="127.0.0.2")
    running = True

    async def send(port: MediaPort) -> None:
        while running:
            late.send(port, EVIL)
            await asyncio.sleep(0.003)

    port = plane.lease()
    plane.connect(port, late.remote())
    plane.echo(port)
    sending = asyncio.create_task(send(port))
    assert (await late.receive()).payload == EVIL
    plane.release(port)
    await asyncio.sleep(0.05)
    late.forget_heard()
    for _ in range(3):
        port = plane.lease()
        plane.connect(port, caller.remote())
        plane.echo(port)
        await asyncio.sleep(0.1)  # longer than any run that would latch
        assert await late.hears_nothing(0.02) and await caller.hears_nothing(0.02)
        caller.send(port, b"\x22" * 160)
        assert (await caller.receive()).payload == b"\x22" * 160
        answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
        plane.release(port, answer.set_result)
        assert (await answer).packets_received == 1
        caller.forget_heard()
    running = False
    await sending
    await plane.close()


async def test_forged_keys_byes_and_sources_change_nothing(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle, stats: Stats
) -> None:
    """From another port of the peer's own host: keys of the right type, an RTCP BYE in its name, a thousand SSRCs."""
    a, b = leg(), leg(ssrc=0x77)
    heard: list[str] = []
    a.port.on_digit = heard.append
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port)
    await b.phone.receive()
    stranger = phone(ssrc=a.phone.ssrc, seq=a.phone.seq, timestamp=a.phone.timestamp)
    bye = struct.pack(">BBHIBBHI", 0x80, 201, 1, a.phone.ssrc, 0x81, 203, 1, a.phone.ssrc)
    for n in range(1000):
        if n % 3 == 0:
            stranger.send_key(a.port, n % 16, 160, end=True)
        else:
            stranger.ssrc = random.Random(n).getrandbits(32)
            stranger.send(a.port, EVIL)
        stranger.rtcp.sendto(bye, (stranger.host, a.port.number + 1))
        if n % 50 == 49:
            await asyncio.sleep(0.002)
    await settle()  # what the stranger sent no longer fills the socket
    a.phone.send_key(a.port, 5, 160, end=True)
    a.phone.send(a.port, b"\x11" * 160)
    await until(lambda: bool(heard))
    packets = await b.phone.listen(0.3)
    assert heard == ["5"]
    assert [packet.payload for packet in packets if packet.payload_type == 0] == [b"\x11" * 160]
    counted = await stats(a.port)
    assert (counted.packets_received, counted.packets_lost) == (3, 0)  # two of sound, one of the key


async def test_sources_without_end_from_the_peer_itself(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats
) -> None:
    """Each packet a new SSRC: one stream leaves all the same, no memory is kept for any, and the call goes on."""
    a, b = leg(), leg(ssrc=0x77)
    plane.bridge(a.port, b.port)
    await settle()
    packets = []
    for n in range(400):
        a.phone.ssrc = n + 1
        a.phone.send(a.port)
        packets.append(await b.phone.receive())
    assert len({packet.ssrc for packet in packets}) == 1
    assert [packet.seq - packets[0].seq & 0xFFFF for packet in packets] == list(range(400))
    assert (await stats(a.port)).packets_lost == 0
