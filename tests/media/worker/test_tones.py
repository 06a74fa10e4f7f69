"""Keys as tones: what must be found and what must not (ITU-T Q.24), and how they are translated."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from media.plane import KEYS
from media.worker.loop import KeyDetector, SoundDecoder, SoundEncoder, tone_of
from media.worker_plane import WorkerPlane

Settle = Callable[[], Awaitable[None]]
Legs = Callable[..., Any]
Sound = npt.NDArray[Any]
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
PLACES = {key: divmod(n, 4) for n, key in enumerate("123A456B789C*0#D")}
DBM0 = 22300  # amplitude of a sine of 0 dBm0


def tone(key: str, ms: float, dbm0: float = -10, twist_db: float = 0, off: float = 0.0, rate: int = 16000) -> Sound:
    """`twist_db`: how much louder the column is; `off`: both frequencies are off by that fraction."""
    row, column = PLACES[key]
    at = np.arange(round(ms * rate / 1000)) / rate
    low = 10 ** (dbm0 / 20) * np.sin(2 * np.pi * ROWS[row] * (1 + off) * at)
    high = 10 ** ((dbm0 + twist_db) / 20) * np.sin(2 * np.pi * COLUMNS[column] * (1 + off) * at + 1)
    return np.asarray(DBM0 * (low + high))


def silence(ms: float) -> Sound:
    return np.zeros(round(ms * 16))


def heard(*parts: Sound, noise: float = 0.0) -> list[tuple[str, int]]:
    """Each key and how long it was held, in ms, by the detector in steps of 20 ms."""
    sound = np.concatenate([silence(50), *parts, silence(200)])
    sound = sound + noise * np.random.default_rng(1).standard_normal(len(sound))
    detector, keys = KeyDetector(), []
    for at in range(0, len(sound), 320):
        keys += detector.hear(sound[at : at + 320].clip(-32768, 32767).astype(np.int16).tobytes())
    return [(KEYS[event], ms) for event, ms in keys if ms]


def keys_of(*parts: Sound, noise: float = 0.0) -> str:
    return "".join(key for key, _ in heard(*parts, noise=noise))


@pytest.mark.parametrize("key", KEYS)
def test_every_key(key: str) -> None:
    ((found, ms),) = heard(tone(key, 100))
    assert found == key
    assert ms == pytest.approx(100, abs=25)


@pytest.mark.parametrize("shift_ms", range(0, 20, 3))
def test_forty_milliseconds_on_and_off_suffice(shift_ms: int) -> None:
    parts = [part for key in KEYS for part in (tone(key, 40), silence(40))]
    assert keys_of(silence(shift_ms + 0.4), *parts) == KEYS
    again = [part for _ in range(5) for part in (tone("5", 40), silence(40))]
    assert keys_of(silence(shift_ms + 0.4), *again) == "55555"


@pytest.mark.parametrize("shift_ms", range(0, 20, 3))
def test_twenty_milliseconds_are_no_key(shift_ms: int) -> None:
    assert keys_of(silence(shift_ms + 0.4), *(part for key in KEYS for part in (tone(key, 20), silence(50)))) == ""


@pytest.mark.parametrize("shift_ms", range(0, 20, 3))
def test_an_interruption_of_ten_milliseconds_is_the_same_key(shift_ms: int) -> None:
    assert keys_of(silence(shift_ms + 0.4), tone("7", 60), silence(10), tone("7", 60)) == "7"


def test_one_key_right_after_another() -> None:
    assert keys_of(tone("1", 60), tone("9", 60), tone("*", 60)) == "19*"


@pytest.mark.parametrize("dbm0", [-27, -20, -10, -3])
def test_levels(dbm0: float) -> None:
    assert keys_of(*(part for key in KEYS for part in (tone(key, 50, dbm0), silence(50)))) == KEYS


def test_what_is_too_faint_is_no_key() -> None:
    assert keys_of(tone("5", 200, -40)) == ""


@pytest.mark.parametrize(("twist_db", "found"), [(4, True), (-8, True), (7, False), (-12, False)])
def test_twist(twist_db: float, found: bool) -> None:
    parts = [part for key in KEYS for part in (tone(key, 60, -12, twist_db), silence(50))]
    assert keys_of(*parts) == (KEYS if found else "")


@pytest.mark.parametrize("off", [-0.015, 0.015])
def test_frequencies_one_and_a_half_percent_off(off: float) -> None:
    assert keys_of(*(part for key in KEYS for part in (tone(key, 60, off=off), silence(50)))) == KEYS


@pytest.mark.parametrize("off", [-0.035, 0.035])
def test_frequencies_three_and_a_half_percent_off(off: float) -> None:
    assert keys_of(*(part for key in KEYS for part in (tone(key, 60, off=off), silence(50)))) == ""


def test_noise_of_fifteen_decibels_less() -> None:
    noise = DBM0 * 10 ** (-10 / 20) * 10 ** (-15 / 20)
    assert keys_of(*(part for key in KEYS * 4 for part in (tone(key, 50), silence(50))), noise=noise) == KEYS * 4


def test_single_tones_and_dial_tone_are_no_keys() -> None:
    at = np.arange(8000) / 16000
    singles = [6000 * np.sin(2 * np.pi * hertz * at) for hertz in (*ROWS, *COLUMNS, 350, 425, 440, 480)]
    two = ((350, 440), (697, 770), (1209, 1477))
    pairs = [4000 * (np.sin(2 * np.pi * a * at) + np.sin(2 * np.pi * b * at)) for a, b in two]
    assert keys_of(*singles, *pairs) == ""


@pytest.mark.parametrize("codec", [0, 8, 9])
def test_keys_survive_codecs(codec: int) -> None:
    sound = np.concatenate([part for key in KEYS for part in (tone(key, 60), silence(60))]).astype(np.int16)
    sound = np.concatenate([sound, np.zeros(-len(sound) % 320, np.int16)])
    encoder, decoder = SoundEncoder(codec), SoundDecoder(codec)
    out = [decoder.decode(encoder.encode(sound[at : at + 320].tobytes())) for at in range(0, len(sound), 320)]
    assert keys_of(np.frombuffer(b"".join(out), np.int16)) == KEYS


def test_keys_that_we_make() -> None:
    made = [part for event in range(16) for part in (np.frombuffer(tone_of(event, 50), np.int16), silence(50))]
    assert keys_of(*made) == KEYS
    sound = np.frombuffer(tone_of(5, 200), np.int16)
    assert np.abs(sound).max() <= 14000
    assert np.abs(np.diff(sound.astype(int))).max() < 14000 * 2 * np.pi * 1336 / 16000


def speech(folder: Path, voice: str) -> Sound:
    """Some minutes of a synthetic voice that says everything that misleads: numbers, letters, names."""
    text = " ".join(
        f"{n} one two three, Anna Bob Cecilia, operator {n * 7919}, la la, wow, eleven a.m., O P Q R; who knew?"
        for n in range(1, 25)
    )
    path = folder / f"{voice.replace('+', '')}.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "170", "-w", str(path), text], check=True, capture_output=True)
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
        rate = file.getframerate()
    at = np.arange(0, len(sound) - 1, rate / 16000)
    return np.asarray(np.interp(at, np.arange(len(sound)), sound))


@pytest.mark.parametrize("voice", ["en-us", "en-gb+f3", "fr+m3", "de+f2"])
def test_nobody_talks_a_key(tmp_path: Path, voice: str) -> None:
    """Talk-off: some minutes of each voice."""
    assert shutil.which("espeak-ng"), "Debian package espeak-ng"
    said = speech(tmp_path, voice)
    assert len(said) > 60 * 16000
    assert keys_of(said) == ""


def test_no_music_is_a_key() -> None:
    """Chords and scales of a plucked and an organ-like instrument over four octaves, two minutes."""
    random, parts = np.random.default_rng(4), []
    at = np.arange(4000) / 16000
    for _ in range(480):
        root = 110 * 2 ** (random.integers(0, 48) / 12)
        chord = [root * 2 ** (step / 12) for step in random.choice([0, 3, 4, 7, 10, 12, 16], random.integers(1, 4))]
        overtones = random.choice([3, 6])
        wave_ = sum(np.sin(2 * np.pi * f * n * at) / n for f in chord for n in range(1, overtones) if f * n < 7500)
        parts.append(np.asarray(wave_) * 4000 * (np.exp(-6 * at) if random.random() < 0.5 else 1))
    assert keys_of(*parts) == ""


# --- a peer whose keys are tones, over real sockets -------------------------------------------------------------------


async def say(leg: Any, sound: Sound) -> None:
    """Sound as PCMU in real time."""
    encoder, samples = SoundEncoder(0), np.concatenate([sound, np.zeros(-len(sound) % 320)]).astype(np.int16)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for n, at in enumerate(range(0, len(samples), 320)):
        await asyncio.sleep(begin + 0.02 * n - loop.time())
        leg.phone.send(leg.port, encoder.encode(samples[at : at + 320].tobytes()))


def sound_of(packets: list[Any]) -> Sound:
    """The PCMU among them, decoded."""
    decoder = SoundDecoder(0)
    out = b"".join(decoder.decode(packet.payload) for packet in packets if packet.payload_type == 0)
    return np.frombuffer(out, np.int16).astype(float)


IN_BAND = {"dtmf_payload_type": None, "in_band_keys": True}


async def test_tones_are_reported_to_an_ivr(plane: WorkerPlane, leg: Legs) -> None:
    caller = leg(IN_BAND)
    pressed: list[str] = []
    held: list[tuple[str, int]] = []
    caller.port.on_digit = pressed.append
    caller.port.on_key_end = lambda key, ms: held.append((key, ms))
    plane.silence(caller.port)
    await say(caller, np.concatenate([silence(60), tone("4", 80), silence(60), tone("#", 120), silence(120)]))
    await asyncio.sleep(0.05)
    assert pressed == ["4", "#"]
    assert [key for key, _ in held] == ["4", "#"]
    assert [ms for _, ms in held] == [pytest.approx(80, abs=25), pytest.approx(120, abs=25)]


async def test_tones_become_events_in_a_bridge_and_events_tones(plane: WorkerPlane, leg: Legs) -> None:
    old, new = leg(IN_BAND), leg()
    pressed: list[str] = []
    old.port.on_digit = pressed.append
    plane.bridge(old.port, new.port)
    await say(old, np.concatenate([silence(100), tone("8", 200), silence(140)]))
    packets = await new.phone.listen(0.02)
    events = [packet for packet in packets if packet.payload_type == 101]
    assert pressed == ["8"]
    assert {packet.payload[0] for packet in events} == {8}
    assert len({packet.timestamp for packet in events}) == 1
    assert [packet.payload[1] >> 7 for packet in events][-3:] == [1, 1, 1]
    assert int.from_bytes(events[-1].payload[2:], "big") / 8 == pytest.approx(180, abs=60)
    assert keys_of(sound_of(packets)) == ""  # the tones themselves do not cross

    old.phone.forget_heard()
    for duration in range(160, 1120, 160):
        new.phone.send_key(new.port, 3, duration)
        await asyncio.sleep(0.02)
    for _ in range(3):
        new.phone.send_key(new.port, 3, 1120, end=True)
    await asyncio.sleep(0.2)
    ((key, ms),) = heard(sound_of(await old.phone.listen(0.02)))
    assert key == "3"
    assert ms == pytest.approx(130, abs=50)


async def test_between_two_peers_of_tones_sound_passes_undecoded(plane: WorkerPlane, leg: Legs) -> None:
    """Their keys are in it; nobody else is told of them until the bridge ends. A digit of ours is put in its place."""
    one, other = leg(IN_BAND), leg(IN_BAND)
    pressed: list[str] = []
    one.port.on_digit = pressed.append
    plane.bridge(one.port, other.port)
    await say(one, np.concatenate([silence(60), tone("5", 120), silence(60)]))
    packets = await other.phone.listen(0.02)
    assert keys_of(sound_of(packets)) == "5"
    assert pressed == []
    other.phone.forget_heard()
    one.phone.send(one.port, b"\x7f" * 160)  # decoded and encoded again it would be 0xff
    assert (await other.phone.listen(0.05))[-1].payload == b"\x7f" * 160
    plane.send_digit(other.port, "9", 100)
    await say(one, silence(400))
    assert keys_of(sound_of(await other.phone.listen(0.02))) == "9"
    plane.silence(one.port)
    await say(one, np.concatenate([silence(60), tone("7", 100), silence(100)]))
    await asyncio.sleep(0.05)
    assert pressed == ["7"]


async def test_a_digit_for_a_peer_without_events_is_a_tone(plane: WorkerPlane, leg: Legs) -> None:
    peer = leg(IN_BAND)
    plane.silence(peer.port)
    plane.send_digit(peer.port, "6", 100)
    plane.send_digit(peer.port, "6", 100)
    packets = await peer.phone.receive_many(25)
    assert {packet.payload_type for packet in packets} == {0}
    assert np.diff([packet.timestamp for packet in packets]).tolist() == [160] * 24
    assert keys_of(sound_of(packets)) == "66"


async def test_the_end_of_a_key_is_told_once(plane: WorkerPlane, leg: Legs, settle: Settle) -> None:
    """RFC 4733 2.5.1.4: three end packets; 2.5.1.3: a key of 9.4 s has two segments; and an end that is lost."""
    caller = leg()
    held: list[tuple[str, int]] = []
    caller.port.on_key_end = lambda key, ms: held.append((key, ms))
    await settle()
    caller.phone.send_key(caller.port, 1, 400)
    for _ in range(3):
        caller.phone.send_key(caller.port, 1, 800, end=True)
    caller.phone.timestamp += 4000
    caller.phone.send_key(caller.port, 2, 400)
    caller.phone.send_key(caller.port, 2, 0xFFFF)
    caller.phone.timestamp += 0xFFFF
    caller.phone.send_key(caller.port, 2, 400)
    caller.phone.send_key(caller.port, 2, 10000, end=True)
    caller.phone.timestamp += 20000
    caller.phone.send_key(caller.port, 3, 640)
    await asyncio.sleep(0.3)
    caller.phone.timestamp += 3000
    caller.phone.send(caller.port)
    await asyncio.sleep(0.05)
    assert held == [("1", 100), ("2", 9441), ("3", 80)]
