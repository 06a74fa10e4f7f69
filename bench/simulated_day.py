"""How long a simulated day of 100,000 calls takes: 20 queues, 250 agents with 5 of 20 skills each, callers who hang up.

    python -m bench.simulated_day

CPU time of one core, from the drawn callers to the tallied day. Exit status 1: more than the limit.
"""

from __future__ import annotations

import gc
import time

import typer
from rich.console import Console

from acd.simulate.demand import Demand, Habits, Span
from acd.simulate.distributions import Exponential, Streams
from acd.simulate.experiment import Plan, run_day
from acd.simulate.staff import always, site_with
from bench.checks import Checks
from config.schema import Site

CALLS, QUEUES, AGENTS, SKILLS_EACH = 100_000, 20, 250, 5
START_S, HOURS = 8 * 3600.0, 12
LIMIT_S = 20.0


def plan() -> Plan:
    """At an occupancy of about 0.83."""
    skills = [f"s{n}" for n in range(QUEUES)]
    agents = {
        f"a{n}": {
            "contact": f"sip:a{n}@127.0.0.1",
            "skills": {skills[(7 * n + 3 * k) % QUEUES]: 1 + (n + k) % 10 for k in range(SKILLS_EACH)},
        }
        for n in range(AGENTS)
    }
    queues = {f"q{n}": {"needs": f"s{n} >= 3", "wrap_up_s": 20, "max_wait_s": 300} for n in range(QUEUES)}
    site = Site.model_validate(
        {"site": "day", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "agents": agents, "queues": queues}
    )
    length_s = HOURS * 3600.0
    spans = {name: [Span(START_S, START_S + length_s, CALLS / QUEUES / length_s)] for name in queues}
    demand = Demand(spans, others=Habits(Exponential(70.0), Exponential(120.0)))
    return Plan(site_with(site, site.agents), demand, always(agents))


def main() -> None:
    """Simulate the day."""
    day = plan()
    callers = day.demand.callers(Streams(1))
    gc.disable()
    wall, cpu = time.perf_counter(), time.process_time()
    found = run_day(day, callers, Streams(1)).all()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    checks = Checks()
    checks.that(f"a day of {len(callers):,} calls takes at most {LIMIT_S:g} s", cpu <= LIMIT_S,
                f"{cpu:.1f} s of CPU, {wall:.1f} s by the clock; {1e6 * cpu / len(callers):.0f} us a call")  # fmt: skip
    checks.that("every call has an end", found.offered == found.answered + found.abandoned + found.overflowed,
                f"{found.answered:,} answered, {found.abandoned:,} hung up, {found.overflowed:,} sent on")  # fmt: skip
    Console().print(checks.table())
    raise typer.Exit(0 if checks.ok else 1)


if __name__ == "__main__":
    typer.run(main)
