"""What is counted, and over which spans of time: sliding quarter and full hour, the interval, the day.

Figures are whole numbers (times in milliseconds), so that sums are exact in whatever order they are made, here and in
the database. A row of figures is a list, its columns are named by `CALLS` and `AGENTS`.

    minute minute ... minute | current        `quarter` and `hour` are the sums of the closed slices in the window, kept
    <------- quarter ------->|                as slices close and expire: counting touches the current slice alone, and
    <------------ hour ------|                nothing is ever added up over many slices
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass, field
from typing import Final

INTERVAL_S: Final = 900
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
MOST_NAMED: Final = 32  # dispositions, reasons that counts are told apart by; the others are "other"
OTHER: Final = "other"
ESTIMATE_NEAR_S: Final = 30.0  # an estimate of the wait that is not further off is counted as near

#: Of a queue and a channel, or of a skill.
CALLS: Final = (
    "offered", "answered", "answered_in_time", "abandoned", "abandoned_short", "overflowed", "turned_away",
    "called_back", "resumed", "completed", "transferred", "offers", "missed", "unreachable", "waited_ms",
    "abandon_waited_ms", "overflow_waited_ms", "longest_ms", "talked_ms", "wrap_up_ms", "estimates",
    "estimates_near", "estimate_error_ms", "estimate_off_ms",
)  # fmt: skip
(
    OFFERED, ANSWERED, IN_TIME, ABANDONED, SHORT, OVERFLOWED, TURNED_AWAY,
    CALLED_BACK, RESUMED, COMPLETED, TRANSFERRED, OFFERS, MISSED, UNREACHABLE, WAITED,
    ABANDON_WAITED, OVERFLOW_WAITED, LONGEST, TALKED, WRAPPED, ESTIMATES,
    NEAR, ERROR, OFF,
) = range(len(CALLS))  # fmt: skip

#: Of an agent.
AGENTS: Final = (
    "offers", "answered", "no_answer", "rejected", "busy", "unreachable", "completed", "transferred", "received",
    "talked_ms", "ready_ms", "reserved_ms", "busy_ms", "wrap_up_ms", "not_ready_ms",
)  # fmt: skip
(
    A_OFFERS, A_ANSWERED, A_NO_ANSWER, A_REJECTED, A_BUSY, A_UNREACHABLE, A_COMPLETED, A_TRANSFERRED, A_RECEIVED,
    A_TALKED, A_READY_MS, A_RESERVED_MS, A_BUSY_MS, A_WRAP_UP_MS, A_NOT_READY_MS,
) = range(len(AGENTS))  # fmt: skip

Row = list[int]
Named = dict[str, int]  # counts by names that a site or its people choose
NOTHING: Final[Row] = [0] * len(CALLS)


def ms(seconds: float) -> int:
    return round(seconds * 1000)


@dataclass(slots=True)
class Days:
    """Midnights of a time zone."""

    zone: str
    start: float = 0.0
    ends: float = 0.0

    def end(self, at: float) -> float:
        """The midnight after `at`, seconds since 1970."""
        if not self.start <= at < self.ends:
            zone = zoneinfo.ZoneInfo(self.zone)
            today = dt.datetime.fromtimestamp(at, zone).date()
            # The date, not 24 hours: on two days of the year it is another number.
            self.start, self.ends = (
                dt.datetime.combine(date, dt.time(), zone).timestamp() for date in (today, today + dt.timedelta(1))
            )
        return self.ends


@dataclass(slots=True)
class Series:
    """The figures of one thing. Time only goes on; `roll` before counting into `current`."""

    width: int  # columns
    slice_s: int  # divides `INTERVAL_S`
    longest: int | None  # the column that is a maximum, not a sum
    slot: int  # number of the current slice
    day_ends: float
    current: Row = field(default_factory=list)
    slices: dict[int, Row] = field(default_factory=dict)  # closed ones of an hour with anything counted, oldest first
    quarter: Row = field(default_factory=list)  # this and all below: sums of closed slices
    hour: Row = field(default_factory=list)
    interval: Row = field(default_factory=list)
    day: Row = field(default_factory=list)
    noted: Named = field(default_factory=dict)  # by disposition, in the interval
    noted_today: Named = field(default_factory=dict)

    @classmethod
    def begin(cls, width: int, slice_s: int, at: float, day_ends: float, longest: int | None = None) -> Series:
        """Nothing counted yet."""
        return cls(width, slice_s, longest, int(at // slice_s), day_ends, [0] * width, {}, *_zeros(width))

    def holds(self, at: float) -> bool:
        """Whether the current slice is the one of `at`, or a later one: `roll` would do nothing."""
        return at < (self.slot + 1) * self.slice_s

    def note(self, disposition: str, before: str | None) -> None:
        """One more, in the place of the one noted before: in another interval, that one has one less than none."""
        for noted in (self.noted, self.noted_today):
            add_named(noted, disposition, 1)
            if before is not None:
                add_named(noted, before, -1)

    def roll(self, at: float, day_ends: float) -> tuple[int, Row, Named] | None:
        """Go on to the slice of `at`. If that ends an interval in which anything was counted: its start, its figures
        and dispositions."""
        slot = int(at // self.slice_s)
        if slot <= self.slot:
            return None
        before, done = self.slot, self.current
        if any(done):
            self.slices[before] = done
            for total in (self.quarter, self.hour, self.interval, self.day):
                self._add(total, done)
            self.current = [0] * self.width
        self.slot = slot
        self._expire(before)
        if at >= self.day_ends:
            self.day = [0] * self.width
            self.noted_today = {}
            self.day_ends = day_ends
        started = before * self.slice_s // INTERVAL_S
        if slot * self.slice_s // INTERVAL_S == started:
            return None
        ended, noted = self.interval, some(self.noted)
        self.interval, self.noted = [0] * self.width, {}
        return (started * INTERVAL_S, ended, noted) if any(ended) or noted else None

    def window(self, span_s: int, at: float) -> Row:
        """The figures of the last `span_s` (`INTERVAL_S` or `HOUR_S`): of this slice and as many before as make it up.
        Nothing is changed."""
        many = span_s // self.slice_s
        first = max(int(at // self.slice_s), self.slot) - many + 1
        total = [0] * self.width
        if self.slot >= first:
            closed = self.quarter if span_s == INTERVAL_S else self.hour
            total = [a + b for a, b in zip(closed, self.current, strict=True)]
            for gone in range(self.slot - many + 1, first):
                if (row := self.slices.get(gone)) is not None:
                    total = [a - b for a, b in zip(total, row, strict=True)]
        if self.longest is not None:
            column = self.longest
            waits = [row[column] for slot, row in self.slices.items() if slot >= first]
            total[column] = max((*waits, self.current[column] if self.slot >= first else 0))
        return total

    def today(self, at: float) -> Row:
        """The figures since midnight."""
        return [0] * self.width if at >= self.day_ends else self._with_current(self.day)

    def dispositions(self, at: float) -> Named:
        """Those since midnight."""
        return {} if at >= self.day_ends else some(self.noted_today)

    def idle(self, at: float) -> bool:
        """Nothing was counted today, nor in the last hour."""
        return not (self.slices or any(self.current) or any(self.today(at)) or self.dispositions(at))

    def now(self) -> tuple[int, Row, Named]:
        """Start, figures and dispositions of the interval at work: of an earlier one if nothing was counted since."""
        start = self.slot * self.slice_s // INTERVAL_S * INTERVAL_S
        return start, self._with_current(self.interval), some(self.noted)

    def _with_current(self, total: Row) -> Row:
        total = total.copy()
        self._add(total, self.current)
        return total

    def _add(self, total: Row, row: Row) -> None:
        add(total, row, self.longest)

    def _expire(self, before: int) -> None:
        """Take out of the sums what the windows left behind when `slot` came after `before`."""
        for total, many in ((self.quarter, INTERVAL_S // self.slice_s), (self.hour, HOUR_S // self.slice_s)):
            for slot in range(before - many + 1, min(self.slot - many, before) + 1):
                if (row := self.slices.get(slot)) is not None:
                    for i, n in enumerate(row):
                        total[i] -= n
        horizon = self.slot - HOUR_S // self.slice_s
        for slot in [slot for slot in self.slices if slot <= horizon]:
            del self.slices[slot]


def add(total: Row, row: Row, longest: int | None = None) -> None:
    """Into `total`; column `longest` is a maximum."""
    most = 0 if longest is None else max(total[longest], row[longest])
    for i, n in enumerate(row):
        if n:
            total[i] += n
    if longest is not None:
        total[longest] = most


def add_named(counts: Named, name: str, n: int) -> None:
    """Names stay, also at none: what was counted as `OTHER` is taken from there again."""
    if name not in counts and len(counts) >= MOST_NAMED:
        name = OTHER
    counts[name] = counts.get(name, 0) + n


def some(counts: Named) -> Named:
    return {name: n for name, n in counts.items() if n}


def _zeros(width: int) -> tuple[Row, Row, Row, Row]:
    return [0] * width, [0] * width, [0] * width, [0] * width
