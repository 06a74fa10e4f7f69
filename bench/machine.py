"""The machine a figure was taken on, and how fast it was just then.

A host shared with others does the same work for up to 1.7 times the CPU time at one hour as at another: figures of two
runs are compared with their paces beside them.
"""

from __future__ import annotations

import json
import os
import platform
import random
import sys
import time

_RECORDS, _VISITS, _ROUNDS = 30_000, 6_000, 7


def pace_ms() -> float:
    """CPU ms of a fixed piece of work like the server's, the median of some rounds: texts taken apart, dictionaries
    filled, JSON, over more memory than the caches have. Blocks for a second or some."""
    dice = random.Random(1)
    lines = [
        "\r\n".join(f"Header-{n}: {one};tag={dice.random()}" for n in range(6)) for one in range(_RECORDS // 10)
    ]
    records = [{"id": one, "text": lines[one % len(lines)], "seen": []} for one in range(_RECORDS)]
    order = dice.choices(range(_RECORDS), k=_VISITS)
    return sorted(_round(records, order) for _ in range(_ROUNDS))[_ROUNDS // 2]


def _round(records: list[dict[str, object]], order: list[int]) -> float:
    begun_s = time.process_time()
    for number in order:
        record = records[number]
        headers = dict(line.split(": ", 1) for line in str(record["text"]).split("\r\n"))
        record["seen"] = [value.partition(";tag=")[2] for value in headers.values()]
        json.dumps(record)
    return (time.process_time() - begun_s) * 1000


def facts() -> dict[str, str]:
    """For a report."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()}, {os.path.realpath(sys.executable)}",
        "pace": f"{pace_ms():.0f} ms (CPU of a fixed piece of work: bench/machine.py)",
    }
