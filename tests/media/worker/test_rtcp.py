"""RTCP (RFC 3550 6): compound packets, the right numbers in them, BYE on release."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

import pytest

from media.plane import MediaPort, PortStats
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]


class Part(NamedTuple):
    kind: int
    number: int  # of report blocks, chunks or sources
    body: bytes


def parts(compound: bytes) -> list[Part]:
    """The packets of a compound packet; they must fill it exactly."""
    result, at = [], 0
    while at < len(compound):
        first, kind, words = struct.unpack_from(">BBH", compound, at)
        assert first >> 6 == 2
        result.append(Part(kind, first & 31, compound[at + 4 : at + 4 + 4 * words]))
        at += 4 + 4 * words
    assert at == len(compound)
    return result


async def test_sender_report_and_bye_on_release(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg()
    plane.echo(a.port)
    await settle()
    for n in (0, 1, 5):
        a.phone.seq = 100 + n
        a.phone.send(a.port)
        heard = await a.phone.receive()
    await stats(a.port)
    sender_report, description, bye = parts(await a.phone.receive_rtcp())
    assert (sender_report.kind, sender_report.number) == (200, 1)
    ssrc, ntp_s, _, timestamp, packets, octets = struct.unpack_from(">6I", sender_report.body)
    assert ssrc == heard.ssrc and (packets, octets) == (3, 480)
    assert 3_900_000_000 < ntp_s and 0 <= timestamp - heard.timestamp < 8000
    source, loss, highest, _, last_sr, delay = struct.unpack_from(">6I", sender_report.body, 24)
    assert (source, loss >> 24, loss & 0xFFFFFF, highest) == (0x1234, 3 * 256 // 6, 3, 105)
    assert (last_sr, delay) == (0, 0)
    assert (description.kind, description.number, description.body[4:6]) == (202, 1, b"\x01\x10")
    assert struct.unpack_from(">I", description.body) == (ssrc,) and len(description.body) == 24
    assert (bye.kind, bye.number, bye.body) == (203, 1, struct.pack(">I", ssrc))


async def test_receiver_report(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg()
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    await a.phone.receive()
    b = leg(remote={"sends": False})
    plane.echo(b.port)
    await settle()
    b.phone.send(b.port)
    await b.phone.hears_nothing(0.02)
    await stats(b.port)
    report = parts(await b.phone.receive_rtcp())[0]
    assert (report.kind, report.number, len(report.body)) == (201, 1, 28)


async def test_answers_the_peers_sender_report(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg()
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    await a.phone.receive()
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, 0x1234, 0xAAAABBBB, 0xCCCCDDDD, 0, 1, 160)
    a.phone.rtcp.sendto(report, ("127.0.0.1", a.port.number + 1))
    await a.phone.hears_nothing(0.03)
    await stats(a.port)
    sender_report = parts(await a.phone.receive_rtcp())[0]
    last_sr, delay = struct.unpack_from(">II", sender_report.body, 24 + 16)
    assert last_sr == 0xBBBBCCCC and 0.02 < delay / 65536 < 0.5


async def test_rubbish_is_dropped_and_counted(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg()
    await settle()
    good = struct.pack(">BBHI", 0x80, 201, 1, 0x1234)
    rubbish = [
        b"", b"\x80", good[:7], b"\x00" + good[1:], good[:1] + b"\xca" + good[2:], good + b"\x80", good + good[:4],
        good[:2] + b"\xff\xff" + good[4:], good + b"\x00" * 4,
    ]  # fmt: skip
    for one in [*rubbish, good]:
        a.phone.rtcp.sendto(one, ("127.0.0.1", a.port.number + 1))
    await a.phone.hears_nothing(0.03)
    assert (await stats(a.port)).packets_dropped == len(rubbish)


async def test_silent_port_says_nothing(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg()
    await settle()
    await stats(a.port)
    try:
        await a.phone.receive_rtcp(0.03)
    except TimeoutError:
        return
    raise AssertionError("a report about nothing")


def report_of(ssrc: int, lost: int, jitter: int, last_sr: int, delay: int) -> bytes:
    """A receiver report of the phone about our stream."""
    return struct.pack(">BBHIIIIIII", 0x81, 201, 7, 0x1234, ssrc, lost, 1000, jitter, last_sr, delay)


async def test_round_trip_and_what_the_peer_hears(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    """LSR and DLSR of the peer's report (6.4.1), its loss and jitter, the scores of both directions."""
    a = leg()
    plane.echo(a.port)
    await settle()
    for _ in range(20):
        a.phone.send(a.port)
        heard = await a.phone.receive()
    now_s = time.time() + 2_208_988_800
    middle = int(now_s * 65536) & 0xFFFFFFFF
    # Our report left 300 ms ago, and lay at the phone for 180 of them.
    last_sr = (middle - round(0.300 * 65536)) & 0xFFFFFFFF
    rtcp = "127.0.0.1", a.port.number + 1
    a.phone.rtcp.sendto(report_of(heard.ssrc, 4, 80, last_sr, round(0.180 * 65536)), rtcp)
    a.phone.rtcp.sendto(report_of(heard.ssrc ^ 1, 900, 9000, last_sr, 0), rtcp)  # of another stream
    await a.phone.hears_nothing(0.03)
    answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
    plane.quality(a.port, answer.set_result)
    stats = await answer
    assert stats.rtt_ms == pytest.approx(120, abs=10)
    assert (stats.peer_lost, stats.peer_jitter_ms, stats.peer_reports) == (4, 10.0, 1)
    assert stats.mos is not None and stats.peer_mos is not None and 1 < stats.peer_mos < stats.mos - 1
    assert (stats.packets_received, stats.packets_sent) == (20, 20)


async def test_reports_that_lie(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    """A negative loss (duplicates), a report from the future, one that is cut off."""
    a = leg()
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    ssrc = (await a.phone.receive()).ssrc
    rtcp = "127.0.0.1", a.port.number + 1
    a.phone.rtcp.sendto(report_of(ssrc, 0xFFFFFE, 0, 0xFFFFFFFF, 0xFFFFFFFF), rtcp)
    cut = report_of(ssrc, 5, 0, 1, 1)[:20]
    a.phone.rtcp.sendto(cut[:2] + struct.pack(">H", 4) + cut[4:], rtcp)
    a.phone.rtcp.sendto(struct.pack(">BBHI", 0x80, 201, 1, 0x1234) + b"\x9f\xcb\x00\x00", rtcp)  # BYE of 31, with none
    await a.phone.hears_nothing(0.03)
    told = await stats(a.port)
    assert (told.peer_lost, told.peer_reports) == (0, 1)
    assert told.rtt_ms is None or told.rtt_ms < 30_000


async def test_bursts_of_loss(plane: WorkerPlane, leg: MakeLeg, settle: Settle, stats: Stats) -> None:
    a = leg()
    await settle()
    for seq in (100, 101, 104, 105, 106, 110):
        a.phone.seq = seq
        a.phone.send(a.port)
        await asyncio.sleep(0.002)
    await a.phone.hears_nothing(0.03)
    told = await stats(a.port)
    assert (told.packets_lost, told.loss_bursts) == (5, 2)
