"""Conferences over real sockets: each member is a sine of its own, and is looked for in what the others get."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from media.plane import Conference, ConferencesExhausted, MediaPort, PortStats
from media.worker.loop import SoundDecoder, SoundEncoder, load_opus
from media.worker_plane import WorkerPlane
from tests.media.processes import until

Legs = Callable[..., Any]
Stats = Callable[[MediaPort], Awaitable[PortStats]]
PEAK = 5000.0

assert load_opus(["libopus.so.0"]), "Debian package libopus0"

PCMU: dict[str, Any] = {}
G722 = {"codec": "G722", "payload_type": 9}
OPUS = {"codec": "OPUS", "payload_type": 96, "clock_hz": 48000}
NUMBERS = {"PCMU": 0, "G722": 9, "OPUS": 111}


async def talk(leg: Any, remote: dict[str, Any], hertz: float, frames: int, peak: float = PEAK) -> None:
    encoder, loop = SoundEncoder(NUMBERS[remote.get("codec", "PCMU")]), asyncio.get_running_loop()
    sound = np.round(peak * np.sin(2 * np.pi * hertz * np.arange(320 * frames) / 16000)).astype(np.int16)
    begin = loop.time()
    for n in range(frames):
        await asyncio.sleep(begin + 0.02 * n - loop.time())
        payload = encoder.encode(sound[320 * n : 320 * n + 320].tobytes())
        leg.phone.send(leg.port, payload, payload_type=remote.get("payload_type", 0))
        leg.phone.timestamp += remote.get("clock_hz", 8000) // 50 - 160


async def sound_of(leg: Any, remote: dict[str, Any]) -> npt.NDArray[np.float64]:
    decoder = SoundDecoder(NUMBERS[remote.get("codec", "PCMU")])
    packets = await leg.phone.listen(0.03)
    assert np.diff([packet.seq for packet in packets]).tolist() == [1] * (len(packets) - 1)
    return np.frombuffer(b"".join(decoder.decode(packet.payload) for packet in packets), np.int16).astype(float)


def level(sound: npt.NDArray[np.float64], hertz: float) -> float:
    """Amplitude of a sine in it."""
    at = np.arange(len(sound)) / 16000
    return float(2 * np.abs(np.mean(sound * np.exp(-2j * np.pi * hertz * at))))


def who(sound: npt.NDArray[np.float64], hertz: Sequence[float]) -> list[bool]:
    tail = sound[-6400:-640]
    return [level(tail, one) > PEAK / 4 for one in hertz]


HERTZ = (400.0, 700.0, 1100.0, 1900.0)


async def meet(legs: Sequence[Any], remotes: Sequence[dict[str, Any]], frames: int = 45) -> list[list[bool]]:
    """Everybody talks; for each, whom he hears."""
    for leg in legs:
        leg.phone.forget_heard()
    await asyncio.gather(
        *(talk(leg, remote, hertz, frames) for leg, remote, hertz in zip(legs, remotes, HERTZ, strict=False))
    )
    return [who(await sound_of(leg, remote), HERTZ[: len(legs)]) for leg, remote in zip(legs, remotes, strict=True)]


async def test_three_hear_each_other_and_not_themselves(plane: WorkerPlane, leg: Legs) -> None:
    remotes = (PCMU, G722, OPUS)
    legs = [leg(remote) for remote in remotes]
    conference = plane.open_conference()
    for one in legs:
        plane.join(conference, one.port)
    assert await meet(legs, remotes) == [[False, True, True], [True, False, True], [True, True, False]]


async def test_the_sum_is_that_of_numpy(plane: WorkerPlane, leg: Legs) -> None:
    """Levels as they were; the sum of two loud ones saturates, and nothing wraps."""
    legs = [leg() for _ in range(3)]
    conference = plane.open_conference()
    for one in legs:
        plane.join(conference, one.port)
    speaks = ((400, 30000), (1100, 30000), (700, PEAK))
    await asyncio.gather(*(talk(one, PCMU, hertz, 45, peak) for one, (hertz, peak) in zip(legs, speaks, strict=True)))
    alone, both = [(await sound_of(one, PCMU))[-6400:-640] for one in (legs[0], legs[2])]
    assert level(alone, 1100) == pytest.approx(30000, rel=0.05)
    assert level(alone, 700) == pytest.approx(PEAK, rel=0.05)
    assert np.abs(both).max() > 31000
    at = np.arange(6400) / 16000
    sines = 30000 * (np.sin(2 * np.pi * 400 * at) + np.sin(2 * np.pi * 1100 * at))
    expected = level(np.clip(sines, -32768, 32767), 400)
    assert level(both, 400) == pytest.approx(expected, rel=0.1)
    assert level(both, 1100) == pytest.approx(expected, rel=0.1)


async def test_monitor_whisper_barge_in(plane: WorkerPlane, leg: Legs) -> None:
    caller, agent, supervisor = legs = [leg() for _ in range(3)]
    plane.bridge(caller.port, agent.port)
    conference = plane.open_conference()
    plane.join(conference, caller.port)
    plane.join(conference, agent.port)
    plane.join(conference, supervisor.port, heard_by=[])
    two = [[False, True, False], [True, False, False]]
    assert await meet(legs, [PCMU] * 3) == [*two, [True, True, False]]
    plane.join(conference, supervisor.port, heard_by=[agent.port])
    assert await meet(legs, [PCMU] * 3) == [[False, True, False], [True, False, True], [True, True, False]]
    plane.join(conference, supervisor.port)
    assert await meet(legs, [PCMU] * 3) == [[False, True, True], [True, False, True], [True, True, False]]
    plane.leave(supervisor.port)
    assert await meet(legs, [PCMU] * 3) == [*two, [False] * 3]


async def test_who_comes_into_a_seat_is_not_taken_for_who_left_it(plane: WorkerPlane, leg: Legs) -> None:
    """C hears only A. A leaves, D comes: C hears nobody."""
    a, b, c, d = legs = [leg() for _ in range(4)]
    conference = plane.open_conference()
    plane.join(conference, a.port)
    plane.join(conference, b.port)
    plane.join(conference, c.port, hears=[a.port])
    plane.silence(a.port)
    plane.join(conference, d.port)
    heard = await meet(legs, [PCMU] * 4)
    assert heard == [[False] * 4, [False, False, True, True], [False] * 4, [False, True, True, False]]


async def test_the_loudest_are_heard(plane: WorkerPlane, leg: Legs) -> None:
    legs = [leg() for _ in range(4)]
    conference = plane.open_conference(speakers_most=1)
    for one in legs:
        plane.join(conference, one.port)
    peaks = (2000, 2000, PEAK, 2000)
    speaking = zip(legs, HERTZ, peaks, strict=True)
    await asyncio.gather(*(talk(one, PCMU, hertz, 60, peak) for one, hertz, peak in speaking))
    sounds = [await sound_of(one, PCMU) for one in legs]
    assert [who(sound, HERTZ) for sound in sounds[:2]] == [[False, False, True, False]] * 2
    steepest = 2 * PEAK * 2 * np.pi * 1100 / 16000
    assert np.abs(np.diff(sounds[0][3200:])).max() < steepest  # who speaks changes without a click


async def test_bridge_prompt_and_release_take_a_member_out(plane: WorkerPlane, leg: Legs, stats: Stats) -> None:
    a, b, c, d = legs = [leg() for _ in range(4)]
    conference = plane.open_conference()
    for one in legs:
        plane.join(conference, one.port)
    plane.bridge(a.port, b.port)
    partner = {0: 1, 1: 0, 2: 3, 3: 2}
    assert await meet(legs, [PCMU] * 4) == [[other == partner[one] for other in range(4)] for one in range(4)]
    plane.play(c.port, ["one"], loop=True)
    assert (await stats(d.port)).decode_errors == 0
    plane.close_conference(conference)
    assert await meet([a, b], [PCMU] * 2) == [[False, True], [True, False]]


async def test_a_closed_conference_is_silent_and_forgotten(plane: WorkerPlane, leg: Legs) -> None:
    legs = [leg() for _ in range(2)]
    conference = plane.open_conference()
    for one in legs:
        plane.join(conference, one.port)
    plane.close_conference(conference)
    assert await meet(legs, [PCMU] * 2) == [[False, False]] * 2
    plane.join(conference, legs[0].port)
    plane.close_conference(conference)
    assert plane.counters["media_unknown_conference"] == 2


async def test_a_conference_outlives_many_comings_and_goings(plane: WorkerPlane, leg: Legs) -> None:
    legs = [leg() for _ in range(3)]
    for _ in range(300):
        conference = plane.open_conference()
        for one in legs:
            plane.join(conference, one.port)
        plane.leave(legs[0].port)
        plane.join(conference, legs[0].port)
        plane.close_conference(conference)
    conference = plane.open_conference()
    for one in legs:
        plane.join(conference, one.port)
    assert await meet(legs, [PCMU] * 3) == [[False, True, True], [True, False, True], [True, True, False]]
    assert plane.counters["media_stale_commands"] == 0


async def test_limits(plane: WorkerPlane, leg: Legs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.conferences.MEMBERS_MOST", 2)
    monkeypatch.setattr("media.conferences.CONFERENCES_MOST", 2)
    one, two, three = (leg() for _ in range(3))
    conference = plane.open_conference()
    assert isinstance(conference, Conference)
    plane.open_conference()
    with pytest.raises(ConferencesExhausted):
        plane.open_conference()
    plane.join(conference, one.port)
    plane.join(conference, two.port)
    with pytest.raises(ConferencesExhausted):
        plane.join(conference, three.port)
    plane.leave(two.port)
    plane.join(conference, three.port)


async def test_keys_in_a_conference_are_told_and_not_passed_on(plane: WorkerPlane, leg: Legs) -> None:
    one, two = leg(), leg()
    pressed: list[str] = []
    one.port.on_digit = pressed.append
    conference = plane.open_conference()
    plane.join(conference, one.port)
    plane.join(conference, two.port)
    await talk(one, PCMU, 400, 5)
    one.phone.send_key(one.port, 9, 160)
    assert {packet.payload_type for packet in await two.phone.listen(0.1)} == {0}
    await until(lambda: pressed == ["9"])
