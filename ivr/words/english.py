"""English, British unless American is asked for: the one says "and", the other does not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from ivr.words.language import Currency, Language, Noun, Words

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_MONTHS = "January February March April May June July August September October November December".split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_CENT = Noun("cent", "cents")
_DOLLAR = Currency(Noun("dollar", "dollars"), _CENT)
_SIGNS = {"*": "star", "#": "hash", "+": "plus"}
_NOUNS = {
    "day": Noun("day", "days"), "hour": Noun("hour", "hours"), "minute": Noun("minute", "minutes"),
    "second": Noun("second", "seconds"),
}  # fmt: skip
_CURRENCIES = {
    "EUR": Currency(Noun("euro", "euros"), _CENT), "USD": _DOLLAR, "CAD": _DOLLAR, "AUD": _DOLLAR, "NZD": _DOLLAR,
    "GBP": Currency(Noun("pound", "pounds"), Noun("penny", "pence")), "JPY": Currency(Noun("yen", "yen"), None),
    "CHF": Currency(Noun("franc", "francs"), Noun("centime", "centimes")),
}  # fmt: skip


class English(Language):
    """`american`: no "and" in numbers, the month before the day."""

    code = "en"
    point = "point"
    minus = "minus"
    conjunction = "and"
    signs = _SIGNS
    nouns = _NOUNS
    currencies = _CURRENCIES

    def __init__(self, american: bool = False) -> None:
        self._and = [] if american else ["and"]
        self._american = american
        if american:
            self.signs = self.signs | {"#": "pound"}

    def cardinal(self, number: int, *, feminine: bool = False) -> Words:
        words: Words = []
        for scale, name in _SCALES:
            if number >= scale:
                words += [*self._hundreds(number // scale, False), name]
                number %= scale
        return words + self._hundreds(number, bool(words)) if number or not words else words

    def _hundreds(self, number: int, more_before: bool) -> Words:
        hundreds, rest = divmod(number, 100)
        words = [_UNITS[hundreds], "hundred"] if hundreds else []
        if rest and (words or more_before):
            words += self._and
        if rest >= 20:
            words += [_TENS[rest // 10], *([_UNITS[rest % 10]] if rest % 10 else [])]
        elif rest or not hundreds:
            words.append(_UNITS[rest])
        return words

    def ordinal(self, number: int, *, feminine: bool = False) -> Words:
        *words, last = self.cardinal(number)
        th = last[:-1] + "ieth" if last.endswith("y") else last + "th"
        return [*words, _ORDINALS.get(last, th)]

    def decimals(self, digits: str) -> Words:
        return self.digits(digits)

    def time(self, at: dt.time) -> Words:
        if (at.hour, at.minute) in ((0, 0), (12, 0)):
            return ["noon" if at.hour else "midnight"]
        minutes = [] if not at.minute else (["oh"] if at.minute < 10 else []) + self.cardinal(at.minute)
        return [*self.cardinal((at.hour - 1) % 12 + 1), *minutes, "p.m." if at.hour >= 12 else "a.m."]

    def date(self, on: dt.date, today: dt.date) -> Words:
        day, month = self.ordinal(on.day), _MONTHS[on.month - 1]
        words = [month, *day] if self._american else ["the", *day, "of", month]
        return [_WEEKDAYS[on.weekday()], *words, *(self._year(on.year) if on.year != today.year else [])]

    def _year(self, year: int) -> Words:
        century, rest = divmod(year, 100)
        if year < 1000 or (century % 10 == 0 and rest < 10):
            return self.cardinal(year)  # two thousand and five
        if not rest:
            return [*self.cardinal(century), "hundred"]
        return [*self.cardinal(century), *(["oh"] if rest < 10 else []), *self.cardinal(rest)]

    def is_one(self, number: Decimal) -> bool:
        return number == 1
