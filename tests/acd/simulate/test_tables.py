"""What is read from CSV files, and what is said of those that can't be."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from acd.simulate.demand import Arrival, Span
from acd.simulate.tables import Duty, arrivals, day_profile, shifts, times
from config.errors import SiteError

QUEUES = ("asia", "europe")


def mistakes(read: object, text: str, *more: object) -> list[str]:
    assert callable(read)
    with pytest.raises(SiteError) as caught:
        read(text, "x.csv", *more)
    return [str(problem) for problem in caught.value.problems]


def test_arrivals_by_the_clock() -> None:
    text = "time,queue,basket,patience_s,talk_s,language\n09:00:05,asia,2000,30,3m,fr\n08:59,europe,,never,,007\n"
    found, day = arrivals(text, "x.csv", QUEUES)
    assert day is None
    assert found == [
        Arrival(8 * 3600 + 59 * 60, "europe", {"language": "007"}, math.inf, None),
        Arrival(9 * 3600 + 5, "asia", {"basket": 2000, "language": "fr"}, 30.0, 180.0),
    ]


def test_arrivals_by_date_count_from_the_first_days_midnight() -> None:
    text = "time,queue\n2026-11-22T00:30:00,asia\n2026-11-21T23:59:30.5,asia\n"
    found, day = arrivals(text, "x.csv", QUEUES)
    assert day == dt.date(2026, 11, 21)
    assert [one.at for one in found] == [86_400 - 29.5, 86_400 + 1800]
    assert found[0].attributes is None


def test_arrivals_in_seconds_comments_quotes_and_empty_lines() -> None:
    text = '\ufefftime,queue,destination\r\n# the morning\r\n\r\n1.5,"asia","a, b"\r\n'
    assert arrivals(text, "x.csv", QUEUES)[0] == [Arrival(1.5, "asia", {"destination": "a, b"})]


def test_every_mistake_is_told_at_its_place() -> None:
    text = "time,queue,patience_s\n9:00,asia,5\n9h,asai,5\n09:01,asia,-\n09:02,asia\n"
    assert mistakes(arrivals, text, QUEUES) == [
        "x.csv:3:1: expected a time of day as 08:30 or 08:30:15, a date and time, or seconds from midnight, found 9h",
        "x.csv:3:4: expected a queue of the site, found asai - did you mean asia?",
        "x.csv:4:12: expected a time as 90, 90s, 3m or 1h30m, or never, found -",
        "x.csv:5:1: expected 3 values: time, queue, patience_s, found 2",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.csv:1:1: expected the columns time and queue (patience_s, talk_s; any other is an attribute of the "
             "calls), found an empty file"),
        ("when,queue\n", "x.csv:1:1: expected the columns time and queue (patience_s, talk_s; any other is an "
                         "attribute of the calls), found when, queue"),
        ("time,queue,time\n", "x.csv:1:1: expected the columns time and queue (patience_s, talk_s; any other is an "
                              "attribute of the calls), found time twice"),
        ("time,queue\n", "x.csv:1:1: expected at least one call below the headings, found none"),
        ("time,queue\n2026-13-01T00:00,asia\n", "x.csv:2:1: expected a local date and time as 2026-11-21T09:15:30, "
                                                "found 2026-13-01T00:00"),
        ('time,queue\n1,"asia\n', "x.csv:2:1: expected comma-separated values, found unexpected end of data"),
    ],
)  # fmt: skip
def test_arrivals_that_are_none(text: str, said: str) -> None:
    assert mistakes(arrivals, text, QUEUES) == [said]


def test_a_day_by_intervals() -> None:
    found = day_profile("time,asia,europe\n08:00,30,0\n08:30,60,\n09:00,0,15\n", "x.csv", QUEUES)
    eight = 8 * 3600.0
    assert found == {
        "asia": [Span(eight, eight + 1800, 30 / 1800), Span(eight + 1800, eight + 3600, 60 / 1800)],
        "europe": [Span(eight + 3600, eight + 5400, 15 / 1800)],
    }


def test_what_is_wrong_with_a_day() -> None:
    text = "time,asia,eurpe\n08:00,1,1\n08:00,x,1\n"
    assert mistakes(day_profile, text, QUEUES) == [
        "x.csv:1:11: expected a queue of the site, found eurpe - did you mean europe?",
        "x.csv:3:1: expected times that go on, found 08:00",
        "x.csv:3:7: expected a number of calls, found x",
    ]
    assert mistakes(day_profile, "time\n08:00\n", QUEUES) == [
        "x.csv:1:1: expected a column for each queue beside time, found none"
    ]
    assert mistakes(day_profile, "time,asia\n08:00,0\n", QUEUES) == [
        "x.csv:1:1: expected an interval with calls below the headings, found none"
    ]


def test_shifts() -> None:
    found = shifts("agent,from,to,count\nann,08:00,12:00,\nben,20:00,26:00,3\n", "x.csv", ("ann", "ben"))
    assert found == [Duty("ann", 28_800.0, 43_200.0), Duty("ben", 72_000.0, 93_600.0, 3)]


def test_what_is_wrong_with_shifts() -> None:
    text = "agent,from,to,count\nanne,08:00,12:00,\nann,12:00,08:00,\nann,8,9:00,x\n"
    assert mistakes(shifts, text, ("ann",)) == [
        "x.csv:2:1: expected an agent of the site, found anne - did you mean ann?",
        "x.csv:3:11: expected a time after 12:00, found 08:00",
        "x.csv:4:5: expected a time of day as 08:30 or 08:30:15, found 8",
        "x.csv:4:12: expected a number of agents, found x",
    ]
    assert mistakes(shifts, "agent,from,to,how\nann,08:00,12:00,1\n", ("ann",)) == [
        "x.csv:1:15: expected the columns agent, from and to (and count, for so many like that agent), found how"
    ]


def test_times() -> None:
    assert times("talk_s\n30\n# long\n2m,ann\n", "x.csv") == [30.0, 120.0]
    assert mistakes(times, "30\nlong\n") == ["x.csv:2:1: expected a time as 90, 90s, 3m or 1h30m, found long"]
    assert mistakes(times, "talk\n") == ["x.csv:1:1: expected at least one time, found none"]
