"""A recorded port: what it received on the left, what it was sent on the right, each in its place in time."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import signal
import stat
import time
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from media import codecs
from media.plane import MediaPort, RecordingEvent, RecordingOrder
from media.worker import loop
from media.worker.recording_file import Decipherer
from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg

MakeLeg = Callable[..., "Leg"]
Settle = Callable[[], Awaitable[None]]
KEY = bytes(range(32))
LOUD, SOFT = 0x80, 0x90  # PCMU codes: 32124 and 16124


class Told:
    """The events of one recording."""

    def __init__(self) -> None:
        self.events: list[RecordingEvent] = []
        self._news = asyncio.Event()

    def __call__(self, event: RecordingEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def wait(self, kind: str) -> RecordingEvent:
        async with asyncio.timeout(30):
            while not (found := [event for event in self.events if event.kind == kind]):
                self._news.clear()
                await self._news.wait()
        return found[-1]


class Recorded:
    """A recording under way."""

    def __init__(self, plane: WorkerPlane, port: MediaPort, folder: Path, **changes: Any) -> None:
        values: dict[str, Any] = {"folder": str(folder), "path": "2026/call.wav"} | changes
        self.plane, self.told = plane, Told()
        self.path = folder / values["path"]
        self.id = plane.record(port, RecordingOrder(**values), self.told)

    async def stop(self) -> RecordingEvent:
        self.plane.stop_recording(self.id)
        return await self.told.wait("ended")

    def sound(self) -> np.ndarray[Any, Any]:
        with wave.open(str(self.path)) as file:
            assert file.getframerate() == 8000
            raw = file.readframes(file.getnframes())
            return np.frombuffer(raw, "<i2").reshape(-1, file.getnchannels())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recordings"
    made.mkdir()
    return made


async def talk(a: Leg, b: Leg, packets: int, say_a: int = LOUD, say_b: int = SOFT) -> None:
    """Both talk, 20 ms at a time, by the clock."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(packets):
        a.phone.send(a.port, bytes([say_a]) * 160)
        b.phone.send(b.port, bytes([say_b]) * 160)
        await asyncio.sleep(max(0.0, start + 0.02 * (number + 1) - loop.time()))


def catch_up(begun_s: float, packets: int, *legs: Leg) -> None:
    """The test waited for the worker since the phones sent their packets: their time has gone on, too."""
    for leg in legs:
        leg.phone.timestamp += max(0, int(8000 * (time.monotonic() - begun_s)) - 160 * packets)


def linear(code: int) -> int:
    return int(codecs.pcmu_decode(bytes([code]))[0])


async def test_two_sides_in_time(plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder)
    await recorded.told.wait("started")
    await asyncio.sleep(0.1)
    await talk(a, b, 40)
    ended = await recorded.stop()
    assert (ended.why, ended.error, ended.packets_lost, ended.packets_late) == ("stopped", 0, 0, 0)
    sound = recorded.sound()
    assert abs(len(sound) / 8 - ended.at_ms) <= 1
    left, right = np.flatnonzero(sound[:, 0]), np.flatnonzero(sound[:, 1])
    assert abs(int(left[0]) - int(right[0])) <= 320  # 40 ms
    assert set(sound[left, 0].tolist()) == {linear(LOUD)}
    assert set(sound[right, 1].tolist()) == {linear(SOFT)}
    assert len(left) >= 39 * 160 and len(right) >= 39 * 160
    assert ended.size_bytes == recorded.path.stat().st_size == 44 + sound.nbytes


