"""What statistics cost: `python -m tests.acd.measure_statistics`. CPU per call and per event of a plausible mix."""

from __future__ import annotations

import sys
import time

from acd.estimate import Measured
from acd.events import AgentStateChanged, ItemCompleted, ItemConnected, ItemQueued, ItemReserved
from acd.figures import Days
from acd.statistics import Statistics

CALLS = 50_000
QUEUES, AGENTS = 200, 2_000


def main() -> None:
    events: list[object] = []
    for i in range(CALLS):
        at, call, queue, agent = 1_795_300_000.0 + i / 50, f"c{i}", f"q{i % QUEUES}", f"a{i % AGENTS}"
        events += [
            ItemQueued(at, call, queue, {}, 0.0, skills=("french",)),
            ItemReserved(at, call, queue, agent, i, 0.0, ""),
            AgentStateChanged(at, agent, "RESERVED", None, call),
            ItemConnected(at, call, queue, agent, 4.0),
            AgentStateChanged(at, agent, "BUSY", None, call),
            ItemCompleted(at, call, queue, agent, 60.0, "caller"),
            AgentStateChanged(at, agent, "WRAP_UP", None, call),
            AgentStateChanged(at, agent, "READY", None, None),
        ]
    for fold in (Statistics(Days("Europe/Paris")), Measured()):
        begun = time.process_time()
        for event in events:
            fold.add(event)  # type: ignore[arg-type]
        spent = time.process_time() - begun
        per_call, per_event = 1e6 * spent / CALLS, 1e6 * spent / len(events)
        sys.stdout.write(f"{type(fold).__name__}: {per_call:.1f} us a call, {per_event:.2f} us an event\n")


if __name__ == "__main__":
    main()
