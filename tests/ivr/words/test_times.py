"""Times, dates and durations in words."""

from __future__ import annotations

import datetime as dt

import pytest

from ivr.words import language_of

FR, GB, US = language_of("fr"), language_of("en-gb"), language_of("en-us")
assert FR is not None and GB is not None and US is not None


@pytest.mark.parametrize(
    ("time", "french", "english"),
    [
        ("00:00", "minuit", "midnight"), ("00:05", "minuit cinq", "twelve oh five a.m."),
        ("01:00", "une heure", "one a.m."), ("09:05", "neuf heures cinq", "nine oh five a.m."),
        ("12:00", "midi", "noon"), ("12:30", "midi trente", "twelve thirty p.m."),
        ("13:01", "treize heures une", "one oh one p.m."),
        ("21:21", "vingt et une heures vingt et une", "nine twenty one p.m."),
    ],
)  # fmt: skip
def test_time(time: str, french: str, english: str) -> None:
    assert FR and GB
    assert " ".join(FR.time(dt.time.fromisoformat(time))) == french
    assert " ".join(GB.time(dt.time.fromisoformat(time))) == english


@pytest.mark.parametrize(
    ("date", "french", "british", "american"),
    [
        ("2026-03-01", "dimanche premier mars", "Sunday the first of March", "Sunday March first"),
        ("2026-03-21", "samedi vingt et un mars", "Saturday the twenty first of March", "Saturday March twenty first"),
        ("1999-12-31", "vendredi trente et un décembre mille neuf cent quatre-vingt dix neuf",
         "Friday the thirty first of December nineteen ninety nine",
         "Friday December thirty first nineteen ninety nine"),
        ("2005-08-02", "mardi deux août deux mille cinq", "Tuesday the second of August two thousand and five",
         "Tuesday August second two thousand five"),
        ("1900-01-01", "lundi premier janvier mille neuf cents", "Monday the first of January nineteen hundred",
         "Monday January first nineteen hundred"),
        ("1906-01-01", "lundi premier janvier mille neuf cent six", "Monday the first of January nineteen oh six",
         "Monday January first nineteen oh six"),
        ("2031-01-01", "mercredi premier janvier deux mille trente et un",
         "Wednesday the first of January twenty thirty one", "Wednesday January first twenty thirty one"),
    ],
)  # fmt: skip
def test_date(date: str, french: str, british: str, american: str) -> None:
    """The year is said if it is another."""
    on, today = dt.date.fromisoformat(date), dt.date(2026, 11, 22)
    assert FR and GB and US
    assert " ".join(FR.date(on, today)) == french
    assert " ".join(GB.date(on, today)) == british
    assert " ".join(US.date(on, today)) == american


@pytest.mark.parametrize(
    ("seconds", "french", "english"),
    [
        (0, "zéro seconde", "zero seconds"), (1, "une seconde", "one second"),
        (61, "une minute et une seconde", "one minute and one second"), (120, "deux minutes", "two minutes"),
        (3600, "une heure", "one hour"), (3605, "une heure", "one hour"),
        (7325, "deux heures et deux minutes", "two hours and two minutes"), (86_400, "un jour", "one day"),
        (176_400, "deux jours et une heure", "two days and one hour"),
        (75_660, "vingt et une heures et une minute", "twenty one hours and one minute"),
        (-5, "zéro seconde", "zero seconds"),
    ],
)  # fmt: skip
def test_duration(seconds: int, french: str, english: str) -> None:
    assert FR and GB
    assert " ".join(FR.duration(seconds)) == french
    assert " ".join(GB.duration(seconds)) == english
