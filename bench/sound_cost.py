"""`python -m bench media`, second part: every kind of work of the media worker, beside rtpengine, in rounds."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.checks import Checks
from bench.media_cost import compile_rtp_load
from bench.report import Series
from bench.rtpengine_cost import RTPENGINE, rtpengine
from bench.streams import Streams
from bench.worker_cost import (
    CALLS,
    DELAY,
    PLAIN,
    RECORDED,
    SECURED,
    WARM_S,
    WORKS,
    Cost,
    Subject,
    Work,
    run,
    summary,
    worker,
    worker_memory,
)

OTHERS = Work(RTPENGINE, CALLS[:4], PLAIN.build)
ALL = (OTHERS, *WORKS)

# The limits: CPU ms on one core, shares of it, ms and kB.
CALL_SECOND_MS, DELAY_P99_MS, MUSIC_PERCENT, RECORDED_MORE, SECURED_MORE, CALL_KB = 0.55, 2.0, 25.0, 0.30, 0.60, 10.0
BUSY_PERCENT = 80.0  # up to here nothing is lost
JUDGED = 500  # calls at which works are compared


@dataclass(frozen=True, slots=True)
class SoundCosts:
    """What a run found."""

    costs: list[Cost]
    memory_kb: tuple[float, float]  # for each anchored call: in all, and when it is set up

    def of(self, work: str, count: int) -> Cost | None:
        return next((one for one in self.costs if one.kind == work and one.count == count), None)


@asynccontextmanager
async def _subjects(streams: Streams, folder: Path, cores: tuple[int, int] | None) -> AsyncIterator[dict[str, Subject]]:
    async with worker(2 * max(CALLS), streams, folder, cores) as ours:
        if shutil.which("rtpengine") is None:
            yield {"": ours}
        else:
            with rtpengine(max(OTHERS.counts), cores) as theirs:
                yield {"": ours, RTPENGINE: theirs}


async def measure(
    folder: Path, seconds: float, rounds: int, cores: tuple[int, int] | None, told: Callable[[str], None]
) -> SoundCosts:
    """Raises MediaLoadError, MediaError, OSError."""
    program, streams = compile_rtp_load(folder), Streams(folder, seconds + WARM_S + 1)
    runs = defaultdict(list)
    async with _subjects(streams, folder, cores) as subjects:
        steps = [(work, count) for work in ALL for count in work.counts if work is not OTHERS or RTPENGINE in subjects]
        steps.sort(key=lambda step: step[1] if step[0] in (PLAIN, RECORDED, SECURED, OTHERS) else 0)
        for number in range(rounds):
            for work, count in steps:
                told(f"round {number + 1} of {rounds}: {work.name}, {count}")
                subject = subjects.get(work.name, subjects[""])
                runs[work, count].append(await run(program, subject, work, count, seconds, streams))
    costs = [summary(work, count, seconds, found) for (work, count), found in runs.items()]
    costs.sort(key=lambda one: ([work.name for work in ALL].index(one.kind), one.count))
    told("memory")
    return SoundCosts(costs, await worker_memory(streams, folder, 1000))


def judge(found: SoundCosts, checks: Checks) -> None:
    """Against the limits; what is compared was measured in the same rounds."""
    plain = [one for one in found.costs if one.kind == PLAIN.name]
    whole = [one for one in plain if one.lost_percent <= 0.1 and one.count >= JUDGED]
    best = min(whole, key=lambda one: one.cpu_ms, default=None)
    checks.that(
        f"an anchored call costs the worker at most {CALL_SECOND_MS} ms a second",
        best is not None and best.cpu_ms <= CALL_SECOND_MS,
        f"{best.cpu_ms:g} ms with {best.count} calls" if best else "none without loss",
    )
    lossy = [one for one in plain if one.lost_percent > 0 and one.cpu_percent <= BUSY_PERCENT]
    checks.that(
        f"no packet is lost up to {BUSY_PERCENT:g} % of the core", not lossy,
        ", ".join(f"{one.lost_percent:g} % of {one.count} calls" for one in lossy) or "none",
    )  # fmt: skip
    late = [one for one in found.costs if one.kind == DELAY.name]
    worst = max(late, key=lambda one: one.p99_ms, default=None)
    if worst is not None:
        claim = f"the relay adds at most {DELAY_P99_MS:g} ms (p99)"
        checks.that(claim, worst.p99_ms <= DELAY_P99_MS, f"{worst.p99_ms:g} ms with {worst.count} calls")
    if music := found.of("music, listeners silent", 1000):
        claim = f"music for 1,000 listeners takes at most {MUSIC_PERCENT:g} % of the core"
        checks.that(claim, music.cpu_percent <= MUSIC_PERCENT, f"{music.cpu_percent:g} %")
    for work, limit in ((RECORDED, RECORDED_MORE), (SECURED, SECURED_MORE)):
        one, base = found.of(work.name, JUDGED), found.of(PLAIN.name, JUDGED)
        if one and base:
            more = one.cpu_ms / base.cpu_ms - 1
            checks.that(f"{work.name}: at most {limit:.0%} more", more <= limit, f"{more:+.0%}")
    kb = found.memory_kb[0]
    checks.that(f"a call takes at most {CALL_KB:g} kB of the worker", kb <= CALL_KB, f"{kb:.1f} kB")


def series(found: SoundCosts) -> Series:
    """Cost against the number of calls."""
    names = [one.name for one in (PLAIN, RECORDED, SECURED, OTHERS)]
    curves = {
        name: tuple((float(one.count), one.cpu_ms) for one in found.costs if one.kind == name) for name in names
    }
    drawn = tuple((name, points) for name, points in curves.items() if points)
    return Series("anchored call: CPU of the media process", "calls", "CPU ms a call-second", (), CALL_SECOND_MS, drawn)

