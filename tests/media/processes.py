"""Waiting for processes to come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path


async def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    for _ in range(round(within_s / 0.005)):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen in time")


def alive(pid: int) -> bool:
    """Running, and not a zombie that waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
