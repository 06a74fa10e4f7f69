"""`python -m bench.soak`: very many calls at a steady rate; does anything fail, grow or stay behind?

Every few seconds the server's memory, descriptors, threads and what it says of itself (`/metrics`) are read. Flat
means: what is there after the first third of the calls is there at their end, and a minute later nothing is left.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console
from rich.progress import Progress

from bench import machine
from bench.checks import Checks
from bench.plateau import SITES, Plateau, PlateauError
from bench.processes import cpu_s, descriptors, rss_bytes, threads
from bench.report import Series, table_of, write_csv, write_page
from bench.sipp import Sipp, SippError, SippResult

RESULTS = Path(__file__).resolve().parent / "results" / "soak"
SERVER_CORE, LOAD_CORE = 0, 1
EVERY_S = 5.0
SETTLE_S = 75.0  # the longest that SIP lets a transaction linger is 32 s; a re-used timer line once more
GROWTH_MB = 4.0  # that the resident memory may differ by: allocators keep some
_METRIC = re.compile(r"^plateau_(\w+) (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment."""

    seconds: float
    calls_begun: int
    rss_mb: float  # signalling process and media worker
    descriptors: int
    threads: int
    tasks: int
    live_calls: int
    dialogs: int
    transactions: int
    timers: int
    media_ports: int
    journal_pending: int
    cpu_percent: float  # of one core, since the sample before


async def metrics(http: aiohttp.ClientSession, url: str) -> dict[str, float]:
    async with http.get(f"{url}/metrics") as response:
        return {name: float(value) for name, value in _METRIC.findall(await response.text())}


class Sampler:
    """Reads the server again and again."""

    def __init__(self, plateau: Plateau, http: aiohttp.ClientSession) -> None:
        self._plateau = plateau
        self._http = http
        self._started = self._last = time.monotonic()
        self._cpu_s = cpu_s(plateau.pid)
        self.samples: list[Sample] = []

    async def sample(self) -> Sample:
        read = await metrics(self._http, self._plateau.http)
        pid, now, spent = self._plateau.pid, time.monotonic(), cpu_s(self._plateau.pid)
        one = Sample(
            round(now - self._started, 1), int(read.get("calls_started_total", 0)), round(rss_bytes(pid) / 1e6, 2),
            descriptors(pid), threads(pid), int(read["tasks"]), int(read["calls"]), int(read["sip_dialogs"]),
            int(read["sip_transactions"]), int(read["sip_timers"]), int(read["media_ports_leased"]),
            int(read["journal_pending"]),
            round(100 * (spent - self._cpu_s) / max(now - self._last, 0.001), 1),
        )  # fmt: skip
        self._last, self._cpu_s = now, spent
        self.samples.append(one)
        return one


async def soak(
    calls: int, rate: float, told: Callable[[Sample], None]
) -> tuple[SippResult, Sample, list[Sample], Sample]:
    """Returns what sipp counted, the server before, during and after. Raises PlateauError, SippError."""
    cores = (os.cpu_count() or 1) > 1
    server, load = (SERVER_CORE, LOAD_CORE) if cores else (None, None)
    if load is not None:
        os.sched_setaffinity(0, {load})
    async with (
        Plateau(SITES / "bench.yaml", media_ports=4200, core=server) as plateau,
        Sipp("uas", None, port=5090, core=load),
        aiohttp.ClientSession() as http,
    ):
        sampler = Sampler(plateau, http)
        before = await sampler.sample()
        sampler.samples.clear()
        caller = Sipp(
            "uac", plateau.sip, service="2001", calls=calls, rate=rate, core=load, within_s=3 * calls / rate + 60
        )  # fmt: skip
        await caller.start()
        waiting = asyncio.create_task(caller.wait())
        while not waiting.done():
            await asyncio.wait((waiting,), timeout=EVERY_S)
            if not waiting.done():
                told(await sampler.sample())
        result, during = waiting.result(), list(sampler.samples)
        await asyncio.sleep(SETTLE_S)
        return result, before, during, await sampler.sample()


