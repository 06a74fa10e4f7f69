"""Answers with very many rows."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cti import replies

ROWS = 100


async def test_a_list_is_a_member_more() -> None:
    several: list[list[dict[str, Any]]] = [[], [{"name": "a"}], [{"name": "ä"}, {"name": "b", "n": None}]]
    for body in ({}, {"at": 1.5, "by": "queue"}):
        for rows in several:
            answer = await replies.reply_with(body, "rows", rows)
            assert json.loads(answer.text or "") == {**body, "rows": rows}


async def test_others_come_between_very_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row takes a millisecond by this clock."""
    ticks = itertools.count()
    monkeypatch.setattr(replies, "time", SimpleNamespace(perf_counter=lambda: next(ticks) / 1000))
    made = 0
    seen = []

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal made
        for made in range(1, ROWS + 1):
            yield {"n": made}

    async def others() -> None:
        while True:
            seen.append(made)
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    answer = await replies.reply_with({}, "rows", rows())
    task.cancel()
    assert json.loads(answer.text or "") == {"rows": [{"n": n} for n in range(1, ROWS + 1)]}
    assert max(after - before for before, after in itertools.pairwise([0, *seen, ROWS])) < 10
