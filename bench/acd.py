"""What the ACD's decisions cost, and how that grows with the agents and with those who wait.

The engine alone on the floor of `acd_load.py`, one size after the other, each in a process of its own with the garbage
collector as the server has it. Times are CPU of the engine's thread: others on the machine are not to count.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

from rich.progress import Progress, TaskID

from bench.acd_load import ARRIVALS_PER_S, SKILLS, SKILLS_EACH, Load, Times
from bench.checks import Checks
from bench.processes import own_rss_bytes
from bench.report import Series

GROWTH = ((100, 20), (300, 60), (1000, 200), (3000, 600), (10_000, 2000), (30_000, 6000), (100_000, 20_000))
CROWDS = ((10_000, 500), (10_000, 1000), (10_000, 4000), (10_000, 8000))  # besides those of GROWTH
WANTED, LARGEST = (10_000, 2000), (100_000, 50_000)
SIZES = (*GROWTH, *CROWDS, LARGEST)

# The limits of the 99th percentile, in ms, and how many changes of state must fit into a second of `WANTED`.
LIMIT_MS = {WANTED: 1.0, LARGEST: 10.0}
STATE_CHANGES_PER_S = 20_000.0

_RELEASES, _STATE_ROUNDS = 4000, 3000
_ROUNDS_TO_SETTLE = 1.6  # calls for each agent before anything is measured: those who are hard to serve gather first


class AcdLoadError(Exception):
    """It could not be measured."""


@dataclass(frozen=True, slots=True)
class AcdStep:
    """One size. A decision is an input by which somebody may get a call; the call is all its inputs."""

    agents: int
    waiting: int
    idle: int  # available agents whom none of those waiting fits
    lines: int  # different sets of agents who fit
    p50_ms: float
    p99_ms: float
    p999_ms: float
    longest_ms: float
    call_ms: float
    cpu_percent: float  # of a core, at 200 calls a second
    changes_per_s: float  # of agents' states: so many fit into a second
    memory_mb: float  # what agents, calls and lines keep


@dataclass(frozen=True, slots=True)
class InputStep:
    """One input of the engine, at one size."""

    agents: int
    waiting: int
    input: str
    count: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    longest_ms: float


Measured = tuple[AcdStep, list[InputStep]]


def measure_one(agents: int, waiting: int, told: Callable[[float], None]) -> Measured:
    """In this process, whose collector stays off afterwards. `told` is told the share that is done."""
    before = own_rss_bytes(os.getpid())
    load = Load(agents, waiting)
    gc.collect()
    gc.freeze()
    gc.disable()
    load.fill()
    settle = int(_ROUNDS_TO_SETTLE * agents)
    total = settle + _RELEASES + _STATE_ROUNDS
    for done in load.run(settle):
        if not done % 256:
            told(done / total)
    memory_mb = (own_rss_bytes(os.getpid()) - before) / 1e6
    load.forget_times()
    for done in load.run(_RELEASES):
        if not done % 256:
            told((settle + done) / total)
    floor = load.engine.floor
    idle, lines = len(floor.roster.idle), len({item.eligible for item in floor.lines})
    inputs = [_input(agents, waiting, name, times) for name, times in sorted(load.times.items())]
    decided = load.decided
    call_ms = sum(times.total_s for times in load.times.values()) / _RELEASES * 1000
    load.forget_times()
    for done in load.change_states(_STATE_ROUNDS):
        if not done % 256:
            told((settle + _RELEASES + done) / total)
    changes = sum(len(times.cpu) for times in load.times.values())
    change_ms = sum(times.total_s for times in load.times.values()) / changes * 1000
    step = AcdStep(
        agents=agents, waiting=waiting, idle=idle, lines=lines,
        p50_ms=_shown(decided.at(0.5)), p99_ms=_shown(decided.at(0.99)), p999_ms=_shown(decided.at(0.999)),
        longest_ms=_shown(decided.at(1.0)), call_ms=_shown(call_ms),
        cpu_percent=round(call_ms * ARRIVALS_PER_S / 10, 2),
        changes_per_s=float(round(1000 / change_ms, -2)),
        memory_mb=round(memory_mb, 1),
    )  # fmt: skip
    return step, inputs


def _input(agents: int, waiting: int, name: str, times: Times) -> InputStep:
    count = len(times.cpu)
    mean_ms = times.total_s / count * 1000
    figures = (mean_ms, times.at(0.5), times.at(0.99), times.at(1.0))
    return InputStep(agents, waiting, name, count, *map(_shown, figures))


def _shown(milliseconds: float) -> float:
    return round(milliseconds, 3)


def _child(agents: int, waiting: int, to: Connection) -> None:
    to.send(measure_one(agents, waiting, to.send))
    to.close()


def measure(sizes: Sequence[tuple[int, int]], progress: Progress) -> tuple[list[AcdStep], list[InputStep]]:
    """Each size in a process of its own. Raises AcdLoadError."""
    steps: list[AcdStep] = []
    inputs: list[InputStep] = []
    task = progress.add_task("ACD", total=len(sizes))
    for number, (agents, waiting) in enumerate(sizes):
        progress.update(task, description=f"ACD, {agents:,} agents, {waiting:,} waiting")
        step, its_inputs = _measure_apart(agents, waiting, partial(_advance, progress, task, number))
        steps.append(step)
        if (agents, waiting) in LIMIT_MS:
            inputs += its_inputs
        progress.update(task, completed=number + 1)
    return sorted(steps, key=lambda step: (step.agents, step.waiting)), inputs


def _advance(progress: Progress, task: TaskID, done: int, share: float) -> None:
    progress.update(task, completed=done + share)


def _measure_apart(agents: int, waiting: int, told: Callable[[float], None]) -> Measured:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(agents, waiting, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        while isinstance(got := ours.recv(), float):
            told(got)
    except EOFError:
        process.join()
        raise AcdLoadError(f"acd: {agents:,} agents: the process ended, exit status {process.exitcode}") from None
    process.join()
    measured: Measured = got
    return measured


def judge(steps: Sequence[AcdStep], checks: Checks) -> None:
    """What was measured of the sizes that have a limit."""
    for step in steps:
        limit = LIMIT_MS.get((step.agents, step.waiting))
        if limit is None:
            continue
        size = f"{step.agents:,} agents, {step.waiting:,} waiting"
        checks.that(f"{size}: decision p99 at most {limit:g} ms", step.p99_ms <= limit, f"{step.p99_ms:.3f} ms")
        if (step.agents, step.waiting) != WANTED:
            continue
        claim = f"{size}: {STATE_CHANGES_PER_S:,.0f} changes of agents' states a second"
        checks.that(claim, step.changes_per_s >= STATE_CHANGES_PER_S, f"{step.changes_per_s:,.0f}")


def series(steps: Sequence[AcdStep]) -> list[Series]:
    """Growth with the agents, and with those who wait."""
    found: list[Series] = []
    growth = [step for step in steps if (step.agents, step.waiting) in GROWTH]
    crowds = [step for step in steps if step.agents == WANTED[0]]
    for title, label, xs, chosen in (
        ("ACD decision, one waiting for five agents", "agents", [step.agents for step in growth], growth),
        ("ACD decision, 10,000 agents", "waiting", [step.waiting for step in crowds], crowds),
    ):
        if len(chosen) < 2:
            continue
        curves = tuple(
            (name, tuple(zip(map(float, xs), ys, strict=True)))
            for name, ys in (
                ("p50", [step.p50_ms for step in chosen]),
                ("p99", [step.p99_ms for step in chosen]),
                ("whole call", [step.call_ms for step in chosen]),
            )
        )
        found.append(Series(f"{title}; {SKILLS_EACH} of {SKILLS} skills", label, "CPU ms", (), None, curves))
    return found