def judge(calls: int, result: SippResult, before: Sample, during: Sequence[Sample], after: Sample) -> Checks:
    """What was promised, and what was seen."""
    checks = Checks()
    checks.that("no call failed", result.failed == 0 and result.successful == calls,
                f"{result.successful} of {calls} good, {result.failed} failed, {result.retransmissions} sent again")
    steady = during[len(during) // 3 :]
    if len(steady) >= 6:
        third = len(steady) // 3
        early, late = (statistics.median(one.rss_mb for one in part) for part in (steady[:third], steady[-third:]))
        checks.that("memory is flat", late - early <= GROWTH_MB, f"{early:.1f} MB, later {late:.1f} MB")
        for name in ("descriptors", "tasks", "threads"):
            first, last = (max(getattr(one, name) for one in part) for part in (steady[:third], steady[-third:]))
            checks.that(f"{name} are flat", last <= first + 1, f"at most {first}, later {last}")
    for name in ("live_calls", "dialogs", "transactions", "timers", "media_ports", "journal_pending"):
        left = getattr(after, name)
        checks.that(f"no {name.replace('_', ' ')} left behind", left == 0, f"{left}")
    for name in ("descriptors", "tasks"):
        was, left = getattr(before, name), getattr(after, name)
        checks.that(f"as many {name} as at the start", left <= was + 1, f"{was}, then {left}")
    return checks


def write_results(folder: Path, facts: dict[str, str], samples: Sequence[Sample]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    table, page = folder / "soak.csv", folder / "index.html"
    write_csv(table, samples)
    series = [
        Series(title, "calls begun", label, tuple((one.calls_begun, getattr(one, name)) for one in samples))
        for name, title, label in (
            ("rss_mb", "Resident memory, signalling and media worker", "MB"),
            ("descriptors", "Open descriptors", "descriptors"),
            ("tasks", "Tasks of the event loop", "tasks"),
            ("transactions", "SIP transactions", "transactions"),
            ("cpu_percent", "CPU", "% of one core"),
        )
    ]
    write_page(page, "Plateau: many calls", facts, series)
    return [table, page]


def main(
    calls: Annotated[int, typer.Option(min=100, help="how many calls")] = 200_000,
    rate: Annotated[float, typer.Option(min=1, help="calls a second")] = 200.0,
    results: Annotated[Path, typer.Option(help="where the CSV file and the page go")] = RESULTS,
) -> None:
    """Soak the server. Exit status 1: something failed, grew or stayed; 2: it could not be run."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    with Progress(console=console, refresh_per_second=1) as progress:
        task = progress.add_task("calls", total=calls)

        def told(one: Sample) -> None:
            description = f"{one.rss_mb:.0f} MB, {one.cpu_percent:.0f} % CPU"
            progress.update(task, completed=one.calls_begun, description=description)

        try:
            result, before, during, after = asyncio.run(soak(calls, rate, told))
        except (PlateauError, SippError, OSError) as error:
            Console(stderr=True, soft_wrap=True).print(f"bench: {error}", style="bold red", markup=False)
            raise typer.Exit(2) from None
    shown = [before, *during[:: max(1, len(during) // 10)], after]
    console.print(table_of(f"{calls} calls at {rate:g} a second", shown))
    checks = judge(calls, result, before, during, after)
    console.print(checks.table())
    facts = {
        **machine.facts(),
        "calls": f"{result.successful} good, {result.failed} failed, {result.retransmissions} messages sent again",
        "rate": f"{rate:g} a second, INVITE to BYE without a pause, media anchored",
    }
    for path in write_results(results, facts, [before, *during, after]):
        console.print(f"wrote {path}", highlight=False)
    raise typer.Exit(0 if checks.ok else 1)


if __name__ == "__main__":
    typer.run(main)
