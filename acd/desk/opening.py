"""The calendars of the queues: the desk has a clock with dates, the engine has none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from config.calendar import is_open
from config.schema import Hours, Site


class Calendars:
    """By name."""

    __slots__ = ("_hours", "_timezone")

    def __init__(self, hours: Mapping[str, Hours], timezone: str) -> None:
        self._timezone = ZoneInfo(timezone)
        self._hours = hours

    def is_open(self, name: str, now: float) -> bool:
        """One that is no longer there always is."""
        hours = self._hours.get(name)
        return hours is None or is_open(hours, dt.datetime.fromtimestamp(now, self._timezone)).open


class Opening:
    """By queue."""

    __slots__ = ("_hours", "_timezone")

    def __init__(self, site: Site, now: float) -> None:
        self._timezone = ZoneInfo(site.locale.timezone)
        self._hours: dict[str, Hours] = {
            name: site.hours[queue.hours] for name, queue in site.queues.items() if queue.hours in site.hours
        }
        for name in self._hours:  # computes the year's holidays, so that no call waits for it
            self.is_open(name, now)

    def is_open(self, queue: str, now: float) -> bool:
        """A queue without hours always is."""
        hours = self._hours.get(queue)
        return hours is None or is_open(hours, dt.datetime.fromtimestamp(now, self._timezone)).open
