"""`python -m bench` (`make bench`): what calls, registrations, media and the ACD cost, held against our limits.

The server runs `config/sites/bench.yaml` on core 0 with its media worker, everything else is on core 1. See README.md.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import acd, machine, media_cost, sip_cost, sound_cost
from bench.acd import AcdLoadError, AcdStep, InputStep
from bench.checks import Checks
from bench.media_cost import MediaLoadError, MediaStep
from bench.plateau import SITES, Plateau, PlateauError
from bench.ports import free_port
from bench.report import Series, table_of, write_csv, write_page, write_svg
from bench.sip_cost import SipStep, SipWork
from bench.sipp import Sipp, SippError
from bench.sound_cost import SoundCosts
from media.plane import MediaError

RESULTS = Path(__file__).resolve().parent / "results"
SERVER_CORE, LOAD_CORE = 0, 1
AGENTS_PORT = 5090  # where bench.yaml has its B legs and agents
MEDIA_PORTS = 4200
WORKS: dict[str, tuple[SipWork, tuple[float, ...]]] = {
    "calls": (sip_cost.CALLS, (100, 200, 400, 600, 800, 1000)),
    "queue": (sip_cost.QUEUED, (50, 100, 200, 400, 600, 800, 1000)),
    "registrations": (sip_cost.REGISTRATIONS, (200, 500, 1000, 2000)),
}
MEDIA_CALLS = (100, 500, 1000)

# The limits: CPU ms on one core; and the rate that must be held without any failure.
CALL_MS, CALLS_PER_S, QUEUED_MS, REGISTRATION_MS, CALL_SECOND_MS = 0.8, 1000.0, 1.0, 0.15, 0.7
LIMITS = {"bridged call": CALL_MS, "queued call": QUEUED_MS, "registration": REGISTRATION_MS}

Measured = tuple[dict[str, list[SipStep]], list[MediaStep]]
AcdMeasured = tuple[list[AcdStep], list[InputStep]]


async def measure(what: Sequence[str], seconds: float, progress: Progress, folder: Path) -> Measured:
    """Run the steps; what is overloaded is not loaded more. Raises PlateauError, SippError, MediaLoadError."""
    cores = (os.cpu_count() or 1) > 1
    server, load = (SERVER_CORE, LOAD_CORE) if cores else (None, None)
    if load is not None:
        os.sched_setaffinity(0, {load})  # the progress bar is not to disturb the server's core
    sip_steps: dict[str, list[SipStep]] = {}
    media_steps: list[MediaStep] = []
    async with (
        Plateau(SITES / "bench.yaml", media_ports=MEDIA_PORTS, core=server) as plateau,
        Sipp("uas", None, port=AGENTS_PORT, core=load, extra=("-rtp_echo",)),
    ):
        for name, (work, rates) in WORKS.items():
            if name not in what:
                continue
            task = progress.add_task(work.name, total=len(rates))
            steps = sip_steps[work.name] = []
            port = free_port()  # of every step: a phone that comes again has its contact refreshed, not one more
            for rate in rates:
                progress.update(task, description=f"{work.name}, {rate:g} a second")
                steps.append(await sip_cost.measure(work, plateau.pid, plateau.sip, rate, seconds, folder, load, port))
                progress.advance(task)
                if steps[-1].failed > steps[-1].successful / 100:
                    break
        if "media" in what:
            program = media_cost.compile_rtp_load(folder)
            task = progress.add_task("media", total=len(MEDIA_CALLS))
            for calls in MEDIA_CALLS:
                progress.update(task, description=f"{calls} calls with media")
                media_steps.append(
                    await media_cost.measure(program, plateau.pid, plateau.sip, "2001", calls, seconds, load)
                )
                progress.advance(task)
    return sip_steps, media_steps


async def measure_sound(seconds: float, rounds: int, progress: Progress, folder: Path) -> SoundCosts:
    """Every kind of work of the media worker. Raises MediaLoadError, MediaError."""
    cores = (SERVER_CORE, LOAD_CORE) if (os.cpu_count() or 1) > 1 else None
    task = progress.add_task("the media worker", total=None)
    return await sound_cost.measure(
        folder, min(seconds, 3), rounds, cores, lambda text: progress.update(task, description=text)
    )


def judge(sip_steps: dict[str, list[SipStep]], media_steps: list[MediaStep]) -> Checks:
    """The last step that held quality counts, not the last before something broke."""
    checks = Checks()
    if calls := sip_steps.get("bridged call"):
        best = max((step for step in calls if step.held), key=lambda step: step.offered, default=None)
        rate = best.offered if best else 0
        checks.that(f"{CALLS_PER_S:g} calls a second without failure", rate >= CALLS_PER_S, f"{rate:g} a second held")
        cost = best.cpu_ms if best else float("inf")
        checks.that(f"a bridged call costs at most {CALL_MS} ms", cost <= CALL_MS, f"{cost:g} ms at {rate:g} a second")
    if queued := sip_steps.get("queued call"):
        best = max((step for step in queued if step.held), key=lambda step: step.offered, default=None)
        cost = best.cpu_ms if best else float("inf")
        detail = f"{cost:g} ms at {best.offered if best else 0:g} a second"
        checks.that(f"a queued call costs at most {QUEUED_MS:g} ms", cost <= QUEUED_MS, detail)
    if registrations := sip_steps.get("registration"):
        held = [step for step in registrations if step.held]
        cost = held[-1].cpu_ms if held else float("inf")
        claim = f"a registration costs at most {REGISTRATION_MS} ms"
        checks.that(claim, cost <= REGISTRATION_MS, f"{cost:g} ms at {held[-1].offered if held else 0:g} a second")
    if media_steps:
        good = [step for step in media_steps if step.held]
        cost = good[-1].cpu_ms if good else float("inf")
        claim = f"an anchored call costs at most {CALL_SECOND_MS} ms a second"
        checks.that(claim, cost <= CALL_SECOND_MS, f"{cost:g} ms with {good[-1].calls if good else 0} calls")
    return checks


def write_results(
    folder: Path, here: dict[str, str], measured: Measured, sound: SoundCosts | None = None,
    floor: AcdMeasured | None = None,
) -> list[Path]:  # fmt: skip
    """CSV files, plots and the page; returns what was written."""
    sip_steps, media_steps = measured
    folder.mkdir(parents=True, exist_ok=True)
    series: list[Series] = []
    written: list[Path] = []
    for name, steps in sip_steps.items():
        written.append(folder / f"{name.replace(' ', '-')}.csv")
        write_csv(written[-1], steps)
        points = tuple((step.offered, step.cpu_ms) for step in steps)
        series.append(Series(f"{name}: CPU", "offered a second", "CPU ms each", points, LIMITS.get(name)))
        points = tuple((step.offered, step.achieved) for step in steps)
        series.append(Series(f"{name}: achieved", "offered a second", "achieved a second", points))
    if media_steps:
        written.append(folder / "media.csv")
        write_csv(written[-1], media_steps)
        points = tuple((float(step.calls), step.cpu_ms) for step in media_steps)
        series.append(Series("anchored call: CPU", "calls", "CPU ms a call-second", points, CALL_SECOND_MS))
    if sound is not None:
        written += [folder / "media-works.csv", folder / "media-cost.svg"]
        write_csv(written[-2], sound.costs)
        series.append(sound_cost.series(sound))
        write_svg(written[-1], series[-1])
    if floor is not None:
        written += [folder / "acd.csv", folder / "acd-inputs.csv"]
        write_csv(written[-2], floor[0])
        write_csv(written[-1], floor[1])
        for name, plot in zip(("acd-agents.svg", "acd-waiting.svg"), acd.series(floor[0]), strict=False):
            written.append(folder / name)
            write_svg(written[-1], plot)
            series.append(plot)
    facts = {
        **here,
        "layout": f"server and its media worker on core {SERVER_CORE}, load on core {LOAD_CORE}",
    }
    written.append(folder / "index.html")
    write_page(written[-1], "Plateau: what calls cost", facts, series)
    return written


def progress_bar(console: Console) -> Progress:
    """Redrawn once a second: drawing costs the load generator's core its time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, refresh_per_second=1)


