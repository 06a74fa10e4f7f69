"""Opening hours: is a calendar open at an instant, and why (not).

Hours are wall-clock times of the site's time zone. The instant is brought to that wall clock and compared there, so a
day that has 23 or 25 hours opens and closes by its clocks. The first question about a year computes its holidays (about
40 ms); ask once before calls come in.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from functools import lru_cache

import holidays

from config.schema import Hours


@dataclass(frozen=True, slots=True)
class Opening:
    """The answer; true in a condition if open."""

    open: bool
    reason: str
    """`open`, `holiday: National Day`, `closed day` or `outside hours`."""

    def __bool__(self) -> bool:
        return self.open


OPEN = Opening(True, "open")
CLOSED_DAY = Opening(False, "closed day")
OUTSIDE_HOURS = Opening(False, "outside hours")


def is_open(hours: Hours, at: dt.datetime, timezone: str | None = None) -> Opening:
    """Whether `hours` are open at `at`, an aware datetime, by the clocks of `timezone` (of `at` itself if None)."""
    if at.tzinfo is None:
        raise TypeError("an instant without time zone")
    local = at if timezone is None else at.astimezone(zoneinfo.ZoneInfo(timezone))
    date, time = local.date(), local.time()
    if date in hours.closed:
        return CLOSED_DAY
    if hours.holidays is not None:
        holiday = holiday_name(hours.holidays, date)
        if holiday is not None:
            return Opening(False, f"holiday: {holiday}")
    spans = [span for span in hours.open if date.weekday() in span.weekdays]
    if any(span.opens <= time and (time < span.closes or span.closes == dt.time.max) for span in spans):
        return OPEN
    return OUTSIDE_HOURS if spans else CLOSED_DAY


def holiday_name(country: str, date: dt.date) -> str | None:
    """The public holiday of `country` on `date`, in English where it is known in English."""
    return _holidays_of(country, date.year).get(date)


@lru_cache(maxsize=64)
def _holidays_of(country: str, year: int) -> dict[dt.date, str]:
    language = "en_US" if "en_US" in holidays.country_holidays(country).supported_languages else None
    return dict(holidays.country_holidays(country, years=year, language=language))
