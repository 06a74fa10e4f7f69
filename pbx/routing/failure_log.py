"""Which authentication failures get a line in the log: the first few of a source each minute, then how many more.

A guesser tries a thousand times a second; fail2ban and people need to be told once. Whatever is not told is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pbx.sip.hop import Hop

LINES: Final = 10  # of one source in a period
PERIOD_S: Final = 60.0
MAX_SOURCES: Final = 1000  # that get lines in a period; failures of others are only counted


@dataclass(slots=True)
class _Untold:
    count: int
    user: str
    source: Hop
    method: str


class FailureLog:
    """`write(user, source, method, count)` makes a line; `count` is None for a single failure."""

    __slots__ = ("_lines", "_started", "_untold", "_write")

    def __init__(self, write: Callable[[str, Hop, str, int | None], None]) -> None:
        self._write = write
        self._started = 0.0
        self._lines: dict[str, int] = {}  # by host, in this period
        self._untold: dict[str, _Untold] = {}

    def note(self, user: str, source: Hop, method: str, now: float) -> None:
        """A failure."""
        self.turn(now)
        lines = self._lines.get(source.host, 0)
        if lines < LINES and (lines or len(self._lines) < MAX_SOURCES):
            self._lines[source.host] = lines + 1
            self._write(user, source, method, None)
            return
        untold = self._untold.get(source.host)
        if untold is not None:
            untold.count += 1
            untold.user, untold.source, untold.method = user, source, method
        elif len(self._untold) < MAX_SOURCES:
            self._untold[source.host] = _Untold(1, user, source, method)

    def turn(self, now: float) -> None:
        """End the period when it is over, with a line for each source that was cut short; to be called now and then."""
        if now - self._started < PERIOD_S:
            return
        self._started = now
        self._lines.clear()
        untold, self._untold = self._untold, {}
        for one in untold.values():
            self._write(one.user, one.source, one.method, one.count)
