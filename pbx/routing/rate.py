"""Token buckets, one float each.

A bucket that holds `burst` tokens and gets `rate_per_s` of them is told by the one time at which it will be full again
(the theoretical arrival time of ATM's cell rate algorithm, ITU-T I.371 annex A). A bucket that is full needs no memory
at all, so forgetting the one used longest ago costs nothing once it had its time to fill.
"""

from __future__ import annotations


class Rates:
    """Buckets by key, at most 2 x `limit` of them, in two generations: whoever was not heard of for a whole generation
    is forgotten, and starts with a full bucket."""

    __slots__ = ("_current", "_depth_s", "_limit", "_previous", "_token_s")

    def __init__(self, rate_per_s: float, burst: float, limit: int = 10_000) -> None:
        self._limit = limit
        self.reconfigure(rate_per_s, burst)

    def reconfigure(self, rate_per_s: float, burst: float) -> None:
        """Another rate; every bucket is full then."""
        self._current: dict[str, float] = {}  # key -> when its bucket is full
        self._previous: dict[str, float] = {}
        self._token_s = 1.0 / rate_per_s
        self._depth_s = (burst - 0.99) / rate_per_s  # a hundredth of a token for sums of floats that are not exact

    def __len__(self) -> int:
        return len(self._current) + len(self._previous)

    def take(self, key: str, now: float) -> bool:
        """Take a token; False if there is none."""
        full_at = self._current.get(key)
        if full_at is None:
            full_at = self._meet(key, now)
        wait_s = full_at - now
        if wait_s <= 0.0:
            self._current[key] = now + self._token_s
            return True
        if wait_s > self._depth_s:
            return False
        self._current[key] = full_at + self._token_s
        return True

    def _meet(self, key: str, now: float) -> float:
        if len(self._current) >= self._limit:
            self._previous = self._current
            self._current = {}
        full_at = self._current[key] = self._previous.pop(key, now)
        return full_at
