from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from config.calendar import is_open
from config.schema import Hours

PARIS = ZoneInfo("Europe/Paris")
WEEK = {"mon-fri": "09:00-21:00", "sat": ["09:00-12:00", "14:00-18:00"]}
SALES = Hours.model_validate({"open": WEEK, "holidays": "FR", "closed": ["2026-12-24"]})


def paris(text: str, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=PARIS, fold=fold)


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2026-03-02T08:59:59", "outside hours"),  # a Monday
        ("2026-03-02T09:00:00", "open"),
        ("2026-03-02T20:59:59.999999", "open"),
        ("2026-03-02T21:00:00", "outside hours"),
        ("2026-03-07T11:59:00", "open"),  # a Saturday
        ("2026-03-07T13:00:00", "outside hours"),
        ("2026-03-07T14:00:00", "open"),
        ("2026-03-08T12:00:00", "closed day"),  # a Sunday
        ("2026-07-14T12:00:00", "holiday: National Day"),
        ("2026-04-06T12:00:00", "holiday: Easter Monday"),
        ("2026-12-24T12:00:00", "closed day"),
        ("2026-12-25T12:00:00", "holiday: Christmas Day"),
    ],
)
def test_reasons(at: str, reason: str) -> None:
    answer = is_open(SALES, paris(at))
    assert answer.reason == reason
    assert bool(answer) is (reason == "open")


def test_an_instant_is_read_by_the_clocks_of_the_site() -> None:
    at = dt.datetime(2026, 3, 2, 8, 30, tzinfo=dt.UTC)
    assert not is_open(SALES, at)
    assert is_open(SALES, at, "Europe/Paris")
    assert not is_open(SALES, at, "America/New_York")


def test_clocks_that_change() -> None:
    nights = Hours.model_validate({"open": {"sun": "02:30-09:00"}})
    spring = [dt.datetime(2026, 3, 29, 0, 59, tzinfo=dt.UTC), dt.datetime(2026, 3, 29, 1, 0, tzinfo=dt.UTC)]
    assert [is_open(nights, at, "Europe/Paris").open for at in spring] == [False, True]  # 01:59, then 03:00
    autumn = [dt.datetime(2026, 10, 25, hour, 45, tzinfo=dt.UTC) for hour in (0, 1)]
    assert [is_open(nights, at, "Europe/Paris").open for at in autumn] == [True, True]  # 02:45 twice
    assert not is_open(nights, dt.datetime(2026, 10, 25, 1, 15, tzinfo=dt.UTC), "Europe/Paris")  # 02:15 again
    assert is_open(SALES, dt.datetime(2026, 10, 26, 8, 0, tzinfo=dt.UTC), "Europe/Paris")  # winter: 09:00
    assert not is_open(SALES, dt.datetime(2026, 10, 26, 7, 0, tzinfo=dt.UTC), "Europe/Paris")


def test_a_day_to_its_end_and_over_midnight_in_two() -> None:
    night = Hours.model_validate({"open": {"fri": "22:00-24:00", "sat": "00:00-04:00", "sun-mon": "00:00-24:00"}})
    at = [paris("2026-03-06T23:59:59.999999"), paris("2026-03-07T00:00:00"), paris("2026-03-07T04:00:00")]
    assert [is_open(night, t).open for t in at] == [True, True, False]
    assert is_open(night, paris("2026-03-08T23:59:59.999999"))
    assert is_open(night, paris("2026-03-09T12:00:00"))


def test_days_that_wrap_round_the_week() -> None:
    hours = Hours.model_validate({"open": {"sat-mon, wed": "09:00-10:00"}})
    week = [paris(f"2026-03-{day:02}T09:30:00") for day in range(2, 9)]  # Monday to Sunday
    assert [is_open(hours, at).open for at in week] == [True, False, True, False, False, True, True]


def test_an_instant_without_time_zone_is_an_error() -> None:
    with pytest.raises(TypeError):
        is_open(SALES, dt.datetime(2026, 3, 2, 12))


@pytest.mark.parametrize("country", ["DE", "US", "FR", "JP"])
def test_holidays_in_english(country: str) -> None:
    hours = Hours.model_validate({"open": {"mon-sun": "00:00-24:00"}, "holidays": country})
    assert is_open(hours, paris("2026-01-01T12:00:00")).reason == "holiday: New Year's Day"
