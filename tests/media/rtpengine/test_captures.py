"""Recordings with a real rtpengine: both sides, prompts, masks, ciphers, SRTP, codecs, and what a crash leaves."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.rtpengine import Rtpengine
from media.codecs import pcma_encode
from media.plane import MediaPort, RecordingEvent, RecordingOrder
from media.recorded import RecordedFile
from media.rtpengine.plane import RtpenginePlane
from media.worker.recording_file import WAV_HEADER_BYTES
from tests.media.conftest import Phone, tone, write_wav
from tests.media.processes import until
from tests.media.rtpengine.conftest import MakePhone, caller, plane_of, press, settle
from tests.media.rtpengine.test_codecs import G722, OPUS, OTHER_OPUS, PCMA, Kind, speaker
from tests.media.rtpengine.test_security import SafePhone

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def daemon(spool: Path) -> Iterator[Rtpengine]:
    with Rtpengine(options=[f"--recording-dir={spool}", "--recording-method=pcap"]) as one:
        yield one


@pytest.fixture
async def plane(daemon: Rtpengine, prompts: Path, spool: Path) -> AsyncIterator[RtpenginePlane]:
    write_wav(prompts / "long.wav", tone(500, 3))
    made = await plane_of(daemon, prompts, spool=spool, recordings_key=KEY, srtp=True)
    yield made
    await made.close()


@asynccontextmanager
async def during(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()


@asynccontextmanager
async def speaking(phone: Phone | SafePhone, port: MediaPort, hz: int) -> AsyncIterator[None]:
    """A tone, in real time."""
    sound = pcma_encode(tone(hz, 1).astype(np.int16))
    say = partial(phone.send, port) if isinstance(phone, Phone) else phone.send

    async def speak() -> None:
        clock, sent = asyncio.get_running_loop(), 0
        began_s = clock.time()
        while True:
            at = sent * 160 % len(sound)
            say(sound[at : at + 160])
            sent += 1
            await asyncio.sleep(began_s + sent * 0.02 - clock.time())

    async with during(speak()):
        yield


def loud(samples: np.ndarray, hz: int) -> bool:
    """That tone and hardly anything else is in it."""
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    power = spectrum**2
    at = round(hz * len(samples) / 8000)
    return bool(power[max(0, at - 4) : at + 5].sum() > 0.9 * power.sum() > 0)


def sides(path: Path, key: bytes = b"") -> tuple[np.ndarray, np.ndarray]:
    with RecordedFile(str(path), key) as file:
        assert (file.channels, file.rate_hz, file.complete) == (2, 8000, True)
        samples = np.frombuffer(file.read(WAV_HEADER_BYTES, file.size), "<i2")
    return samples[::2], samples[1::2]


def order(folder: Path, key: bytes = b"") -> RecordingOrder:
    return RecordingOrder(str(folder), "day/call.wav", key=key)


def left_over(spool: Path) -> list[str]:
    return [one.name for name in ("pcaps", "metadata", "tmp", "plateau") for one in (spool / name).rglob("*.*[a-z]")]


async def test_both_sides_of_a_bridge(
    plane: RtpenginePlane, phone: MakePhone, tmp_path: Path, spool: Path
) -> None:
    a, b = phone(payload_type=8), phone(payload_type=8, ssrc=0x99)
    first = caller(plane, a)
    second = caller(plane, b, beside=first)
    plane.bridge(first, second)
    await settle(plane, first, second)
    told: list[RecordingEvent] = []
    async with speaking(a, first, 500), speaking(b, second, 1200):
        recording = plane.record(first, order(tmp_path), told.append)
        await until(lambda: [event.kind for event in told] == ["started"])
        await asyncio.sleep(0.6)
        plane.stop_recording(recording)
        await until(lambda: len(told) == 2)
    end = told[1]
    assert (end.kind, end.why, end.error, end.packets_late) == ("ended", "stopped", 0, 0)
    assert 600 <= end.at_ms < 2000 and end.size_bytes == (tmp_path / "day/call.wav").stat().st_size
    left, right = sides(tmp_path / "day/call.wav")
    assert abs(len(left) - end.at_ms * 8) <= 8
    assert loud(left[1600:-800], 500) and loud(right[1600:-800], 1200)
    assert left_over(spool) == []
    plane.release(first)
    plane.release(second)


async def taken(plane: RtpenginePlane, port: MediaPort, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """What is recorded of a port in the next second, but for how it begins and ends."""
    told: list[RecordingEvent] = []
    recording = plane.record(port, order(folder), told.append)
    await until(lambda: [event.kind for event in told] == ["started"])
    await asyncio.sleep(1)
    plane.stop_recording(recording)
    await until(lambda: len(told) == 2)
    assert (told[1].why, told[1].error) == ("stopped", 0)
    left, right = sides(folder / "day/call.wav")
    return left[1600:-800], right[1600:-800]


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
async def test_what_srtp_protects_is_recorded_in_the_clear(
    plane: RtpenginePlane, phone: MakePhone, tmp_path: Path, spool: Path, suite: str
) -> None:
    safe, plain = SafePhone(plane, phone(payload_type=8), suite), phone(payload_type=8, ssrc=0x99)
    port = caller(plane, plain, beside=safe.port)
    plane.bridge(safe.port, port)
    await settle(plane, safe.port, port)
    forger = phone(payload_type=8, ssrc=0x77)
    async with speaking(safe, safe.port, 500), speaking(plain, port, 1200), speaking(forger, safe.port, 2000):
        left, right = await taken(plane, safe.port, tmp_path)
    assert loud(left, 500) and loud(right, 1200)
    assert left_over(spool) == []


@pytest.mark.parametrize(
    ("one", "two", "beside"), [(OPUS, OPUS, True), (OPUS, OTHER_OPUS, True), (PCMA, OPUS, False), (G722, OPUS, True)],
    ids=["opus", "two types of opus", "another cell", "G.722"],
)  # fmt: skip
async def test_codecs_of_both_sides(
    plane: RtpenginePlane, phone: MakePhone, tmp_path: Path, one: Kind, two: Kind, beside: bool
) -> None:
    a, b = speaker(phone, one), speaker(phone, two, ssrc=0x99)
    first = a.connect(plane)
    second = b.connect(plane, beside=first if beside else None)
    plane.bridge(first, second)
    await settle(plane, first, second)
    async with during(a.talk(800, 3000)), during(b.talk(1200, 3000)):
        left, right = await taken(plane, first, tmp_path)
        plane.play(first, ["long"])
        (tmp_path / "prompted").mkdir()
        prompted = await taken(plane, first, tmp_path / "prompted")
    assert loud(left, 800) and loud(right, 1200)
    assert loud(prompted[0], 800) and loud(prompted[1], 500)


async def test_a_hop_a_prompt_and_a_release(
    plane: RtpenginePlane, phone: MakePhone, tmp_path: Path
) -> None:
    a, b = phone(payload_type=8), phone(payload_type=8, ssrc=0x99)
    first, second = caller(plane, a), caller(plane, b)
    await settle(plane, first, second)
    told: list[RecordingEvent] = []
    plane.record(first, order(tmp_path, KEY), told.append)
    plane.play(first, ["long"])
    await until(lambda: [event.kind for event in told] == ["started"])
    async with speaking(a, first, 800), speaking(b, second, 1200):
        await asyncio.sleep(0.6)
        plane.bridge(first, second)
        press(a, first, 5)  # keys are in no recording
        await settle(plane, first, second)
        await asyncio.sleep(0.8)
    plane.release(first)
    await until(lambda: len(told) == 2)
    assert (told[1].why, told[1].error) == ("released", 0)
    assert not (tmp_path / "day/call.wav").read_bytes().startswith(b"RIFF")
    left, right = sides(tmp_path / "day/call.wav", KEY)
    assert loud(left[2400:-1600], 800)
    assert loud(right[800:4000], 500) and loud(right[-4800:-1600], 1200)
    plane.release(second)


async def test_what_is_masked_is_on_no_disk(
    plane: RtpenginePlane, phone: MakePhone, tmp_path: Path, spool: Path
) -> None:
    a = phone(payload_type=8)
    port = caller(plane, a)
    plane.echo(port)
    await settle(plane, port)
    told: list[RecordingEvent] = []
    captured: Callable[[], int] = lambda: sum(one.stat().st_size for one in (spool / "pcaps").iterdir())  # noqa: E731
    async with speaking(a, port, 500):
        recording = plane.record(port, order(tmp_path), told.append)
        await asyncio.sleep(0.5)
        plane.mask(recording, True)
        await settle(plane, port)
        before = captured()
        await asyncio.sleep(0.5)
        assert captured() == before
        plane.mask(recording, False)
        await asyncio.sleep(0.5)
        plane.stop_recording(recording)
        await until(lambda: bool(told) and told[-1].kind == "ended")
    assert [event.kind for event in told] == ["started", "masked", "unmasked", "ended"]
    left, right = sides(tmp_path / "day/call.wav")
    start, end = (event.at_ms * 8 for event in told[1:3])
    assert loud(left[800:start], 500) and loud(right[1600:start], 500) and loud(left[end + 1600 :], 500)
    assert not left[start + 400 : end].any() and not right[start + 400 : end].any()
    plane.release(port)


async def test_masked_from_the_beginning(
    plane: RtpenginePlane, phone: MakePhone, tmp_path: Path, spool: Path
) -> None:
    a = phone(payload_type=8)
    port = caller(plane, a)
    plane.echo(port)
    await settle(plane, port)
    told: list[RecordingEvent] = []
    async with speaking(a, port, 500):
        recording = plane.record(port, replace(order(tmp_path), masked=True), told.append)
        await asyncio.sleep(0.5)
        plane.mask(recording, False)
        await until(lambda: "started" in [event.kind for event in told])
        await asyncio.sleep(0.5)
        plane.stop_recording(recording)
        await until(lambda: told[-1].kind == "ended")
    assert [event.kind for event in told] == ["masked", "unmasked", "started", "ended"]
    left, _ = sides(tmp_path / "day/call.wav")
    assert not left[: told[1].at_ms * 8].any() and loud(left[told[1].at_ms * 8 + 1600 : -800], 500)
    plane.release(port)


async def test_what_takes_the_place_of_a_masked_one_is_masked(
    plane: RtpenginePlane, phone: MakePhone, tmp_path: Path, spool: Path
) -> None:
    """To its end: then it is silence, and no failure."""
    a = phone(payload_type=8)
    port = caller(plane, a)
    plane.echo(port)
    await settle(plane, port)
    first: list[RecordingEvent] = []
    told: list[RecordingEvent] = []
    async with speaking(a, port, 500):
        plane.mask(plane.record(port, replace(order(tmp_path), path="first.wav"), first.append), True)
        plane.record(port, order(tmp_path), told.append)
        await until(lambda: bool(first) and first[-1].kind == "ended", 10)
        await asyncio.sleep(0.3)
        plane.release(port)
        await until(lambda: bool(told) and told[-1].kind == "ended", 10)
    assert [event.kind for event in told] == ["masked", "ended"] and (told[1].why, told[1].error) == ("released", 0)
    left, right = sides(tmp_path / "day/call.wav")
    assert len(left) >= 2400 and not left.any() and not right.any()
    assert left_over(spool) == []


async def test_what_a_dead_server_left_is_taken_up(
    plane: RtpenginePlane, daemon: Rtpengine, prompts: Path, phone: MakePhone, tmp_path: Path, spool: Path
) -> None:
    a = phone(payload_type=8)
    await plane.close()
    dead = await plane_of(daemon, prompts, spool=spool)
    port = caller(dead, a)
    dead.echo(port)
    told: list[RecordingEvent] = []
    async with speaking(a, port, 500):
        dead.record(port, order(tmp_path, KEY), told.append)
        await asyncio.sleep(0.5)
        await dead.close(stay=True)
        await asyncio.sleep(0.3)
        assert not (tmp_path / "day").exists()
        plane = await plane_of(daemon, prompts, spool=spool, recordings_key=KEY)
        assert plane.captures.makes("day/call.wav")
        await until(lambda: not plane.captures.makes("day/call.wav"))
    left, right = sides(tmp_path / "day/call.wav", KEY)
    assert len(left) > 5600 and loud(left[1600:-400], 500) and loud(right[1600:-800], 500)
    assert left_over(spool) == []
    await plane.close()


async def test_a_daemon_that_dies(prompts: Path, phone: MakePhone, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    daemon = Rtpengine(options=[f"--recording-dir={spool}", "--recording-method=pcap"])
    spool.mkdir()
    daemon.start()
    plane = await plane_of(daemon, prompts, spool=spool)
    a = phone(payload_type=8)
    port = caller(plane, a)
    told: list[RecordingEvent] = []
    plane.record(port, order(tmp_path), told.append)
    async with speaking(a, port, 500):
        await asyncio.sleep(1.2)
        daemon.kill()
    await until(lambda: bool(told) and told[-1].kind == "ended")
    assert [event.kind for event in told] == ["started", "lost", "ended"]
    assert (told[-1].why, told[-1].error) == ("lost", 0)
    left, _ = sides(tmp_path / "day/call.wav")
    assert loud(left[800:4800], 500)
    await plane.close()


async def test_a_daemon_that_captures_nothing(prompts: Path, phone: MakePhone, tmp_path: Path) -> None:
    with Rtpengine() as daemon:
        plane = await plane_of(daemon, prompts, spool=tmp_path / "spool")
        told: list[RecordingEvent] = []
        plane.record(caller(plane, phone(payload_type=8)), order(tmp_path), told.append)
        await until(lambda: bool(told))
        assert (told[0].kind, told[0].why, told[0].error) == ("ended", "failed", errno.ENOENT)
        await plane.close()