def main(
    what: Annotated[
        list[str] | None, typer.Argument(help="calls, queue, registrations, media, acd; all if none")
    ] = None,
    seconds: Annotated[float, typer.Option(help="how long each step is held")] = 8.0,
    results: Annotated[Path, typer.Option(help="where CSV files and the page go")] = RESULTS,
    rounds: Annotated[int, typer.Option(help="of the works of the media worker, whose medians count")] = 3,
) -> None:
    """Measure the server on this machine. Exit status 1: a limit is not held; 2: it could not be measured."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    known = [*WORKS, "media", "acd"]
    wanted = what or known
    if unknown := set(wanted) - set(known):
        raise typer.BadParameter(f"expected some of {', '.join(known)}, found {', '.join(sorted(unknown))}")
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, progress_bar(console) as progress:
            floor = acd.measure(acd.SIZES, progress) if "acd" in wanted else None
            served = set(wanted) - {"acd"}
            measured = asyncio.run(measure(wanted, seconds, progress, Path(folder))) if served else ({}, [])
            sound = asyncio.run(measure_sound(seconds, rounds, progress, Path(folder))) if "media" in wanted else None
    except (PlateauError, SippError, MediaLoadError, MediaError, AcdLoadError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"bench: {error}", style="bold red", markup=False)
        raise typer.Exit(2) from None
    tables: dict[str, Sequence[Any]] = {**measured[0], "media": measured[1]}
    if sound is not None:
        tables["the media worker"] = sound.costs
    if floor is not None:
        tables["ACD"], tables["ACD, by input"] = floor
    for name, steps in tables.items():
        if steps:
            console.print(table_of(name, steps))
    checks = judge(*measured)
    if sound is not None:
        sound_cost.judge(sound, checks)
    if floor is not None:
        acd.judge(floor[0], checks)
    console.print(checks.table())
    here = machine.facts()
    console.print(f"pace of the machine: {here['pace']}", highlight=False)
    for path in write_results(results, here, measured, sound, floor):
        console.print(f"wrote {path}", highlight=False)
    raise typer.Exit(0 if checks.ok or not checks.checks else 1)


if __name__ == "__main__":
    typer.run(main)
