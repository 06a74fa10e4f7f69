"""`python -m bench.overload`: what is left of the server's capacity when three times as many calls are asked for.

First the rate that it bears is looked for; then a multiple of that is offered. The server has core 0, sipp core 1. On a
machine that others use too, the server's share of its core differs from one minute to the next: what was served is
held against what that share bears.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from bench.checks import Checks
from bench.plateau import SITES, Plateau, PlateauError
from bench.ports import free_port
from bench.processes import cpu_s
from bench.report import table_of
from bench.sip_cost import CALLS, SipStep, measure
from bench.sipp import Sipp, SippError, SippResult
from bench.soak import metrics

SERVER_CORE, LOAD_CORE = 0, 1
FIRST_RATE, NEXT_RATE = 400.0, 1.25
KEPT = 0.8  # of the capacity, under any load
SETTLE_S = 3.0  # the last BYEs
LEFT = 0.001  # of the calls, whom sipp itself may have given up


@dataclass(frozen=True, slots=True)
class Flood:
    """A rate above the capacity, for some seconds."""

    offered: float  # calls a second
    served: float  # calls a second, INVITE to BYE
    refused: float  # 503 a second
    sent_again: int  # by sipp, of all requests
    begun: int  # calls that the server let in
    ended: int  # of those
    cpu_percent: float  # of a core, the server's processes
    capacity: float  # calls a second that this share of the core bears
    kept: float  # served of that


async def capacity(plateau: Plateau, seconds: float, folder: Path, load: int | None) -> SipStep:
    """The highest step that held. Raises SippError if none did."""
    best: SipStep | None = None
    rate = FIRST_RATE
    while True:
        step = await measure(CALLS, plateau.pid, plateau.sip, round(rate), seconds, folder, load)
        if not step.held or step.achieved < 0.9 * rate:
            break
        best, rate = step, rate * NEXT_RATE
    if best is None:
        raise SippError(f"not even {FIRST_RATE:g} calls a second: {step.failed} failed, {step.retransmissions} again")
    return best


async def flood(plateau: Plateau, best: SipStep, times: float, seconds: float, load: int | None) -> Flood:
    rate = round(times * best.offered)
    sipp = Sipp(
        "uac", plateau.sip, service="2001", calls=round(rate * seconds), rate=rate, core=load,
        within_s=seconds * 3 + 40,
    )  # fmt: skip
    async with aiohttp.ClientSession() as http:
        before, cpu = await metrics(http, plateau.http), cpu_s(plateau.pid)
        await sipp.start()
        result = await sipp.wait()
        cpu = cpu_s(plateau.pid) - cpu
        await asyncio.sleep(SETTLE_S)
        after = await metrics(http, plateau.http)
    return found(rate, result, best.cpu_ms, cpu, {name: after[name] - before.get(name, 0.0) for name in after})


def found(rate: float, result: SippResult, call_ms: float, cpu: float, counted: Mapping[str, float]) -> Flood:
    """`call_ms`: of CPU at the capacity; `cpu`: seconds that the flood took; `counted`: by the server meanwhile."""
    share = cpu / result.elapsed_s
    bears = 1000 * share / call_ms
    served = result.successful / result.elapsed_s
    return Flood(
        offered=rate,
        served=round(served, 1),
        refused=round(counted.get("overload_shed_call_total", 0.0) / result.elapsed_s, 1),
        sent_again=result.retransmissions,
        begun=int(counted.get("calls_started_total", 0)),
        ended=int(counted.get("calls_ended_total", 0)),
        cpu_percent=round(100 * share, 1),
        capacity=round(bears, 1),
        kept=round(served / bears, 2),
    )


async def run(times: float, seconds: float) -> tuple[SipStep, Flood]:
    cores = (os.cpu_count() or 1) > 1
    server, load = (SERVER_CORE, LOAD_CORE) if cores else (None, None)
    if load is not None:
        os.sched_setaffinity(0, {load})
    port = free_port()
    to = f"sip:{{number}}@127.0.0.1:{port}"
    changes = {"dial_plan": [{"from": "trunk generator", "match": "2XXX", "to": to}]}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with (
            Plateau(SITES / "bench.yaml", changes=changes, media_ports=4200, core=server) as plateau,
            Sipp("uas", None, port=port, core=load),
        ):
            best = await capacity(plateau, seconds / 4, Path(folder), load)
            return best, await flood(plateau, best, times, seconds, load)


def main(
    times: Annotated[float, typer.Option(help="the capacity")] = 3.0,
    seconds: Annotated[float, typer.Option(help="how long")] = 20.0,
) -> None:
    """Exit status 1: less than 80 % of the capacity was served."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    try:
        best, one = asyncio.run(run(times, seconds))
    except (PlateauError, SippError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"bench: {error}", style="bold red", markup=False)
        raise typer.Exit(2) from None
    console.print(table_of("capacity", [best]))
    console.print(table_of(f"{times:g} times as much", [one]))
    checks = Checks()
    checks.that(f"{KEPT:.0%} of the capacity is served", one.kept >= KEPT, f"{one.kept:.0%}")
    left = one.begun - one.ended
    checks.that("who is let in is served to the end", left <= LEFT * one.begun, f"{one.begun} begun, {left} not ended")
    console.print(checks.table())
    raise typer.Exit(0 if checks.ok else 1)


if __name__ == "__main__":
    typer.run(main)
