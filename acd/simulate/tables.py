"""The tables (CSV) a simulation is told by: calls, calls by time of day, shifts, times. Text in, values or every
mistake with its line out."""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from acd.simulate.demand import Arrival, Span, profile
from acd.simulate.words import A_CLOCK, A_DURATION, WordError, clock_s, duration_s
from config.errors import Problem, SiteError
from config.suggestion import did_you_mean

MAX_ROWS = 2_000_000
MAX_PROBLEMS = 50  # told of one file
_T = TypeVar("_T")
_A_CALL = "the columns time and queue (patience_s, talk_s; any other is an attribute of the calls)"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value and where it stands."""

    text: str
    line: int
    column: int


class Table:
    """Rows of cells below a line of headings; mistakes are collected until `done`."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self._problems: list[Problem] = []
        lines = text.removeprefix("\ufeff").splitlines()
        self._rows = [row for row in _read(lines, self._unreadable) if any(cell.text for cell in row)]
        self.headings = self._rows[0] if self._rows else []

    def names(self) -> list[str]:
        return [cell.text for cell in self.headings]

    def rows(self) -> Iterator[dict[str, Cell]]:
        """Those with as many cells as there are headings; the others are mistakes."""
        names = self.names()
        if len(self._rows) > MAX_ROWS:
            self.wrong(self._rows[MAX_ROWS][0], f"at most {MAX_ROWS:,} rows", f"{len(self._rows):,}")
        for row in self._rows[1 : MAX_ROWS + 1]:
            if len(row) == len(names):
                yield dict(zip(names, row, strict=True))
            else:
                self.wrong(row[0], f"{len(names)} values: {', '.join(names)}", str(len(row)))

    def read(self, cell: Cell, how: Callable[[str], _T]) -> _T | None:
        """What the cell says; None, and a mistake more, if it can't be read."""
        try:
            return how(cell.text)
        except WordError as error:
            self.wrong(cell, error.expected, error.found or "nothing")
            return None

    def known(self, cell: Cell, names: Collection[str], what: str) -> bool:
        if cell.text in names:
            return True
        self.wrong(cell, f"{what} of the site", cell.text or "nothing", did_you_mean(cell.text, names))
        return False

    def needs(self, columns: Sequence[str], expected: str) -> bool:
        """Whether all these columns are there, and none twice."""
        names = self.names()
        at = self.headings[0] if self.headings else Cell("", 1, 1)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not set(columns) <= set(names):
            found = f"{twice[0]} twice" if twice else ", ".join(names) or "an empty file"
            self.wrong(at, expected, found)
            return False
        return True

    def wrong(self, cell: Cell, expected: str, found: str, hint: str = "") -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(self.file, cell.line, cell.column, "", found, expected, hint))

    def done(self) -> None:
        """Raises SiteError with all mistakes, if there are any."""
        if self._problems:
            raise SiteError(self._problems)

    def _unreadable(self, line: int, why: str) -> None:
        self.wrong(Cell("", line, 1), "comma-separated values", why)


def _read(lines: Sequence[str], wrong: Callable[[int, str], None]) -> Iterator[list[Cell]]:
    reader = csv.reader(lines, strict=True)
    while True:
        first = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            wrong(reader.line_num, str(error))
            return
        cells, column = [], 1
        for text in row:
            cells.append(Cell(text.strip(), first + 1, column))
            column += len(text) + 1
        if not (row and row[0].lstrip().startswith("#")):
            yield cells


# --- calls ----------------------------------------------------------------------------------------------------------


def arrivals(text: str, file: str, queues: Collection[str]) -> tuple[list[Arrival], dt.date | None]:
    """Calls, in order, and the day of the first if times are dates. Raises SiteError."""
    table = Table(text, file)
    found: list[Arrival] = []
    first_day: dt.date | None = None
    if table.needs(("time", "queue"), _A_CALL):
        others = [name for name in table.names() if name not in ("time", "queue", "patience_s", "talk_s")]
        for row in table.rows():
            moment = table.read(row["time"], moment_of)
            there = table.known(row["queue"], queues, "a queue")
            patience = _optional(table, row, "patience_s", patience_s)
            talk = _optional(table, row, "talk_s", duration_s)
            if moment is None or not there:
                continue
            day, at = moment
            if day is not None:
                first_day = min(first_day or day, day)
            values = {name: plain(row[name].text) for name in others if row[name].text}
            known = Arrival(at, row["queue"].text, values or None, patience, talk)
            found.append(known if day is None else _on(known, day))
    table.done()
    if not found:
        raise SiteError([Problem(file, 1, 1, "", "none", "at least one call below the headings")])
    if first_day is not None:
        offset = _MIDNIGHTS * first_day.toordinal()
        found = [_moved(one, offset) for one in found]
    return sorted(found, key=lambda one: one.at), first_day


_MIDNIGHTS = 86_400.0


