"""Sound between peers of different codecs and packet lengths, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from media.plane import MediaPort, PortStats
from media.worker.loop import SoundDecoder, SoundEncoder, load_opus
from media.worker_plane import WorkerPlane
from tests.media.conftest import snr_db

Settle = Callable[[], Awaitable[None]]
Stats = Callable[[MediaPort], Awaitable[PortStats]]
Legs = Callable[..., Any]

assert load_opus(["libopus.so.0"]), "Debian package libopus0"


class Codec(NamedTuple):
    number: int
    remote: dict[str, Any]  # what a peer of this codec negotiates
    units: int  # timestamp units of 20 ms


CODECS = {
    "PCMU": Codec(0, {"codec": "PCMU", "payload_type": 0}, 160),
    "PCMA": Codec(8, {"codec": "PCMA", "payload_type": 8}, 160),
    "G722": Codec(9, {"codec": "G722", "payload_type": 9}, 160),
    "L16": Codec(12, {"codec": "L16", "payload_type": 97, "clock_hz": 16000}, 320),
    "OPUS": Codec(111, {"codec": "OPUS", "payload_type": 96, "clock_hz": 48000, "dtmf_clock_hz": 48000}, 960),
}
HERTZ = 600.0


def sine(frames: int) -> npt.NDArray[np.int16]:
    return np.round(9000 * np.sin(2 * np.pi * HERTZ * np.arange(320 * frames) / 16000)).astype(np.int16)


def payloads(name: str, frames: int, ptime_ms: int = 20) -> list[bytes]:
    encoder, sound, size = SoundEncoder(CODECS[name].number), sine(frames), 16 * ptime_ms
    return [encoder.encode(sound[at : at + size].tobytes()) for at in range(0, len(sound), size)]


async def talk(leg: Any, name: str, frames: int, skip: tuple[int, ...] = (), ptime_ms: int = 20) -> None:
    """Send a sine in real time."""
    codec, loop = CODECS[name], asyncio.get_running_loop()
    begin = loop.time()
    for n, payload in enumerate(payloads(name, frames, ptime_ms)):
        await asyncio.sleep(begin + ptime_ms / 1000 * n - loop.time())
        if n in skip:
            leg.phone.seq += 1
        else:
            leg.phone.send(leg.port, payload, payload_type=codec.remote["payload_type"])
            leg.phone.timestamp -= 160
        leg.phone.timestamp = leg.phone.timestamp + codec.units * ptime_ms // 20 & 0xFFFFFFFF


def sound_of(name: str, packets: list[Any]) -> npt.NDArray[np.int16]:
    decoder = SoundDecoder(CODECS[name].number)
    return np.frombuffer(b"".join(decoder.decode(packet.payload) for packet in packets), np.int16)


PAIRS = [("PCMU", "G722"), ("G722", "OPUS"), ("L16", "PCMA")]


async def test_transcoded_bridges(plane: WorkerPlane, leg: Legs, stats: Stats) -> None:
    """Every pair in both directions at once: the sine arrives, the stream is whole, its clock is the codec's."""
    pairs = [(a, leg(CODECS[a].remote), b, leg(CODECS[b].remote)) for a, b in PAIRS]
    for _, one, _, two in pairs:
        plane.bridge(one.port, two.port)
    sides = [(name, side) for a, one, b, two in pairs for name, side in ((a, one), (b, two))]
    await asyncio.gather(*(talk(side, name, 80) for name, side in sides))
    heard = await asyncio.gather(*(side.phone.listen(0.02) for _, side in sides))
    for (name, _), packets in zip(sides, heard, strict=True):
        codec = CODECS[name]
        assert {packet.payload_type for packet in packets} == {codec.remote["payload_type"]}
        assert len(packets) >= 70
        assert np.diff([packet.seq for packet in packets]).tolist() == [1] * (len(packets) - 1)
        steps = np.diff([packet.timestamp for packet in packets])
        assert np.median(steps) == codec.units
        assert snr_db(sound_of(name, packets)[-12800:-3200], HERTZ) > 18, name
    for _, side in sides:
        assert (await stats(side.port)).decode_errors == 0


