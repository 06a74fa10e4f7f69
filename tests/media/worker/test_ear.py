"""The jitter buffer and its concealment, in virtual time, on networks made of seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.worker.loop import SoundEar, SoundEncoder, load_opus
from tests.media.conftest import snr_db

PCMU, G722, L16_16K, OPUS = 0, 9, 12, 111
UNITS_A_MS = {PCMU: 8, G722: 8, L16_16K: 16, OPUS: 48}
HERTZ = 300.0
PEAK = 8000
STEEPEST = PEAK * 2 * np.pi * HERTZ / 16000  # between two samples of the sine

assert load_opus(["libopus.so.0"]), "Debian package libopus0"

Transit = Callable[[int], float | None]  # of the n-th packet, in ms; None: lost


def sine(seconds: float) -> npt.NDArray[np.int16]:
    return np.round(PEAK * np.sin(2 * np.pi * HERTZ * np.arange(round(seconds * 16000)) / 16000)).astype(np.int16)


@dataclass
class Heard:
    """What came out, and the ear's figures every 20 ms."""

    ear: SoundEar
    sound: npt.NDArray[np.int16]
    delays_ms: list[float]
    figures: dict[str, float] = field(default_factory=dict)

    def steepest(self, from_s: float = 0.2) -> float:
        return float(np.abs(np.diff(self.sound[round(from_s * 16000) :].astype(float))).max())


