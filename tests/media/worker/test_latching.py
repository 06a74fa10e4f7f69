"""Who a port listens to: the negotiated peer, or one other until that one is heard; never two, or the last call's."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from media.plane import MediaPort, PortStats
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Phone

MakeLeg = Callable[..., "Leg"]
MakePhone = Callable[..., "Phone"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]
STRANGERS_RUN = 5  # packets of the negotiated host from another port
OTHER_HOST = "127.0.0.2"
OTHER_HOST_RUN = 15
MORE_THAN_ENOUGH = 30  # packets in a row for anybody to be believed, if he may be at all
WINDOW_S = 10.0  # after `connect`, in which others than the negotiated address may be the peer


async def send_run(sender: Phone, port: MediaPort, packets: int = MORE_THAN_ENOUGH) -> None:
    """So that the worker takes one after the other, and has taken them all."""
    for _ in range(packets):
        sender.send(port)
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)


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
    a, translated, stranger = leg(), phone(), phone(ssrc=9)
    plane.echo(a.port)
    await settle()
    for _ in range(STRANGERS_RUN - 1):
        translated.send(a.port)
    assert await translated.hears_nothing(0.03)
    translated.send(a.port, b"n" * 160)
    assert (await translated.receive()).payload == b"n" * 160
    await send_run(stranger, a.port)
    assert await stranger.hears_nothing(0.03)
    translated.send(a.port, b"o" * 160)
    assert (await translated.receive()).payload == b"o" * 160


async def test_phone_behind_nat_of_another_host(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle
) -> None:
    a, translated = leg(), phone(host=OTHER_HOST)
    plane.echo(a.port)
    await settle()
    await send_run(translated, a.port, OTHER_HOST_RUN)
    assert await translated.receive()


async def test_the_peer_takes_its_port_back(plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle) -> None:
    """A stranger was first and believed; the negotiated address sends, RTCP too, and he is nobody again."""
    a, stranger = leg(), phone(host=OTHER_HOST, ssrc=9)
    plane.echo(a.port)
    await settle()
    await send_run(stranger, a.port)
    assert await stranger.receive()
    stranger.forget_heard()
    a.phone.send(a.port, b"p" * 160)
    assert (await a.phone.receive()).payload == b"p" * 160
    await send_run(stranger, a.port)
    assert await stranger.hears_nothing(0.03)
    plane.release(a.port)
    assert await a.phone.receive_rtcp()
    with pytest.raises(TimeoutError):
        await stranger.receive_rtcp(0.01)


async def test_what_strangers_sent_before_the_peer_is_thrown_away(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle, stats: Stats
) -> None:
    """Also when the peer is gone already, and its host says so while their packets are looked through."""
    a, stranger = leg(), phone(ssrc=9)
    plane.echo(a.port)
    await settle()
    assert plane.worker_pid is not None
    os.kill(plane.worker_pid, signal.SIGSTOP)  # so that all have come when it looks
    try:
        a.phone.send(a.port)
        a.phone.close()
        for _ in range(MORE_THAN_ENOUGH):
            stranger.send(a.port)
    finally:
        os.kill(plane.worker_pid, signal.SIGCONT)
    await settle()
    told = await stats(a.port)
    assert (told.packets_received, told.packets_dropped) == (1, MORE_THAN_ENOUGH)


@pytest.mark.parametrize("host", ["127.0.0.1", OTHER_HOST])
async def test_nobody_is_latched_while_the_peer_may_not_send(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle, host: str
) -> None:
    """On hold, and when the call goes on: the stranger is not nearer than before."""
    a, b = leg(), leg(ssrc=0x77)
    stranger = phone(host=host, ssrc=9, seq=500)
    plane.bridge(a.port, b.port)
    await settle()
    a.phone.send(a.port)
    await b.phone.receive()
    plane.connect(a.port, a.phone.remote(receives=False))
    await settle()
    await send_run(stranger, a.port)
    b.phone.send(b.port, b"h" * 160)
    assert (await a.phone.receive()).payload == b"h" * 160
    plane.connect(a.port, a.phone.remote())
    await settle()
    stranger.send(a.port)
    b.phone.send(b.port, b"i" * 160)
    assert (await a.phone.receive()).payload == b"i" * 160
    a.phone.send(a.port, b"j" * 160)
    assert (await b.phone.receive()).payload == b"j" * 160
    assert await stranger.hears_nothing(0.03)


async def test_phone_behind_nat_after_hold(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle
) -> None:
    """It kept silent on hold, and is at once where it was; so is one of which nothing was heard before, after a run."""
    a, b = leg(), leg(remote={"receives": False})
    heard_before, held_from_the_start = phone(), phone(ssrc=3)
    plane.echo(a.port)
    plane.echo(b.port)
    await settle()
    await send_run(heard_before, a.port, STRANGERS_RUN)
    await heard_before.receive()
    await send_run(held_from_the_start, b.port, STRANGERS_RUN)
    for receives in (False, True):
        plane.connect(a.port, a.phone.remote(receives=receives))
        plane.connect(b.port, b.phone.remote(receives=receives))
    await settle()
    heard_before.send(a.port, b"k" * 160)
    assert (await heard_before.receive()).payload == b"k" * 160
    assert await held_from_the_start.hears_nothing(0.03)
    await send_run(held_from_the_start, b.port, STRANGERS_RUN)
    assert await held_from_the_start.receive()


async def test_when_the_window_is_over(plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle) -> None:
    """Nobody else is believed any more, the negotiated address is, whoever was latched. `connect` opens it again."""
    silent, late, hijacked = leg(), leg(), leg()
    strangers = [phone(host=host, ssrc=9, seq=500) for host in ("127.0.0.1", OTHER_HOST)]
    first, translated = phone(host=OTHER_HOST, ssrc=10), phone(ssrc=11)
    plane.silence(silent.port)
    for port in (late.port, hijacked.port):
        plane.echo(port)
    await settle()
    await send_run(first, hijacked.port)
    await first.receive()
    await asyncio.sleep(WINDOW_S)
    for stranger in strangers:
        await send_run(stranger, silent.port)
        await send_run(stranger, late.port)
        assert await stranger.hears_nothing(0.03)
    silent.phone.forget_heard()
    assert (await silent.phone.receive()).payload == b"\xff" * 160
    late.phone.send(late.port, b"l" * 160)
    assert (await late.phone.receive()).payload == b"l" * 160
    async with asyncio.timeout(30):  # the kernel filters, but for a second between two RTCP reports
        while await hijacked.phone.hears_nothing(0.02):
            first.send(hijacked.port)
            hijacked.phone.send(hijacked.port)
    first.forget_heard()
    await send_run(first, hijacked.port)
    assert await first.hears_nothing(0.03)
    plane.connect(silent.port, silent.phone.remote())
    await settle()
    await send_run(translated, silent.port, STRANGERS_RUN)
    assert await translated.receive()


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

    async def told(ask: Callable[[MediaPort, Callable[[PortStats], None]], None]) -> PortStats:
        answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
        ask(port, answer.set_result)
        async with asyncio.timeout(30):
            return await answer

    port = plane.lease()
    plane.connect(port, late.remote())
    plane.echo(port)
    await told(plane.quality)
    late.send(port)
    await late.receive()
    await told(plane.release)
    for _ in range(20):
        late.send(port)  # to the idle socket: they wait there
    port = plane.lease()
    plane.connect(port, second.remote())
    plane.echo(port)
    await told(plane.quality)
    for _ in range(20):
        late.send(port)  # a run that would latch, were it not the last call's peer
    second.send(port, b"2" * 160)
    assert (await second.receive()).payload == b"2" * 160
    assert await second.hears_nothing(0.02)
    counted = await told(plane.release)
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