@pytest.mark.parametrize("name", ["G722", "L16", "OPUS"])
async def test_what_both_agree_on_passes_undecoded(plane: WorkerPlane, leg: Legs, settle: Settle, name: str) -> None:
    one, two = leg(CODECS[name].remote), leg({**CODECS[name].remote, "payload_type": 120})
    plane.bridge(one.port, two.port)
    await settle()
    one.phone.send(one.port, b"any bytes", payload_type=CODECS[name].remote["payload_type"])
    packet = await two.phone.receive()
    assert (packet.payload, packet.payload_type) == (b"any bytes", 120)


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "G722", "L16"])
@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
async def test_what_we_make_has_the_peers_packet_length(
    plane: WorkerPlane, leg: Legs, name: str, ptime_ms: int
) -> None:
    codec = CODECS[name]
    one = leg({**codec.remote, "ptime_ms": ptime_ms})
    plane.silence(one.port)
    packets = await one.phone.receive_many(4)
    frame = len(payloads(name, 1)[0])
    assert {len(packet.payload) for packet in packets} == {frame * ptime_ms // 20}
    assert np.diff([packet.timestamp for packet in packets]).tolist() == [codec.units * ptime_ms // 20] * 3
    assert np.abs(sound_of(name, packets)).max() <= 16


@pytest.mark.parametrize(("ptime_ms", "units"), [(10, 480), (20, 960), (30, 960), (40, 1920), (60, 2880)])
async def test_opus_has_lengths_of_its_own(plane: WorkerPlane, leg: Legs, ptime_ms: int, units: int) -> None:
    one = leg({**CODECS["OPUS"].remote, "ptime_ms": ptime_ms})
    plane.silence(one.port)
    packets = await one.phone.receive_many(4)
    assert np.diff([packet.timestamp for packet in packets]).tolist() == [units] * 3


async def test_long_packets_are_cut_for_a_peer_that_insists(plane: WorkerPlane, leg: Legs, stats: Stats) -> None:
    one, two = leg({"ptime_ms": 60}), leg({"max_ptime_ms": 20})
    plane.bridge(one.port, two.port)
    await asyncio.gather(talk(one, "PCMU", 60, ptime_ms=60), talk(two, "PCMU", 60))
    cut, whole = await two.phone.listen(0.02), await one.phone.listen(0.02)
    assert {len(packet.payload) for packet in cut} == {160}
    assert {len(packet.payload) for packet in whole} == {480}  # as the other one wishes
    assert snr_db(sound_of("PCMU", cut)[-9600:-3200], HERTZ) > 30


async def test_loss_is_concealed_in_a_transcoded_bridge(plane: WorkerPlane, leg: Legs, stats: Stats) -> None:
    one, two = leg(), leg(CODECS["G722"].remote)
    plane.bridge(one.port, two.port)
    await talk(one, "PCMU", 60, skip=(20, 33, 34))
    sound = sound_of("G722", await two.phone.listen(0.02))
    assert np.abs(np.diff(sound[6400:].astype(int))).max() < 2 * 9000 * 2 * np.pi * HERTZ / 16000
    assert (await stats(one.port)).concealed_ms == 60


async def test_a_key_crosses_a_transcoded_bridge(plane: WorkerPlane, leg: Legs, settle: Settle) -> None:
    """In the clock of the other side, and the sound waits meanwhile."""
    one, two = leg(), leg(CODECS["OPUS"].remote)
    pressed: list[str] = []
    one.port.on_digit = pressed.append
    plane.bridge(one.port, two.port)
    await talk(one, "PCMU", 10)
    two.phone.forget_heard()
    for duration in (160, 320, 480):
        one.phone.send_key(one.port, 5, duration)
        await asyncio.sleep(0.02)
    for _ in range(3):
        one.phone.send_key(one.port, 5, 640, end=True)
    one.phone.timestamp += 800
    await talk(one, "PCMU", 10)
    packets = await two.phone.listen(0.05)
    keys = [packet for packet in packets if packet.payload_type == 101]
    assert [packet.payload.hex() for packet in keys] == [
        "050a03c0", "050a0780", "050a0b40", "058a0f00", "058a0f00", "058a0f00"
    ]  # fmt: skip
    assert len({packet.timestamp for packet in keys}) == 1
    assert [packet.marker for packet in keys] == [True] + [False] * 5
    assert np.diff([packet.seq for packet in packets]).tolist() == [1] * (len(packets) - 1)
    between = packets[packets.index(keys[0]) : packets.index(keys[3])]
    assert all(packet.payload_type == 101 for packet in between)
    assert pressed == ["5"]


async def test_a_reinvite_changes_the_codec_under_a_bridge(plane: WorkerPlane, leg: Legs) -> None:
    one, two = leg(), leg()
    plane.bridge(one.port, two.port)
    await talk(one, "PCMU", 5)
    plane.connect(two.port, two.phone.remote(**CODECS["G722"].remote))
    await talk(one, "PCMU", 40)
    packets = await two.phone.listen(0.02)
    assert packets[0].payload_type == 0
    wide = [packet for packet in packets if packet.payload_type == 9]
    assert snr_db(sound_of("G722", wide)[-6400:], HERTZ) > 25
    plane.connect(two.port, two.phone.remote())
    await talk(one, "PCMU", 5)
    assert (await two.phone.listen(0.02))[-1].payload_type == 0


async def test_a_prompt_without_the_codec_is_silence_not_noise(plane: WorkerPlane, leg: Legs) -> None:
    """A prompt of a site without G.722 ends at once for a peer with nothing else."""
    one = leg(CODECS["G722"].remote)
    played: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    one.port.on_played = played.set_result
    plane.play(one.port, ["one"])
    async with asyncio.timeout(30):
        await played
    assert np.abs(sound_of("G722", await one.phone.receive_many(5))).max() <= 16