def listen(
    transit: Transit, seconds: float = 6.0, codec: int = PCMU, ptime_ms: int = 20,
    timestamp: Callable[[int], int] | None = None, seq: Callable[[int], int] | None = None, ear: SoundEar | None = None,
    payload: Callable[[int, bytes], bytes] | None = None, drift: float = 1.0,
) -> Heard:  # fmt: skip
    """Send a sine through a network to an ear that is asked every 20 ms."""
    ear, encoder = ear or SoundEar(codec), SoundEncoder(codec, fec=True)
    sound = sine(seconds)
    size, units = 16 * ptime_ms, ptime_ms * UNITS_A_MS[codec]
    arrivals: list[tuple[float, int, bytes]] = []
    for n in range(len(sound) // size):
        data = encoder.encode(sound[n * size : (n + 1) * size].tobytes())
        passing = transit(n)
        if passing is not None:
            arrivals.append((n * ptime_ms * drift + 50 + passing, n, payload(n, data) if payload else data))
    arrivals.sort(key=lambda one: one[0])
    frames, delays = [], []
    for tick in range(round(seconds * 50)):
        now_ms = tick * 20 + 7.0
        while arrivals and arrivals[0][0] <= now_ms:
            at_ms, n, data = arrivals.pop(0)
            number, at = seq(n) if seq else n, timestamp(n) if timestamp else n * units
            ear.put(at_ms, number & 0xFFFF, at & 0xFFFFFFFF, data)
        frames.append(ear.pull(now_ms))
        delays.append(ear.figures(now_ms)["delay_ms"])
    return Heard(ear, np.frombuffer(b"".join(frames), np.int16), delays, ear.figures(seconds * 1000))


def even(n: int) -> float:
    return 0.0


def shaky(most_ms: float, seed: int = 5) -> Transit:
    random = np.random.default_rng(seed)
    transits = random.uniform(0, most_ms, 100_000)
    return lambda n: float(transits[n])


def lossy(rate: float, seed: int = 3) -> Transit:
    lost = np.random.default_rng(seed).random(100_000) < rate
    return lambda n: None if lost[n] else 0.0


@pytest.mark.parametrize(("codec", "least_db"), [(PCMU, 35), (G722, 35), (L16_16K, 60), (OPUS, 20)])
@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
def test_an_even_stream_is_only_late(codec: int, least_db: float, ptime_ms: int) -> None:
    heard = listen(even, codec=codec, ptime_ms=ptime_ms)
    assert heard.figures["concealed_ms"] == heard.figures["late"] == heard.figures["decode_errors"] == 0
    assert 15 <= heard.delays_ms[-1] <= 60
    assert snr_db(heard.sound[-32000:-16000], HERTZ) > least_db


@pytest.mark.parametrize("most_ms", [20, 60, 120])
def test_the_delay_follows_the_jitter(most_ms: int) -> None:
    heard = listen(shaky(most_ms), seconds=20)
    settled = heard.delays_ms[250:]
    assert max(settled) <= most_ms + 45
    assert heard.figures["concealed_ms"] <= 260  # while it learns
    assert heard.steepest() < 2.2 * STEEPEST


def test_delay_is_bounded_on_a_hopeless_network() -> None:
    heard = listen(shaky(900), seconds=20)
    assert np.quantile(heard.delays_ms, 0.98) <= 225
    assert heard.steepest() < 3 * STEEPEST


@pytest.mark.parametrize("codec", [PCMU, G722, L16_16K])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_loss_is_concealed_without_clicks(codec: int, rate: float) -> None:
    transit = lossy(rate)
    heard = listen(transit, codec=codec, seconds=10)
    lost_ms = 20 * sum(transit(n) is None for n in range(1, 495))
    assert heard.figures["concealed_ms"] == pytest.approx(lost_ms, abs=61)
    assert heard.figures["late"] == 0
    assert heard.steepest() < 2 * STEEPEST


def test_one_lost_packet_of_a_steady_sound_is_hardly_heard() -> None:
    heard = listen(lambda n: None if n % 25 == 24 else 0.0, codec=L16_16K)
    assert snr_db(heard.sound[16000:-16000], HERTZ) > 25


def test_a_long_gap_fades_to_silence_and_back() -> None:
    heard = listen(lambda n: None if 100 <= n < 130 else 0.0)
    gap = heard.sound[round(2.3 * 16000) : round(2.6 * 16000)]
    assert np.abs(gap).max() == 0
    assert heard.figures["concealed_ms"] == 600
    assert heard.steepest() < 1.6 * STEEPEST


def test_opus_conceals_by_itself() -> None:
    heard = listen(lossy(0.05), codec=OPUS, seconds=10)
    lost_ms = 20 * sum(lossy(0.05)(n) is None for n in range(1, 495))
    assert heard.figures["concealed_ms"] == pytest.approx(lost_ms, abs=61)
    assert heard.steepest() < 2.5 * STEEPEST


def test_packets_out_of_order_are_put_in_order() -> None:
    heard = listen(lambda n: 25.0 if n % 7 == 3 else 0.0, seconds=10)
    assert heard.figures["concealed_ms"] <= 40
    assert snr_db(heard.sound[-64000:-16000], HERTZ) > 35


def test_repeated_packets_are_heard_once() -> None:
    ear, encoder, sound = SoundEar(L16_16K), SoundEncoder(L16_16K), sine(2)
    out = b""
    for n in range(100):
        data = encoder.encode(sound[320 * n : 320 * n + 320].tobytes())
        for _ in range(3):
            ear.put(20.0 * n, n, 320 * n, data)
        out += ear.pull(20.0 * n + 5)
    assert snr_db(np.frombuffer(out, np.int16)[8000:], HERTZ) > 60


def test_late_packets_make_the_delay_grow_at_once() -> None:
    """The network becomes 80 ms slower after 2 s: one gap, then all is heard."""
    heard = listen(lambda n: 80.0 if n >= 100 else 0.0)
    assert heard.figures["concealed_ms"] <= 100
    assert heard.figures["late"] <= 2
    assert snr_db(heard.sound[-32000:-16000], HERTZ) > 35


def test_a_network_that_became_far_slower_is_followed() -> None:
    heard = listen(lambda n: 500.0 if n >= 100 else 0.0, seconds=8)
    assert snr_db(heard.sound[-48000:-16000], HERTZ) > 35
    assert heard.delays_ms[-1] <= 100


def test_the_delay_shrinks_after_a_spike() -> None:
    heard = listen(lambda n: 150.0 if n == 100 else 0.0, seconds=25)
    assert max(heard.delays_ms[100:]) <= 200
    assert heard.delays_ms[-1] <= 60
    assert heard.steepest() < 2 * STEEPEST


def test_a_burst_after_a_stall_does_not_pile_up() -> None:
    heard = listen(lambda n: max(0.0, 600 - 20 * (n - 100)) if n >= 100 else 0.0, seconds=10)
    assert max(heard.delays_ms[150:]) <= 230
    assert heard.delays_ms[-1] <= 100


@pytest.mark.parametrize("drift", [0.999, 1.001])
def test_a_peer_whose_clock_is_wrong(drift: float) -> None:
    heard = listen(even, seconds=40, drift=drift)
    assert max(heard.delays_ms[100:]) <= 80
    assert heard.steepest() < 2 * STEEPEST
    assert heard.figures["concealed_ms"] <= 200


def test_a_pause_of_the_sender_is_no_loss() -> None:
    """Silence suppression: the timestamp goes on, the sequence does not (RFC 3550 5.1)."""
    sent = [n for n in range(300) if not 100 <= n < 150]
    heard = listen(lambda n: 0.0 if n in sent else None, seq=lambda n: n if n < 100 else n - 50)
    assert heard.figures["concealed_ms"] == 0
    assert heard.steepest() < 1.6 * STEEPEST


def test_timestamps_that_jump_begin_a_new_stream() -> None:
    heard = listen(even, timestamp=lambda n: 160 * n + (4_000_000_000 if n >= 150 else 0))
    assert snr_db(heard.sound[-32000:-16000], HERTZ) > 35


def test_timestamps_and_sequence_wrap() -> None:
    heard = listen(even, timestamp=lambda n: 160 * n + 0xFFFFFFFF - 16000, seq=lambda n: n + 65500)
    assert heard.figures["concealed_ms"] == 0
    assert snr_db(heard.sound[-32000:-16000], HERTZ) > 35


def test_a_new_source_follows_the_old_one() -> None:
    ear = listen(even, seconds=1).ear
    ear.restart()
    heard = listen(even, ear=ear, timestamp=lambda n: 160 * n + 12345)
    assert snr_db(heard.sound[-32000:-16000], HERTZ) > 35


@pytest.mark.parametrize("codec", [L16_16K, OPUS])
def test_what_does_not_decode_is_concealed_and_counted(codec: int) -> None:
    rubbish = {L16_16K: b"\x01\x02\x03", OPUS: b"\xff\xff"}[codec]
    heard = listen(even, codec=codec, payload=lambda n, data: rubbish if n % 50 == 40 else data)
    assert heard.figures["decode_errors"] == 6
    assert heard.figures["concealed_ms"] == 120
    assert heard.steepest() < 2.5 * STEEPEST


def test_before_the_first_packet_there_is_silence() -> None:
    assert SoundEar(PCMU).pull(5.0) == bytes(640)


Step = tuple[int, int, int, bytes]


@settings(max_examples=60)
@given(
    st.sampled_from([PCMU, G722, L16_16K, OPUS]),
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 65535), st.integers(0, 2**32 - 1), st.binary(max_size=400)),
        max_size=60,
    ),
)
def test_any_packets_at_any_time(codec: int, steps: list[Step]) -> None:
    ear, now_ms = SoundEar(codec), 0.0
    for wait_ms, seq, timestamp, payload in steps:
        for _ in range(wait_ms // 20):
            now_ms += 20
            assert len(ear.pull(now_ms)) == 640
        ear.put(now_ms, seq, timestamp, payload)
        ear.put(now_ms, seq + 1 & 0xFFFF, timestamp + len(payload) & 0xFFFFFFFF, payload)
