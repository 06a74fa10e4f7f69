"""How long an input may take."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 8  # caches may be cold, another guest of the host may have had the core: what is slow is slow each time


class TooSlow(Exception):
    """An input that costs more than it may."""


def checked(target: Callable[[bytes], None], data: bytes, limit_s: float) -> None:
    """Run the target; TooSlow if it takes longer than `limit_s` every time."""
    best = float("inf")
    for _ in range(TRIES):
        began = time.thread_time()
        target(data)
        best = min(best, time.thread_time() - began)
        if best <= limit_s:
            return
    raise TooSlow(f"{len(data)} bytes took {best * 1000:.1f} ms, {data[:60]!r} ...")
