"""What a decision costs with each of a queue's options: all queues of `acd_load.py` have it, one option at a time.

    python -m bench.acd_variants [NAME ...]

10,000 agents and 2,000 who wait. CPU of the engine's thread.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
from collections.abc import Mapping
from typing import Final

from bench.acd import WANTED
from bench.acd_load import Load

_SETTLE, _RELEASES = 300, 1500
_AWAY: Final = "queue all"

VARIANTS: Final[Mapping[str, Mapping[str, object]]] = {
    "longest idle alone": {},
    "least occupied": {"strategy": "least occupied"},
    "most skilled": {"strategy": "most skilled"},
    "ring progressively": {"strategy": "ring progressively"},
    "relax": {"relax": [{"after_s": 5, "needs": "s1 or s2"}, {"after_s": 10, "needs": "s1 or s2 or s3 or s4"}]},
    "prefer": {"prefer": {"last_agent_days": 30, "wait_s": 30}},
    "borrow, service_level": {"borrow": {"when": "service_level < 70 %", "agents_of": ["all"], "needs": "s0 >= 9"}},
    "borrow, ewt": {"borrow": {"when": "ewt > 100h", "agents_of": ["all"], "needs": "s0 >= 9"}},
    "leave, waited": {"leave": [{"when": "waited > 50m", "to": _AWAY}]},
    "leave, ewt": {"leave": [{"when": "ewt > 100h", "to": _AWAY}]},
    "enter, ewt": {"enter": [{"when": "ewt > 100h", "to": _AWAY}]},
    "together": {"assign": "together"},
}


def measure(name: str) -> None:
    """In a process of its own."""
    load = Load(*WANTED, more=VARIANTS[name])
    gc.collect()
    gc.freeze()
    gc.disable()
    load.fill()
    for _ in load.run(_SETTLE):
        pass
    load.forget_times()
    for _ in load.run(_RELEASES):
        pass
    decided, ticks = load.decided, load.times.get("tick")
    call_ms = sum(times.total_s for times in load.times.values()) / _RELEASES * 1000
    quantiles = ", ".join(f"{decided.at(share):.3f}" for share in (0.5, 0.99, 0.999))
    tick = f"{ticks.at(1):.1f}" if ticks else "none"
    sys.stdout.write(f"| `{name}` | {quantiles} | {decided.at(1):.1f} | {tick} | {call_ms:.2f} |\n")
    sys.stdout.flush()


def main() -> None:
    names = sys.argv[1:] or list(VARIANTS)
    sys.stdout.write("| option | decision p50, p99, p99.9 ms | longest ms | longest tick ms | whole call ms |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    sys.stdout.flush()
    context = multiprocessing.get_context("spawn")
    for name in names:
        process = context.Process(target=measure, args=(name,))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
