"""Windows of figures: the sums kept are the sums of what was counted, whatever the times."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from acd.figures import AGENTS, CALLS, HOUR_S, INTERVAL_S, Days, Series

ZONE = "Europe/Paris"


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 50)), min_size=1, max_size=60),
    st.sampled_from([60, 300, 900]),
    st.integers(0, 8_000),
)
def test_windows_intervals_and_days_are_sums_of_what_was_counted(
    steps: list[tuple[int, int]], slice_s: int, later: int
) -> None:
    days, at, closed = Days(ZONE), 1_795_300_000.0, dict[int, list[int]]()
    series = Series.begin(2, slice_s, at, days.end(at), longest=1)
    counted: list[tuple[float, int]] = []
    for wait, n in steps:
        at += wait
        if (ended := series.roll(at, days.end(at))) is not None:
            closed[ended[0]] = ended[1]
        series.current[0] += n
        series.current[1] = max(series.current[1], n)
        counted.append((at, n))
        for now in (at, at + later):
            for span in (INTERVAL_S, HOUR_S):
                since = (now // slice_s + 1) * slice_s - span
                seen = [n for when, n in counted if when >= since]
                assert series.window(span, now) == [sum(seen), max(seen, default=0)]
            since = days.end(now) - 86_400
            seen = [n for when, n in counted if when >= since]
            assert series.today(now) == [sum(seen), max(seen, default=0)]
    start, row, _ = series.now()
    closed[start] = row
    for begin, figures in closed.items():
        seen = [n for when, n in counted if begin <= when < begin + INTERVAL_S]
        assert figures == [sum(seen), max(seen)]
    assert sum(row[0] for row in closed.values()) == sum(n for _, n in counted)
    assert len(series.slices) <= HOUR_S // slice_s


def test_dispositions_of_an_interval_and_of_today() -> None:
    days, at = Days(ZONE), 1_795_300_000.0
    series = Series.begin(2, 60, at, days.end(at))
    series.note("sold", None)
    series.note("lost", "sold")
    assert series.now()[2] == series.dispositions(at) == {"lost": 1}
    start = int(at // 900) * 900
    assert series.roll(at + 900, days.end(at)) == (start, [0, 0], {"lost": 1}), "nothing else was counted"
    series.note("sold", "lost")
    assert (series.now()[2], series.dispositions(at)) == ({"sold": 1, "lost": -1}, {"sold": 1})
    series.note("lost", "sold")
    assert series.roll(at + 1_800, days.end(at)) is None, "it is as it was"
    assert series.dispositions(days.end(at)) == {} and not series.idle(at) and series.idle(days.end(at) + 3_600)
    series.roll(days.end(at), days.end(days.end(at)))
    assert series.noted_today == {}


def test_names_are_bounded_and_what_was_other_is_taken_from_there() -> None:
    series = Series.begin(1, 60, 0.0, 86_400.0)
    for number in range(40):
        series.note(f"d{number}", None)
    series.note("d0", "d39")
    series.note("d38", "d0")
    found = series.dispositions(0.0)
    assert len(found) == 33 and (found["d0"], found["d31"], found["other"]) == (1, 1, 8)


def test_days_end_at_midnight_also_when_clocks_change() -> None:
    days = Days(ZONE)
    for date, hours in ((dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25), (dt.date(2026, 11, 22), 24)):
        start = dt.datetime.combine(date, dt.time(), ZoneInfo(ZONE)).timestamp()
        assert days.end(start) == days.end(start + 3_600 * hours - 1) == start + 3_600 * hours
        assert days.end(start - 1) == start


def test_columns_have_names_of_their_own() -> None:
    assert len(set(CALLS)) == len(CALLS) and len(set(AGENTS)) == len(AGENTS)
