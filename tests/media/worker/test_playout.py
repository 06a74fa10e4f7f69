"""Prompts, music and silence: 20 ms apart by the clock, in one stream with all that comes before and after."""

from __future__ import annotations

import asyncio
import itertools
import os
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from media import codecs, records
from media.plane import MediaPort, PlaylistTooLong, PortStats, UnknownPrompt
from media.prompts import PromptLibrary, Wanted
from media.worker_plane import WorkerPlane
from tests.media.conftest import FreeRange

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Packet, Phone

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]


def payload_of(packets: list[Packet]) -> bytes:
    return b"".join(packet.payload for packet in packets)


def pcmu(plane: WorkerPlane, name: str) -> bytes:
    return b"".join(plane.library.get(name).frames("PCMU"))


def check_continuous(packets: list[Packet]) -> None:
    """One SSRC, no gap in the sequence, timestamps that go forward by a packet's time at least."""
    assert len({packet.ssrc for packet in packets}) == 1
    for before, after in itertools.pairwise(packets):
        assert (after.seq - before.seq) & 0xFFFF == 1
        assert 160 <= (after.timestamp - before.timestamp) & 0xFFFFFFFF < 8000


@pytest.mark.parametrize("payload_type", [0, 8])
async def test_playlist_once(plane: WorkerPlane, leg: MakeLeg, payload_type: int) -> None:
    a = leg(payload_type=payload_type)
    played: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    a.port.on_played = played.set_result
    play_id = plane.play(a.port, ["one", "two"])
    packets = await a.phone.receive_many(7)
    one, two = plane.library.get("one"), plane.library.get("two")
    form, silence = ("PCMA", b"\xd5") if payload_type else ("PCMU", b"\xff")
    expected = b"".join(one.frames(form) + two.frames(form)) + silence * 320
    assert payload_of(packets) == expected  # and then silence
    assert {packet.payload_type for packet in packets} == {payload_type}
    assert [packet.marker for packet in packets] == [True] + [False] * 6
    check_continuous(packets)
    assert {b.timestamp - a.timestamp for a, b in itertools.pairwise(packets)} == {160}
    assert await played == play_id


