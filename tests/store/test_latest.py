"""The writer of tables that say what is."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from pbx.store.latest import SLICE_ROWS, Key, LatestWriter
from pbx.store.tables import standing_calls


async def test_what_is_dropped_while_a_batch_is_made_is_no_failure(tmp_path: Path) -> None:
    """Calls that end while the loop serves them between two slices: the whole batch was tried again."""
    counters: Counter[str] = Counter()
    writer: LatestWriter[None] = LatestWriter(
        f"sqlite:///{tmp_path}/test.db", standing_calls, lambda key, value: ("{}",), counters, name="x", what="x"
    )
    keys: list[Key] = [(f"c{n}",) for n in range(2 * SLICE_ROWS)]
    for key in keys:
        writer.put(key, None)
    taken: dict[Key, None] = {}
    making = asyncio.create_task(writer._take(taken))
    await asyncio.sleep(0)  # it stands between two slices
    writer.drop(keys[-1])
    rows, gone = await making
    assert len(rows) == len(taken) == len(keys) - 1 and not gone
    await writer.close()
