"""Who a port listens to: the negotiated peer, or one stranger for good; never a second one, never the last call's."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from media.plane import MediaPort, PortStats
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Phone

MakeLeg = Callable[..., "Leg"]
MakePhone = Callable[..., "Phone"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]
STRANGERS_RUN = 5  # packets of the negotiated host from another port


async def test_locked_to_the_negotiated_peer(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle, stats: Stats
) -> None:
    a, stranger = leg(), phone()
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    await a.phone.receive()
    for _ in range(30):
        stranger.send(a.port)
    assert await stranger.hears_nothing() and await a.phone.hears_nothing(0.01)
    a.phone.send(a.port, b"m" * 160)
    assert (await a.phone.receive()).payload == b"m" * 160
    assert (await stats(a.port)).packets_received == 2  # the kernel filtered the stranger


async def test_phone_behind_nat(plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle) -> None:
    """SDP names a port nobody sends from; the sound comes from another one and must go back there."""
    a, translated = leg(), phone()
    plane.echo(a.port)
    await settle()
    for _ in range(STRANGERS_RUN - 1):
        translated.send(a.port)
    assert await translated.hears_nothing(0.03)
    translated.send(a.port, b"n" * 160)
    assert (await translated.receive()).payload == b"n" * 160
    a.phone.send(a.port)  # now it is a.phone that is the stranger
    assert await a.phone.hears_nothing(0.03)


async def test_unsteady_strangers_do_not(plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle) -> None:
    a, one, other = leg(), phone(), phone(ssrc=5)
    plane.echo(a.port)
    await settle()
    for _ in range(20):
        one.send(a.port)
        one.send(a.port)
        other.send(a.port)
    for _ in range(20):
        one.seq += 1  # no run of consecutive numbers
        one.send(a.port)
    assert await one.hears_nothing(0.03) and await other.hears_nothing(0.01)
    a.phone.send(a.port)
    assert (await a.phone.receive()).seq


async def test_negotiated_peer_wins_over_a_stranger_before_it(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle
) -> None:
    a, stranger = leg(), phone()
    plane.echo(a.port)
    await settle()
    for _ in range(STRANGERS_RUN - 1):
        stranger.send(a.port)
    a.phone.send(a.port)
    for _ in range(5):
        stranger.send(a.port)
    a.phone.send(a.port)
    await a.phone.receive()
    await a.phone.receive()
    assert await stranger.hears_nothing(0.03)


async def test_sound_goes_to_the_negotiated_address_before_any_arrives(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle
) -> None:
    a = leg()
    plane.silence(a.port)
    assert (await a.phone.receive()).payload == b"\xff" * 160


async def test_connect_re_arms(plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle) -> None:
    """A re-INVITE moves the peer: the old one is a stranger then."""
    a, moved = leg(), phone(ssrc=6)
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    before = await a.phone.receive()
    plane.connect(a.port, moved.remote())
    await settle()
    a.phone.send(a.port)
    moved.send(a.port)
    after = await moved.receive()
    assert after.ssrc == before.ssrc and after.seq == before.seq + 1
    a.phone.send(a.port)
    assert await a.phone.hears_nothing(0.03)


async def test_refresh_of_the_same_peer_keeps_where_sound_goes(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle
) -> None:
    """A session refresh (RFC 4028) of a phone behind NAT: what we send must not fall back to its private address."""
    a, translated = leg(), phone()
    plane.silence(a.port)
    await settle()
    for _ in range(STRANGERS_RUN):
        translated.send(a.port)
    await translated.receive()
    a.phone.forget_heard()
    plane.connect(a.port, a.phone.remote())
    await settle()
    a.phone.forget_heard()
    translated.forget_heard()
    assert (await translated.receive()).payload == b"\xff" * 160
    assert await a.phone.hears_nothing(0.03)


async def test_nothing_before_connect(plane: WorkerPlane, phone: MakePhone, settle: Settle, stats: Stats) -> None:
    port, early = plane.lease(), phone()
    plane.echo(port)
    await settle()
    for _ in range(20):
        early.send(port)
    assert await early.hears_nothing(0.3)
    counted = await stats(port)
    assert (counted.packets_received, counted.packets_dropped) == (0, 20)


async def test_late_packets_never_reach_the_next_lease(
    make_plane: Callable[[int], Awaitable[WorkerPlane]], phone: MakePhone
) -> None:
    """One port in the whole range, so that it is reused at once; the peer of the first call goes on sending."""
    plane = await make_plane(1)
    late, second = phone(ssrc=1), phone(ssrc=2)
    port = plane.lease()
    plane.connect(port, late.remote())
    plane.echo(port)
    late.send(port)
    await asyncio.sleep(0.02)
    late.send(port)
    await late.receive()
    plane.release(port)
    await asyncio.sleep(0.02)
    for _ in range(20):
        late.send(port)  # to the idle socket: they wait there
    port = plane.lease()
    plane.connect(port, second.remote())
    plane.echo(port)
    await asyncio.sleep(0.02)
    for _ in range(20):
        late.send(port)  # a run that would latch, were it not the last call's peer
    await asyncio.sleep(0.02)
    second.send(port, b"2" * 160)
    assert (await second.receive()).payload == b"2" * 160
    assert await second.hears_nothing(0.02)
    answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
    plane.release(port, answer.set_result)
    counted = await answer
    assert (counted.packets_received, counted.packets_dropped) == (1, 20)
    await plane.close()


async def test_peer_whose_socket_is_closed_for_a_while(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats
) -> None:
    """ICMP port unreachable comes back as an error on our socket; it must neither stop nor lose what follows."""
    a, b = leg(), leg()
    plane.bridge(a.port, b.port)
    await settle()
    b.phone.send(b.port)
    await a.phone.receive()
    address = b.phone.rtp.getsockname()
    b.phone.rtp.close()
    for _ in range(3):
        a.phone.send(a.port)
        await asyncio.sleep(0.005)
    b.phone.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    b.phone.rtp.bind(address)
    b.phone.rtp.setblocking(False)
    a.phone.send(a.port, b"z" * 160)
    assert (await b.phone.receive()).payload == b"z" * 160


async def test_counters_are_summed(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg()
    await settle()
    a.phone.send(a.port)
    a.phone.seq += 2
    a.phone.send(a.port)
    a.phone.rtp.sendto(b"rubbish", ("127.0.0.1", a.port.number))
    await asyncio.sleep(0.02)
    await stats(a.port)
    assert plane.counters == Counter(media_packets_lost=2, media_packets_dropped=1)
