"""The plane with a real rtpengine: ports, bridges in one call of it and between two, prompts, keys, counters, its
end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.rtpengine import Rtpengine
from media.codecs import pcma_decode
from media.plane import (
    ConferencesExhausted,
    MediaError,
    PortsExhausted,
    PortStats,
    RecordingEvent,
    RecordingOrder,
    UnknownKey,
    UnknownPrompt,
)
from media.prompts import PromptLibrary
from media.rtpengine.plane import RtpenginePlane
from media.security import SrtpKeys
from tests.media.processes import until
from tests.media.rtpengine.conftest import MakePhone, caller, heard, plane_of, press, settle


async def test_a_port_is_there_at_once(plane: RtpenginePlane) -> None:
    first = plane.lease()
    second, third = plane.lease(beside=first), plane.lease(beside=first)
    assert len({port.number for port in (first, second, third)}) == 3
    assert {port.advertised for port in (first, second, third)} == {"127.0.0.1"}
    cells = [plane._sides[port.generation].cell for port in (first, second, third)]
    assert cells[0] is cells[1] is not cells[2]
    assert plane.leased_ports == 3
    for port in (first, second, third):
        plane.release(port)
    assert plane.leased_ports == 0


async def test_a_bridge_in_one_call(plane: RtpenginePlane, phone: MakePhone) -> None:
    a, b = phone(payload_type=8), phone(payload_type=8, ssrc=0x99)
    first = caller(plane, a)
    second = caller(plane, b, beside=first)
    plane.bridge(first, second)
    assert await heard(b, a, first, b"\x21" * 160) == b"\x21" * 160
    assert await heard(a, b, second, b"\x22" * 160) == b"\x22" * 160
    assert plane.counters["media_rtpengine_hops"] == 0
    plane.silence(first)
    plane.silence(second)
    await settle(plane, first, second)
    assert await heard(b, a, first, b"\x23" * 160) is None


async def test_a_bridge_between_calls(plane: RtpenginePlane, phone: MakePhone) -> None:
    a, b = phone(payload_type=8), phone(ssrc=0x99)  # PCMA, PCMU
    first, second = caller(plane, a), caller(plane, b)
    plane.bridge(first, second)
    from_a, from_b = await heard(b, a, first, b"\x21" * 160), await heard(a, b, second, b"\x22" * 160)
    assert from_a is not None and from_b is not None and from_a != b"\x21" * 160
    assert plane.counters["media_rtpengine_hops"] == 1
    keys: list[str] = []
    second.on_digit = keys.append
    press(b, second, 7)
    await until(lambda: keys == ["7"])
    plane.release(second)
    await settle(plane, first)
    assert await heard(b, a, first, b"\x23" * 160) is None


async def test_transcoding_is_left_to_rtpengine(plane: RtpenginePlane, phone: MakePhone) -> None:
    a, b = phone(payload_type=8), phone(ssrc=0x99)
    first = caller(plane, a)
    second = caller(plane, b, beside=first)
    plane.bridge(first, second)
    b.forget_heard()
    a.send(first, b"\xaa" * 160)
    for _ in range(20):
        a.send(first, b"\xaa" * 160)
        await asyncio.sleep(0.01)
    packets = await b.listen(0.1)
    assert {packet.payload_type for packet in packets} == {0}


async def test_a_peer_that_moves(plane: RtpenginePlane, phone: MakePhone) -> None:
    a, b, c = phone(payload_type=8), phone(payload_type=8, ssrc=0x99), phone(payload_type=8, ssrc=0x77)
    first = caller(plane, a)
    second = caller(plane, b, beside=first)
    plane.bridge(first, second)
    assert await heard(b, a, first, b"\x21" * 160)
    plane.connect(second, c.remote())  # re-INVITE
    await settle(plane, first, second)
    assert await heard(c, a, first, b"\x21" * 160)
    assert await heard(a, c, second, b"\x22" * 160)


async def test_prompts_one_after_the_other(plane: RtpenginePlane, phone: MakePhone) -> None:
    a = phone(payload_type=8)
    port = caller(plane, a)
    played: list[int] = []
    port.on_played = played.append
    play_id = plane.play(port, ["one", "two"])
    packets = []
    while not played:
        packets += await a.listen(0.05)
    packets = [packet for packet in [*packets, *await a.listen(0.1)] if set(packet.payload) != {0xD5}]
    assert 5 <= len(packets) <= 6
    sound = pcma_decode(b"".join(packet.payload for packet in packets))
    peak = np.argmax(np.abs(np.fft.rfft(sound[:480]))) * 8000 / 480
    assert abs(peak - 500) < 30
    assert played == [play_id]
    assert await a.receive()  # silence follows
    with pytest.raises(UnknownPrompt):
        plane.play(port, ["nothing"])


async def test_music_goes_on_until_told_otherwise(plane: RtpenginePlane, phone: MakePhone) -> None:
    a = phone(payload_type=8)
    port = caller(plane, a)
    plane.play(port, ["one"], loop=True)
    loud = [packet for packet in await a.listen(1.0) if set(packet.payload) != {0xD5}]
    assert len(loud) > 12
    plane.echo(port)
    await settle(plane, port)
    a.forget_heard()
    assert await heard(a, a, port, b"\x24" * 160) == b"\x24" * 160


async def test_keys_are_told(plane: RtpenginePlane, phone: MakePhone) -> None:
    a = phone(payload_type=8)
    port = caller(plane, a)
    keys: list[str] = []
    ends: list[tuple[str, int]] = []
    port.on_digit = keys.append
    port.on_key_end = lambda key, duration_ms: ends.append((key, duration_ms))
    await settle(plane, port)
    for event in (5, 11):
        press(a, port, event)
    await until(lambda: keys == ["5", "#"])
    assert ends == [("5", 120), ("#", 120)]


async def test_keys_are_sent(plane: RtpenginePlane, phone: MakePhone) -> None:
    a, b = phone(payload_type=8), phone(payload_type=8, ssrc=0x99)
    first = caller(plane, a)
    plane.send_digit(first, "1")  # nothing flows that it could be laid over
    assert plane.counters["media_rtpengine_keys_unsent"] == 1
    with pytest.raises(UnknownKey):
        plane.send_digit(first, "x")
    second = caller(plane, b, beside=first)
    plane.bridge(first, second)
    assert await heard(a, b, second, b"\x22" * 160)
    plane.send_digit(first, "7", 100)
    end_s = time.monotonic() + 30
    events: set[int] = set()
    while time.monotonic() < end_s and not events:
        b.send(second, b"\x22" * 160)
        events |= {packet.payload[0] for packet in await a.listen(0.02) if packet.payload_type == 101}
    assert events == {7}


async def test_counters_of_a_port(plane: RtpenginePlane, phone: MakePhone) -> None:
    a, b = phone(payload_type=8), phone(payload_type=8, ssrc=0x99)
    first = caller(plane, a)
    second = caller(plane, b, beside=first)
    plane.bridge(first, second)
    await settle(plane, first, second)
    for _ in range(20):
        a.send(first)
        await b.receive()
    got: list[PortStats] = []
    plane.release(first, got.append)
    plane.release(second, got.append)
    await until(lambda: len(got) == 2)
    assert (got[0].packets_received, got[1].packets_sent) == (20, 20)
    plane.release(first, got.append)
    assert got[2] == PortStats()
    assert plane.counters["media_unknown_port"] == 1


async def test_a_peer_that_falls_silent(plane: RtpenginePlane, phone: MakePhone) -> None:
    a = phone(payload_type=8)
    port = caller(plane, a)
    silences: list[bool] = []
    port.on_silent = lambda: silences.append(True)
    plane.watch(port, 1000)
    for _ in range(60):
        a.send(port)
        await asyncio.sleep(0.02)
    assert silences == []
    await until(lambda: silences == [True])
    plane.watch(port, None)


async def test_what_rtpengine_can_not(plane: RtpenginePlane, phone: MakePhone) -> None:
    a = phone(payload_type=8)
    port = plane.lease()
    with pytest.raises(ConferencesExhausted, match="does not mix"):
        plane.open_conference()
    with pytest.raises(MediaError, match="SRTP"):
        plane.connect(port, a.remote(security=SrtpKeys("AES_CM_128_HMAC_SHA1_80", b"", b"")))
    with pytest.raises(MediaError, match="L16"):
        plane.connect(port, a.remote(codec="L16", payload_type=97, clock_hz=16000))
    events: list[RecordingEvent] = []
    plane.record(port, RecordingOrder("/tmp", "x.wav"), events.append)
    await until(lambda: [event.why for event in events] == ["failed"])
    assert plane.adopted() == {}


async def test_a_daemon_that_dies_and_comes_back(prompts: Path) -> None:
    daemon = Rtpengine()
    daemon.start()
    plane = await plane_of(daemon, prompts)
    try:
        port = plane.lease()
        lost: list[bool] = []
        port.on_lost = lambda: lost.append(True)
        daemon.kill()
        await until(lambda: lost == [True])
        assert (plane.up, plane.leased_ports) == (False, 0)
        with pytest.raises(PortsExhausted):
            plane.lease()
        daemon.start()
        await until(lambda: plane.up and plane.free_ports > 0)
        plane.release(plane.lease())
        assert plane.counters["media_ports_lost"] == plane.counters["media_rtpengine_losses"] == 1
    finally:
        await plane.close()
        daemon.kill()


async def test_calls_go_where_a_daemon_lives(daemon: Rtpengine) -> None:
    other = Rtpengine()
    plane = RtpenginePlane(
        [(other.host, other.ng), (daemon.host, daemon.ng)], PromptLibrary(None), Counter(), spare=2
    )  # fmt: skip
    await plane.start()
    try:
        assert plane.lease().worker == 1
        other.start()
        await until(lambda: [one.spare for one in plane.daemons] == [2, 2])
        assert {plane.lease().worker for _ in range(2)} == {0, 1}
    finally:
        await plane.close()
        other.kill()


async def test_it_leaves_nothing_behind(daemon: Rtpengine, phone: MakePhone) -> None:
    plane = await plane_of(daemon, spare=2)
    caller(plane, phone(payload_type=8))
    asked = plane.daemons[0]
    await until(lambda: asked.spare == 2)
    assert (await asked.ask("list", limit=50))["calls"]
    await plane.close()
    for turns in range(60):  # while it makes another cell; rtpengine obeys several requests at once
        plane = await plane_of(daemon, spare=1)
        plane.lease()
        for _ in range(turns % 7):
            await asyncio.sleep(0)
        if turns % 3 == 0:
            await asyncio.sleep(0.0005 * (turns % 11))
        await plane.close()
    plane = await plane_of(daemon, spare=1)
    left = (await plane.daemons[0].ask("list", limit=50))["calls"]
    await plane.close()
    assert isinstance(left, list) and len(left) <= 1


async def test_ports_of_ipv6(phone: MakePhone, prompts: Path) -> None:
    with Rtpengine(interface="::1") as daemon:
        plane = await plane_of(daemon, prompts, ipv6=True)
        a, b = phone(payload_type=8, host="::1"), phone(payload_type=8, ssrc=0x99, host="::1")
        first = caller(plane, a)
        second = caller(plane, b, beside=first)
        assert first.host == first.advertised == "::1"
        plane.bridge(first, second)
        assert await heard(b, a, first, b"\x21" * 160) == b"\x21" * 160
        third = plane.lease()  # of another call of rtpengine
        plane.connect(third, b.remote())
        plane.bridge(first, third)
        assert await heard(b, a, first, b"\x22" * 160) == b"\x22" * 160
        plane.connect(first, a.remote(host="0.0.0.0"))  # on hold, as of old
        plane.play(third, ["one"], loop=True)
        await settle(plane, first, third)
        assert len(await b.listen(0.3)) > 5
        await plane.close()
