"""Codecs by a real rtpengine: with payload types of their own, translated, transcoded, played and recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest

from media.plane import MediaPort
from media.rtpengine.description import Voice
from media.rtpengine.plane import RtpenginePlane
from media.worker.loop import SoundDecoder, SoundEncoder, load_opus
from media.worker.opus import libraries
from tests.media.conftest import Phone
from tests.media.processes import until
from tests.media.rtpengine.conftest import MakePhone, press, settle


@dataclass
class Speaker:
    """A phone that says a tone in its codec, and knows what it hears."""

    phone: Phone
    codec: str
    number: int  # the worker's
    clock_hz: int
    port: MediaPort | None = None
    heard: list[int] = field(default_factory=list)  # payload types

    def connect(self, plane: RtpenginePlane, beside: MediaPort | None = None) -> MediaPort:
        self.port = plane.lease(beside)
        remote = self.phone.remote(codec=self.codec, payload_type=self.phone.payload_type, clock_hz=self.clock_hz)
        plane.connect(self.port, remote)
        return self.port

    async def talk(self, hz: int, frames: int = 40) -> None:
        assert self.port is not None
        encoder = SoundEncoder(self.number)
        sound = (8000 * np.sin(2 * np.pi * hz * np.arange(frames * 320) / 16000)).astype("<i2").tobytes()
        for at in range(0, len(sound), 640):
            self.phone.send(self.port, encoder.encode(sound[at : at + 640]))
            self.phone.timestamp += self.clock_hz // 50 - 160
            await asyncio.sleep(0.02)

    async def loudest_hz(self, for_s: float = 0.5) -> float:
        """Of what comes meanwhile, once it is heard."""
        decoder, sound = SoundDecoder(self.number), b""
        packets = await self.phone.listen(for_s)
        packets = [one for one in packets if one.payload_type == self.phone.payload_type]
        self.heard = [one.payload_type for one in packets]
        for packet in packets:
            sound += decoder.decode(packet.payload)
        samples = np.frombuffer(sound, "<i2")[3200:].astype(float)
        return float(np.argmax(np.abs(np.fft.rfft(samples))) * 16000 / len(samples)) if len(samples) else 0.0


OPUS, OTHER_OPUS = ("OPUS", 111, 48000, 111), ("OPUS", 111, 48000, 96)
PCMA, PCMU, G722 = ("PCMA", 8, 8000, 8), ("PCMU", 0, 8000, 0), ("G722", 9, 8000, 9)
Kind = tuple[str, int, int, int]


def speaker(phone: MakePhone, kind: Kind, ssrc: int = 0x1234) -> Speaker:
    load_opus(libraries())
    codec, number, clock_hz, payload_type = kind
    return Speaker(phone(payload_type=payload_type, ssrc=ssrc), codec, number, clock_hz)


@pytest.mark.parametrize(
    ("one", "two", "joined"),
    [
        (OPUS, OPUS, True), (OPUS, OTHER_OPUS, False), (PCMA, OPUS, True), (OTHER_OPUS, PCMU, True), (G722, PCMA, True),
        (G722, OPUS, True),
    ],
    ids=lambda kind: f"{kind[0]}-{kind[3]}" if isinstance(kind, tuple) else "",
)  # fmt: skip
async def test_each_hears_the_other(
    plane: RtpenginePlane, phone: MakePhone, one: Kind, two: Kind, joined: bool
) -> None:
    a, b = speaker(phone, one), speaker(phone, two, ssrc=0x99)
    first = a.connect(plane)
    second = b.connect(plane, beside=first)
    plane.bridge(first, second)
    await settle(plane, first, second)
    assert (plane._sides[first.generation].neighbour is not None) is joined
    _, _, heard, other = await asyncio.gather(a.talk(440), b.talk(620), a.loudest_hz(0.9), b.loudest_hz(0.9))
    assert heard == pytest.approx(620, abs=8) and other == pytest.approx(440, abs=8)
    assert len(a.heard) > 25 and len(b.heard) > 25


@pytest.mark.parametrize("kind", [OPUS, G722], ids=lambda kind: str(kind[0]))
async def test_prompts_are_heard_in_any_codec(plane: RtpenginePlane, phone: MakePhone, kind: Kind) -> None:
    a = speaker(phone, kind)
    plane.play(a.connect(plane), ["long"])
    assert await a.loudest_hz(0.8) == pytest.approx(500, abs=8)


@pytest.mark.parametrize("clock_hz", [8000, 48000])
async def test_keys_beside_opus(plane: RtpenginePlane, phone: MakePhone, clock_hz: int) -> None:
    a, b = speaker(phone, OPUS), speaker(phone, PCMA, ssrc=0x99)
    first = a.connect(plane)
    plane.connect(first, a.phone.remote(codec="OPUS", payload_type=111, clock_hz=48000, dtmf_clock_hz=clock_hz))
    second = b.connect(plane, beside=first)
    keys: list[tuple[str, int]] = []
    first.on_key_end = lambda key, duration_ms: keys.append((key, duration_ms))
    plane.bridge(first, second)
    await settle(plane, first, second)
    await a.talk(440, 10)
    press(a.phone, first, 7)
    await until(lambda: bool(keys))
    [(key, held_ms)] = keys
    assert key == "7" and abs(held_ms - 120 * 8000 // clock_hz) < 8
    events = {one.payload[0] for one in await b.phone.listen(0.3) if one.payload_type == 101}
    assert events == {7}


def test_what_two_ends_speak_between_them() -> None:
    opus, other = (Voice(codec="OPUS", payload_type=number, clock_hz=48000) for number in (111, 96))
    pcma, pcmu = Voice(), Voice(codec="PCMU", payload_type=0)
    assert opus.between(other).codec == other.between(opus).codec == "G722"
    assert opus.between(pcmu).payload_type == pcmu.between(opus).payload_type == 0
    assert pcma.between(pcmu).codec == pcmu.between(pcma).codec == "PCMA"
    assert opus.between(opus) == opus and opus.joins(opus) and opus.joins(pcma) and not opus.joins(other)


def test_its_description_says_it() -> None:
    said = str(Voice(codec="OPUS", payload_type=111, clock_hz=48000, fmtp="useinbandfec=1"))
    assert "a=rtpmap:111 opus/48000/2\r\n" in said and "a=fmtp:111 useinbandfec=1\r\n" in said
    assert "a=rtpmap:101 telephone-event/48000\r\n" in said
