"""The small words in which a simulation is described: `90`, `90s`, `3m`, `1h30m`; `lognormal 4m 0.8`."""

from __future__ import annotations

import math
import re

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = r"(\d+(?:\.\d+)?)([smhd]?)"
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")
A_DURATION = "a time as 90, 90s, 3m or 1h30m"
A_CLOCK = "a time of day as 08:30 or 08:30:15"


class WordError(ValueError):
    """What was found is not what was expected; both are said."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found or 'nothing'}")
        self.expected = expected
        self.found = found


def duration_s(text: str) -> float:
    """Seconds. Raises `WordError`."""
    word = text.strip()
    if re.fullmatch(rf"(?:{_PART})+", word):
        parts = re.findall(_PART, word)
        if len(parts) == 1 or all(unit for _, unit in parts):
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
    raise WordError(A_DURATION, text)


def clock_s(text: str) -> float:
    """Seconds since midnight; up to 24:00 and beyond, for what goes on after midnight. Raises `WordError`."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise WordError(A_CLOCK, text)
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600.0 + int(minutes) * 60.0 + float(seconds or 0)


def number(text: str, expected: str = "a number") -> float:
    """Raises `WordError`."""
    try:
        value = float(text)
    except ValueError:
        raise WordError(expected, text) from None
    if not math.isfinite(value):
        raise WordError(expected, text)
    return value


def share(text: str) -> float:
    """`80 %`, `80%` or `0.8`. Raises `WordError`."""
    word = text.strip()
    value = number(word.removesuffix("%").strip(), "a share as 80 % or 0.8") / (100.0 if word.endswith("%") else 1.0)
    if not 0.0 <= value <= 1.0:
        raise WordError("a share as 80 % or 0.8", text)
    return value


def shown_s(seconds: float) -> str:
    """For people: 0.4 s, 12 s, 3:05, 1:02:03, never."""
    if math.isinf(seconds):
        return "never"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
