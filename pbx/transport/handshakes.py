"""How many TLS handshakes are borne, from all sources together: each costs as much as the signalling of a call, before
anything is known of who asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.transport.stream import Stream
    from pbx.transport.streams import Limits

SLOW_S = 1.0  # how long one may take when others wait for its place; a phone far away needs a third of it


class Handshakes:
    """Those under way, the oldest first, and how many more may begin in this second."""

    __slots__ = ("_filled_at", "_tokens", "_under_way")

    def __init__(self) -> None:
        self._under_way: dict[Stream, float] = {}  # -> when it began
        self._tokens = float("inf")
        self._filled_at = 0.0

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, stream: Stream, limits: Limits, now: float) -> bool:
        """Whether one more may be."""
        rate = limits.handshakes_per_s
        self._tokens = min(rate, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1 or len(self._under_way) >= limits.handshakes_at_once:
            return False
        self._tokens -= 1
        self._under_way[stream] = now
        return True

    def slowest(self, limits: Limits, now: float) -> Stream | None:
        """The one that has to make room for the next: all places are taken, and it has had its time."""
        if len(self._under_way) < limits.handshakes_at_once:
            return None
        stream, began = next(iter(self._under_way.items()))
        return stream if now - began > SLOW_S else None

    def over(self, stream: Stream) -> None:
        """It has succeeded or failed, or was none."""
        self._under_way.pop(stream, None)