async def test_loop_keeps_pace(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg()
    ended: list[int] = []
    a.port.on_played = ended.append
    plane.play(a.port, ["one"], loop=True)
    packets = await a.phone.receive_many(31)
    assert payload_of(packets[:30]) == pcmu(plane, "one") * 10
    check_continuous(packets)
    assert abs(packets[30].at_s - packets[0].at_s - 30 * 0.020) < 0.015  # absolute: no drift
    assert ended == []


async def test_what_is_heard_once_before_a_loop(plane: WorkerPlane, leg: MakeLeg) -> None:
    """An announcement, then music without a gap: its end is told when the first of the music leaves."""
    a = leg()
    ended: list[int] = []
    a.port.on_played = ended.append
    play_id = plane.play(a.port, ["two", "one"], loop=True, once=1)
    two, one = plane.library.get("two").frames("PCMU"), plane.library.get("one").frames("PCMU")
    packets = await a.phone.receive_many(len(two))
    assert payload_of(packets) == b"".join(two) and ended == []
    music = await a.phone.receive_many(3 * len(one))
    assert payload_of(music) == b"".join(one) * 3
    check_continuous(packets + music)
    assert ended == [play_id]


async def test_what_is_heard_once_before_nothing(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg()
    ended: list[int] = []
    a.port.on_played = ended.append
    play_id = plane.play(a.port, ["one"], loop=True, once=5)
    one = pcmu(plane, "one")
    packets = await a.phone.receive_many(5)
    assert payload_of(packets) == one.ljust(5 * 160, b"\xff")
    assert ended == [play_id]


async def test_new_playlist_replaces_the_old(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a = leg()
    ended: list[int] = []
    a.port.on_played = ended.append
    plane.play(a.port, ["one"], loop=True)
    first = await a.phone.receive_many(2)
    second_id = plane.play(a.port, ["two"])
    packets = first + await a.phone.receive_many(6)
    check_continuous(packets)
    assert pcmu(plane, "two") in payload_of(packets)
    assert ended == [second_id]


async def test_playlists_that_are_over_at_once(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg()
    for loop in (False, True):
        played: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        a.port.on_played = played.set_result
        play_id = plane.play(a.port, [], loop=loop)
        async with asyncio.timeout(30):
            assert await played == play_id


async def test_playlist_ends_even_if_nothing_can_be_sent(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg(remote={"sends": False})
    played: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    a.port.on_played = played.set_result
    plane.play(a.port, ["one"])
    async with asyncio.timeout(30):
        await played
    assert await a.phone.hears_nothing()


async def test_refusals(plane: WorkerPlane, leg: MakeLeg) -> None:
    a = leg()
    with pytest.raises(UnknownPrompt):
        plane.play(a.port, ["one", "other"])
    with pytest.raises(PlaylistTooLong):
        plane.play(a.port, ["one"] * 33)
    assert plane.has_prompt("one") and not plane.has_prompt("other")


async def test_silence(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a = leg()
    await settle()
    assert await a.phone.hears_nothing()  # until told otherwise
    plane.silence(a.port)
    packets = await a.phone.receive_many(5)
    assert payload_of(packets) == b"\xff" * 800
    check_continuous(packets)


async def test_one_stream_from_prompt_to_music_to_bridge_to_silence(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle
) -> None:
    a, b = leg(), leg(payload_type=8, seq=9999, timestamp=4_294_967_000)
    listening = asyncio.create_task(a.phone.listen(0.5))
    plane.play(a.port, ["one"])
    await asyncio.sleep(0.05)
    plane.play(a.port, ["two"], loop=True)
    await asyncio.sleep(0.05)
    plane.bridge(a.port, b.port)
    await settle()
    for _ in range(4):
        b.phone.send(b.port)
        await asyncio.sleep(0.02)
    plane.echo(a.port)
    await settle()
    a.phone.send(a.port)
    await asyncio.sleep(0.05)
    plane.silence(a.port)
    await asyncio.sleep(0.05)
    plane.play(a.port, ["one"])
    packets = await listening
    one, two = pcmu(plane, "one"), pcmu(plane, "two")
    transcoded = codecs.pcma_to_pcmu_table()[0x10:0x11] * 160
    expected = {one[:160], two[:160], transcoded, b"\x10" * 160, b"\xff" * 160}
    assert {packet.payload for packet in packets} >= expected
    check_continuous(packets)
    span_s = packets[-1].at_s - packets[0].at_s
    span_units = (packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert abs(span_units / 8000 - span_s) < 0.1  # the timestamps follow real time


async def test_hold_in_the_middle_of_music(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a = leg()
    plane.play(a.port, ["one"], loop=True)
    before = (await a.phone.receive_many(2))[-1]
    plane.connect(a.port, a.phone.remote(sends=False))
    await settle()
    a.phone.forget_heard()
    assert await a.phone.hears_nothing(0.06)
    plane.connect(a.port, a.phone.remote())
    after = await a.phone.receive()
    assert after.marker and after.ssrc == before.ssrc and after.timestamp - before.timestamp > 3 * 160
    assert 1 <= after.seq - before.seq <= 2  # the last one before the hold may have been thrown away above


async def test_codec_change_in_the_middle(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a = leg()
    plane.silence(a.port)
    packets = await a.phone.receive_many(2)
    plane.connect(a.port, a.phone.remote(codec="PCMA", payload_type=8))
    packets += await a.phone.receive_many(4)
    check_continuous(packets)
    assert (packets[-1].payload_type, packets[-1].payload) == (8, b"\xd5" * 160)


async def test_many_ports_at_once(plane: WorkerPlane, leg: MakeLeg) -> None:
    legs = [leg() for _ in range(7)]
    for one in legs:
        plane.play(one.port, ["one", "two"], loop=True)
    for one in legs:
        packets = await one.phone.receive_many(10)
        assert payload_of(packets) == (pcmu(plane, "one") + pcmu(plane, "two")) * 2
        check_continuous(packets)


async def test_reload_while_playing(plane: WorkerPlane, leg: MakeLeg, prompts: Path, settle: Settle) -> None:
    """What plays plays on with its old content; new and changed prompts are there at once, removed ones are gone."""
    old = pcmu(plane, "one")
    a, b = leg(), leg()
    plane.play(a.port, ["one"], loop=True)
    await a.phone.receive()
    (prompts / "two.wav").replace(prompts / "one.wav")
    changes = await plane.reload_prompts()
    assert (set(changes.changed), set(changes.removed)) == ({"one"}, {"two"})
    assert not plane.has_prompt("two")
    plane.play(b.port, ["one"])
    new = await b.phone.receive_many(2)
    assert payload_of(new) == pcmu(plane, "one") != old
    a.phone.forget_heard()
    assert payload_of(await a.phone.receive_many(3)) in old * 2


@pytest.mark.parametrize(
    ("codec", "clock_hz", "form"),
    [
        ("G722", 8000, "G722"), ("OPUS", 48000, "OPUS"), ("L16", 16000, "L16/16000"), ("L16", 8000, "L16/8000"),
        ("PCMU", 8000, "PCMU"),
    ],
)  # fmt: skip
async def test_a_prompt_in_every_codec(
    prompts: Path, phone: Callable[..., Phone], free_range: FreeRange, codec: str, clock_hz: int, form: str
) -> None:
    """Its frames as they were encoded, on the clock of the codec."""
    library = PromptLibrary(Wanted(prompts, ("PCMU", "G722", "OPUS", "L16")))
    plane = WorkerPlane("127.0.0.1", None, free_range(2), library)
    await plane.start()
    try:
        one, port = phone(), plane.lease()
        kind = 0 if codec == "PCMU" else 9 if codec == "G722" else 96
        plane.connect(port, one.remote(codec=codec, payload_type=kind, clock_hz=clock_hz))
        plane.play(port, ["one", "two"], loop=True)
        expected = [*library.get("one").frames(form), *library.get("two").frames(form)]
        packets = await one.receive_many(2 * len(expected))
        assert [packet.payload for packet in packets] == expected * 2
        assert {packet.payload_type for packet in packets} == {kind}
        steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(packets)}
        assert steps == {clock_hz // 50}
    finally:
        await plane.close()


async def test_a_prompt_without_the_codec_is_left_out(plane: WorkerPlane, leg: MakeLeg) -> None:
    """A call's codec that the site's prompts were not made for: the playlist is over at once, nothing hangs."""
    a = leg(remote={"codec": "OPUS", "payload_type": 96, "clock_hz": 48000})
    played: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    a.port.on_played = played.set_result
    play_id = plane.play(a.port, ["one"])
    async with asyncio.timeout(30):
        assert await played == play_id


def _prompt_file(sound: bytes = b"\x11" * 480, **changes: int) -> bytes:
    """One PCMU variant of 3 frames; `changes` lie."""
    values = {"codec": 0, "frame_bytes": 160, "frames": 3, "start": 32, "size": 480, "variants": 1} | changes
    head = struct.pack("=4sI", b"PLP1", values["variants"])
    numbers = (values["codec"], values["frame_bytes"], values["frames"], values["start"], values["size"])
    return head + struct.pack("=BxHIQQ", *numbers) + sound


OPUS: dict[str, Any] = {"codec": 111, "frame_bytes": 0}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PLP1", b"RIFF" + bytes(600), _prompt_file(variants=9), _prompt_file(variants=0xFFFFFFFF),
        _prompt_file(frames=4), _prompt_file(frames=0xFFFFFFFF), _prompt_file(start=33), _prompt_file(start=2**63),
        _prompt_file(size=2**64 - 1), _prompt_file(frame_bytes=2000), _prompt_file(**OPUS, start=33, size=400),
        _prompt_file(**OPUS, frames=200), _prompt_file(struct.pack("=4I", 0, 9, 5, 9) + bytes(464), **OPUS),
        _prompt_file(struct.pack("=4I", 0, 9, 18, 2**31) + bytes(464), **OPUS),
        _prompt_file(struct.pack("=4I", 0, 1, 2, 470) + bytes(464), **OPUS),
    ],
)  # fmt: skip
async def test_a_file_that_lies_is_not_played(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, content: bytes
) -> None:
    """The server makes them, so this is the last line: the worker maps nothing it could read beyond."""
    descriptor = os.memfd_create("lies")
    os.write(descriptor, content)
    slot = plane._prompts.slot("one")
    plane.workers[0].send(records.prompt(slot), descriptor)
    await settle()
    a = leg()
    played: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    a.port.on_played = played.set_result
    plane.play(a.port, ["one"])
    async with asyncio.timeout(30):
        await played  # at once: the slot is empty
    assert (await a.phone.receive()).payload == b"\xff" * 160


async def test_comfort_noise(prompts: Path, phone: Callable[..., Phone], free_range: FreeRange) -> None:
    library = PromptLibrary(Wanted(prompts, tones=frozenset({"tone:noise"})))
    plane = WorkerPlane("127.0.0.1", None, free_range(2), library)
    await plane.start()
    try:
        one, port = phone(), plane.lease()
        plane.connect(port, one.remote())
        plane.comfort_noise(port)
        heard = codecs.pcmu_decode(payload_of(await one.receive_many(10))).astype(float)
        assert 1 < heard.std() < 40  # about -60 dBm0, far above silence, far below speech
    finally:
        await plane.close()