def _on(one: Arrival, day: dt.date) -> Arrival:
    return _moved(one, -_MIDNIGHTS * day.toordinal())


def _moved(one: Arrival, earlier_s: float) -> Arrival:
    return Arrival(one.at - earlier_s, one.queue, one.attributes, one.patience_s, one.talk_s, one.waited_s)


def _optional(table: Table, row: dict[str, Cell], name: str, how: Callable[[str], float]) -> float | None:
    cell = row.get(name)
    return table.read(cell, how) if cell is not None and cell.text else None


def moment_of(text: str) -> tuple[dt.date | None, float]:
    """`09:15:30`, `2026-11-21T09:15:30`, or seconds from midnight. Raises WordError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return None, float(text)
    if re.match(r"\d{4}-", text):
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is not None:
            raise WordError("a local date and time as 2026-11-21T09:15:30", text)
        midnight = dt.datetime.combine(moment.date(), dt.time())
        return moment.date(), (moment - midnight).total_seconds()
    try:
        return None, clock_s(text)
    except WordError:
        raise WordError(f"{A_CLOCK}, a date and time, or seconds from midnight", text) from None


def patience_s(text: str) -> float:
    """Raises WordError."""
    if text == "never":
        return math.inf
    try:
        return duration_s(text)
    except WordError:
        raise WordError(f"{A_DURATION}, or never", text) from None


def plain(text: str) -> str | int | float:
    """Numbers are numbers, as in the site file."""
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    return text


# --- calls by time of day -------------------------------------------------------------------------------------------


def day_profile(text: str, file: str, queues: Collection[str]) -> dict[str, list[Span]]:
    """`time,asia,europe`: calls of each queue in the interval that begins then. Raises SiteError."""
    table = Table(text, file)
    rows: dict[str, list[tuple[float, float]]] = {}
    if table.needs(("time",), "the columns time and one for each queue"):
        named = [cell for cell in table.headings if cell.text != "time"]
        if not named:
            table.wrong(table.headings[0], "a column for each queue beside time", "none")
        there = [cell.text for cell in named if table.known(cell, queues, "a queue")]
        before = -1.0
        for row in table.rows():
            at = table.read(row["time"], clock_s)
            if at is None:
                continue
            if at <= before:
                table.wrong(row["time"], "times that go on", row["time"].text)
            before = at
            for name in there:
                calls = table.read(row[name], _calls)
                if calls is not None:
                    rows.setdefault(name, []).append((at, calls))
    table.done()
    spans = {name: profile(one) for name, one in rows.items()}
    if not any(spans.values()):
        raise SiteError([Problem(file, 1, 1, "", "none", "an interval with calls below the headings")])
    return {name: one for name, one in spans.items() if one}


def _calls(text: str) -> float:
    try:
        calls = float(text or 0)
    except ValueError:
        calls = -1.0
    if not 0 <= calls < 1e7:
        raise WordError("a number of calls", text)
    return calls


# --- agents ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Duty:
    """So many agents like this one work from `start` to `end`; `count` None: he himself."""

    agent: str
    start: float
    end: float
    count: int | None = None


def shifts(text: str, file: str, agents: Collection[str]) -> list[Duty]:
    """`agent,from,to`, and perhaps `count`. Over midnight: until 26:00. Raises SiteError."""
    table = Table(text, file)
    found: list[Duty] = []
    expected = "the columns agent, from and to (and count, for so many like that agent)"
    if table.needs(("agent", "from", "to"), expected):
        for cell in table.headings:
            if cell.text not in ("agent", "from", "to", "count"):
                table.wrong(cell, expected, cell.text or "a column without a name")
        for row in table.rows():
            there = table.known(row["agent"], agents, "an agent")
            start, end = table.read(row["from"], clock_s), table.read(row["to"], clock_s)
            count = _optional(table, row, "count", _count)
            if start is not None and end is not None and end <= start:
                table.wrong(row["to"], f"a time after {row['from'].text}", row["to"].text)
            elif there and start is not None and end is not None:
                found.append(Duty(row["agent"].text, start, end, None if count is None else int(count)))
    table.done()
    if not found:
        raise SiteError([Problem(file, 1, 1, "", "none", "at least one shift below the headings")])
    return found


def _count(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}", text):
        raise WordError("a number of agents", text)
    return float(text)


def times(text: str, file: str) -> list[float]:
    """The first column: times, one a line, with or without a heading. Raises SiteError."""
    found: list[float] = []
    problems: list[Problem] = []
    for line, whole in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        word = whole.partition(",")[0].strip()
        if not word or word.startswith("#") or (line == 1 and not word[:1].isdigit()):
            continue
        try:
            found.append(duration_s(word))
        except WordError as error:
            problems.append(Problem(file, line, 1, "", error.found, error.expected))
    if problems:
        raise SiteError(problems[:MAX_PROBLEMS])
    if not found:
        raise SiteError([Problem(file, 1, 1, "", "none", "at least one time")])
    return found