async def test_only_the_owner_may_read_it(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    recorded = Recorded(plane, leg().port, folder)
    await recorded.stop()
    assert stat.S_IMODE(recorded.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(recorded.path.parent.stat().st_mode) == 0o700


async def test_mixed(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder, stereo=False)
    await talk(a, b, 25)
    await recorded.stop()
    sound = recorded.sound()
    assert sound.shape[1] == 1
    assert int(sound.max()) == 32767  # clipped, not wrapped


async def test_prompts_are_heard_on_the_right(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    a = leg()
    recorded = Recorded(plane, a.port, folder)
    plane.play(a.port, ["one"], loop=True)
    await asyncio.sleep(0.3)
    await recorded.stop()
    sound = recorded.sound()
    assert not sound[:, 0].any()
    assert np.abs(sound[:, 1]).max() > 5000


async def test_a_pause_takes_its_time(plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder)
    await settle()
    await talk(a, b, 10)
    await asyncio.sleep(0.5)
    await talk(a, b, 10)  # the timestamps go on as if there had been no pause
    await recorded.stop()
    talking = np.flatnonzero(recorded.sound()[:, 0])
    gap = int(np.diff(talking).max())
    assert abs(gap - 0.5 * 8000) < 400


async def test_a_packet_out_of_order_falls_into_its_place(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path
) -> None:
    a = leg()
    recorded = Recorded(plane, a.port, folder)
    plane.silence(a.port)
    await settle()
    a.phone.send(a.port, bytes([0x80]) * 160)
    later = []
    for n in (1, 2, 3):
        later.append(a.phone.packet(bytes([0x80 + n]) * 160))
        a.phone.seq += 1
        a.phone.timestamp += 160
    for n in (1, 0, 2):
        await asyncio.sleep(0.02)
        a.phone.rtp.sendto(later[n], ("127.0.0.1", a.port.number))
    await asyncio.sleep(0.05)
    await recorded.stop()
    left = recorded.sound()[:, 0]
    heard = left[np.flatnonzero(left)]
    assert heard.tolist() == [linear(0x80 + n) for n in range(4) for _ in range(160)]


async def test_masked(plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder)
    talks = time.monotonic()
    await talk(a, b, 15)
    begun = time.monotonic()
    plane.mask(recorded.id, True)
    masked = await recorded.told.wait("masked")
    await talk(a, b, 20)
    plane.mask(recorded.id, False)
    unmasked = await recorded.told.wait("unmasked")
    took_ms = 1000 * (time.monotonic() - begun)
    catch_up(talks, 35, a, b)
    await talk(a, b, 15)
    await recorded.stop()
    sound = recorded.sound()
    assert 350 <= unmasked.at_ms - masked.at_ms <= took_ms + 20
    assert not sound[masked.at_ms * 8 + 320 : unmasked.at_ms * 8 - 320].any()
    assert sound[: masked.at_ms * 8].any() and sound[unmasked.at_ms * 8 :].any()


async def test_masked_from_the_beginning(plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path) -> None:
    """Not one packet gets in. One that takes its place is masked, too: the server may not know that it was."""
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    await settle()
    talks = time.monotonic()
    await talk(a, b, 3)
    first = Recorded(plane, a.port, folder, masked=True)
    await talk(a, b, 15)
    second = Recorded(plane, a.port, folder, path="second.wav")
    await talk(a, b, 15)
    plane.mask(second.id, False)
    unmasked = await second.told.wait("unmasked")
    catch_up(talks, 33, a, b)
    await talk(a, b, 15)
    await second.stop()
    assert [event.at_ms for event in (await first.told.wait("masked"), await second.told.wait("masked"))] == [0, 0]
    assert len(first.sound()) > 1600 and not first.sound().any()
    assert not second.sound()[: unmasked.at_ms * 8 - 320].any() and second.sound()[unmasked.at_ms * 8 :].any()


async def test_keys_are_not_heard(plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder)
    await settle()
    for duration in range(160, 1600, 160):
        a.phone.send_key(a.port, 5, duration)
    await b.phone.receive()
    await recorded.stop()
    assert not recorded.sound().any()


async def test_beep_for_both(plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path) -> None:
    """`one` is 60 ms long: three packets of each direction, at once, then not for the interval."""
    a, b = leg(), leg(ssrc=77, payload_type=8)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder, beep="one", beep_every_s=60)
    await settle()
    a.phone.forget_heard()
    b.phone.forget_heard()
    for _ in range(5):
        a.phone.send(a.port, bytes([LOUD]) * 160)
        b.phone.send(b.port, bytes([0xD5]) * 160)
        await asyncio.sleep(0.02)
    to_a = [packet.payload for packet in await a.phone.receive_many(5)]
    to_b = [packet.payload for packet in await b.phone.receive_many(5)]
    prompt = plane.library.get("one")
    assert to_a[:3] == prompt.frames("PCMU") and to_b[:3] == prompt.frames("PCMA")
    assert len(set(to_a[3])) == 1 and len(set(to_b[3])) == 1
    await recorded.stop()
    assert np.abs(recorded.sound()[:, 1]).max() > 5000


async def test_the_release_of_the_port_ends_it(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    a = leg()
    recorded = Recorded(plane, a.port, folder)
    plane.release(a.port)
    ended = await recorded.told.wait("ended")
    assert (ended.why, ended.error) == ("released", 0)
    assert [event.kind for event in recorded.told.events][-1] == "ended"
    plane.mask(recorded.id, True)  # over: nothing happens
    plane.stop_recording(recorded.id)
    assert plane.counters["media_stale_commands"] == 0


async def test_a_second_recording_ends_the_first(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    a = leg()
    first = Recorded(plane, a.port, folder)
    second = Recorded(plane, a.port, folder, path="second.wav")
    assert (await first.told.wait("ended")).why == "stopped"
    assert (await second.stop()).why == "stopped"


@pytest.mark.parametrize(
    ("path", "error"),
    [("../out.wav", errno.EINVAL), ("link/x.wav", errno.ENOTDIR), ("link.wav", errno.EEXIST), ("", errno.EINVAL)],
)
async def test_nothing_leads_out_of_the_folder(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path, tmp_path: Path, path: str, error: int
) -> None:
    (folder / "link").symlink_to(tmp_path)
    (folder / "link.wav").symlink_to(tmp_path / "victim")
    a = leg()
    recorded = Recorded(plane, a.port, folder, path=path)
    ended = await recorded.told.wait("ended")
    assert (ended.why, ended.error) == ("failed", error)
    assert not (tmp_path / "victim").exists()
    plane.echo(a.port)  # the call goes on
    await settle()
    a.phone.send(a.port)
    await a.phone.receive()


async def test_a_folder_that_is_gone(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder)
    await recorded.told.wait("started")
    shutil.rmtree(folder)
    loop = asyncio.get_running_loop()
    until = loop.time() + 4
    while not any(event.kind == "ended" for event in recorded.told.events) and loop.time() < until:
        await talk(a, b, 5)
    ended = recorded.told.events[-1]
    assert (ended.kind, ended.why, ended.error) == ("ended", "failed", errno.ENOENT)
    b.phone.forget_heard()
    await talk(a, b, 1)
    await b.phone.receive()  # the call goes on


async def test_a_file_that_can_not_grow(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    """The kernel takes a part of a half second and then nothing, as of a full disk; what is whole can be heard."""
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    assert plane.worker_pid is not None
    resource.prlimit(plane.worker_pid, resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
    recorded = Recorded(plane, a.port, folder)
    await recorded.told.wait("started")
    for _ in range(100):
        if recorded.told.events[-1].kind == "ended":
            break
        await talk(a, b, 5)
    ended = recorded.told.events[-1]
    assert (ended.kind, ended.why, ended.error) == ("ended", "failed", errno.EFBIG)
    assert ended.size_bytes == 44 + recorded.sound().nbytes == 44 + 32_000
    b.phone.forget_heard()
    await talk(a, b, 1)
    await b.phone.receive()  # the call goes on


async def test_too_little_room(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    recorded = Recorded(plane, leg().port, folder, least_free_bytes=1 << 60)
    ended = await recorded.told.wait("ended")
    assert (ended.why, ended.error) == ("failed", errno.ENOSPC)


async def test_enciphered(plane: WorkerPlane, leg: MakeLeg, folder: Path) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder, key=KEY)
    await talk(a, b, 40)
    ended = await recorded.stop()
    descriptor = os.open(recorded.path, os.O_RDONLY)
    reader = Decipherer(descriptor, KEY)
    assert reader.complete and abs(reader.size / 32 - ended.at_ms) <= 1
    sound = np.frombuffer(reader.read(0, reader.size), "<i2").reshape(-1, 2)
    os.close(descriptor)
    assert set(np.unique(sound[:, 0])) == {0, linear(LOUD)}
    assert ended.size_bytes == recorded.path.stat().st_size


@pytest.mark.parametrize("key", [b"", KEY])
async def test_a_worker_that_is_killed_loses_less_than_a_second(
    plane: WorkerPlane, leg: MakeLeg, folder: Path, key: bytes
) -> None:
    a, b = leg(), leg(ssrc=77)
    plane.bridge(a.port, b.port)
    recorded = Recorded(plane, a.port, folder, key=key)
    loop = asyncio.get_running_loop()
    await recorded.told.wait("started")
    started = loop.time()
    await talk(a, b, 90)
    pid = plane.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    talked_s = loop.time() - started
    ended = await recorded.told.wait("ended")
    assert ended.why == "lost"
    if key:
        descriptor = os.open(recorded.path, os.O_RDONLY)
        reader = Decipherer(descriptor, KEY)
        assert not reader.complete
        length_s = reader.size / 32000
        os.close(descriptor)
    else:
        length_s = len(recorded.sound()) / 8000
    assert talked_s - 1 < length_s


@pytest.mark.parametrize("hide", [False, True])
async def test_keys_sent_as_tones(
    plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path, hide: bool
) -> None:
    """400 ms of 300 Hz, the key 5 for 200 ms, 300 Hz again."""
    a = leg()
    recorded = Recorded(plane, a.port, folder, hide_keys=hide)
    plane.silence(a.port)
    await settle()
    at = np.arange(1600) / 8000
    key = 5000 * (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1336 * at))
    voice = 8000 * np.sin(2 * np.pi * 300 * np.arange(3200) / 8000)
    coded = codecs.pcmu_encode(np.concatenate([voice, key, voice]).astype(np.int16))
    for start in range(0, len(coded), 160):
        a.phone.send(a.port, bytes(coded[start : start + 160]))
        await asyncio.sleep(0.02)
    await recorded.stop()
    left = recorded.sound()[:, 0].astype(float)
    first = int(np.flatnonzero(left)[0])
    left = left[first : first + 8000]
    assert np.abs(left[400:2600]).max() > 7000 and np.abs(left[5600:7900]).max() > 7000
    heard = np.abs(np.fft.rfft(left[3000:5000]))[[round(hz * 2000 / 8000) for hz in (770, 1336)]]
    assert bool((heard < 20_000).all()) == hide


@pytest.mark.parametrize("rate_hz", [8000, 16_000])
async def test_wideband(plane: WorkerPlane, leg: MakeLeg, settle: Settle, folder: Path, rate_hz: int) -> None:
    """G.722 at the rate that the order says; what comes by the static number of PCMU meanwhile is taken, too."""
    a = leg(payload_type=9, remote={"codec": "G722"})
    recorded = Recorded(plane, a.port, folder, rate_hz=rate_hz)
    plane.silence(a.port)
    await settle()
    encoder = loop.SoundEncoder(9)
    wave_16k = (8000 * np.sin(2 * np.pi * 1000 * np.arange(25 * 320) / 16_000)).astype("<i2")
    for number in range(25):
        a.phone.send(a.port, encoder.encode(wave_16k[320 * number : 320 * number + 320].tobytes()))
        await asyncio.sleep(0.02)
    at = np.arange(160) / 8000
    a.phone.send(a.port, codecs.pcmu_encode((8000 * np.sin(2 * np.pi * 1000 * at)).astype(np.int16)), payload_type=0)
    await asyncio.sleep(0.05)
    await recorded.stop()
    with wave.open(str(recorded.path)) as file:
        assert file.getframerate() == rate_hz
        left = np.frombuffer(file.readframes(10**6), "<i2")[::2]
    sounding = np.flatnonzero(np.abs(left) > 500)
    assert len(sounding) and (sounding[-1] - sounding[0]) / rate_hz == pytest.approx(0.52, abs=0.03)
    middle = left[sounding[0] + rate_hz // 10 :][: rate_hz // 4]
    assert np.argmax(np.abs(np.fft.rfft(middle))) * 4 == pytest.approx(1000, abs=8)
    assert np.abs(middle).max() == pytest.approx(8000, rel=0.15)
