"""What the journal costs: `python tests/store/cost.py [URL]`. CPU of the whole process, database thread included.

600 calls/s for some seconds, six events each (a bridged call without queue), against the same loop without journal.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections import Counter

from pbx.call.events import CallAnswered, CallConnected, CallEnded, CallStarted, LegEnded, LegStarted
from pbx.store.journal import Journal

CALLS_PER_S = 600
SECONDS = 8


def call_events(number: int) -> list[object]:
    at, call_id = 1.7e9 + number / CALLS_PER_S, f"{number * 2654435761 % 2**32:08x}-{number:08x}"
    return [
        CallStarted(at, call_id, "inbound", "+33612345678", "+33140000001", "carrier", "extension 101", f"{call_id}@x"),
        LegStarted(at, call_id, 2, "sip:101@127.0.0.1:5062", None),
        CallAnswered(at, call_id),
        CallConnected(at, call_id, 2, None),
        LegEnded(at, call_id, 2, 200, "callee hung up"),
        CallEnded(at, call_id, "callee hung up", 200, 150, 150, 0, 1.25),
    ]


async def load(journal: Journal | None) -> tuple[float, float]:
    """CPU seconds in all, and microseconds for each append."""
    calls = [call_events(number) for number in range(CALLS_PER_S * SECONDS)]
    cpu, start, sent, appending = time.process_time(), time.perf_counter(), 0, 0.0
    while sent < len(calls):
        due = min(len(calls), int((time.perf_counter() - start) * CALLS_PER_S))
        before = time.perf_counter()
        for events in calls[sent:due]:
            for event in events:
                if journal is not None:
                    journal.append(event)
        appending += time.perf_counter() - before
        sent = due
        await asyncio.sleep(0.005)
    if journal is not None:
        await journal.flush()
    return time.process_time() - cpu, appending / len(calls) / 6 * 1e6


async def main() -> None:
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/cost.db"
        counters: Counter[str] = Counter()
        journal = Journal(url, 100_000, counters)
        await journal.open()
        idle, _ = await load(None)
        busy, append_us = await load(journal)
        await journal.close()
    calls = CALLS_PER_S * SECONDS
    sys.stdout.write(
        f"{(busy - idle) / calls * 1e3:.4f} ms a call, {(busy - idle) / calls / 6 * 1e6:.1f} us a row, "
        f"append {append_us:.2f} us, {counters['journal_batches']} batches, "
        f"{counters['journal_written']} rows, {counters['cdr_written']} call records, garbage {gc.collect()}\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
