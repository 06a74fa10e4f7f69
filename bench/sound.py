"""`python -m bench.sound`: what the parts of decoded sound cost by themselves, for 20 ms of a stream, without sockets.

What calls of them cost is measured by `python -m bench media`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from rich.console import Console

from bench.report import table_of
from media.worker.loop import KeyDetector, SoundDecoder, SoundEar, SoundEncoder, load_opus
from media.worker.opus import libraries


@dataclass(frozen=True, slots=True)
class PartStep:
    """One part for 20 ms of sound."""

    part: str
    us: float
    streams_per_core: int


def parts(seconds: float) -> list[PartStep]:
    """Each part for so long, with sound that is no silence."""
    load_opus(libraries())
    random = np.random.default_rng(1)
    at = np.arange(320)
    sound = (3000 * np.sin(2 * np.pi * 0.03 * at) + 1000 * random.standard_normal(320)).astype(np.int16).tobytes()
    found: list[PartStep] = []
    for name, number in (("PCMU", 0), ("G722", 9), ("OPUS", 111)):
        encoder, decoder = SoundEncoder(number), SoundDecoder(number)
        found.append(_time(f"encode {name}", partial(encoder.encode, sound), seconds))
        found.append(_time(f"decode {name}", partial(decoder.decode, encoder.encode(sound)), seconds))
    detector = KeyDetector()
    found.append(_time("listen for keys", partial(detector.hear, sound), seconds))
    found.append(_time("ear, PCMU, 5 % lost", _ear(0.05), seconds))
    found.append(_time("ear, PCMU, 20 % lost", _ear(0.2), seconds))
    return found


def _ear(loss: float) -> Callable[[], object]:
    ear, payload, lost = SoundEar(0), bytes(range(160)), np.random.default_rng(2).random(4096) < loss
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if not lost[count % 4096]:
            ear.put(20.0 * count, count & 0xFFFF, 160 * count & 0xFFFFFFFF, payload)
        ear.pull(20.0 * count + 5)

    return step


def _time(part: str, step: Callable[[], object], seconds: float) -> PartStep:
    for _ in range(50):
        step()
    rounds, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        for _ in range(100):
            step()
        rounds += 100
    spent_us = 1e6 * (time.process_time() - started) / rounds
    return PartStep(part, round(spent_us, 2), round(20_000 / spent_us))


def main(arguments: Sequence[str]) -> int:
    Console(width=110).print(table_of("parts, for 20 ms", parts(float(arguments[0]) if arguments else 0.5)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
