"""What every language says: numbers, ordinals, digits, money, times, dates, durations."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import NamedTuple

Words = list[str]  # each may be a recording
LARGEST = 10**12  # numbers from here on are said digit by digit
_DURATIONS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


class Noun(NamedTuple):
    """Something counted."""

    one: str
    many: str
    feminine: bool = False


class Currency(NamedTuple):
    """`cent` None: it is not divided."""

    unit: Noun
    cent: Noun | None


class Language(ABC):
    """`code` begins the names of recorded words: `fr_vingt`."""

    code: str
    point: str  # between a number and its decimals
    minus: str
    conjunction: str  # between the parts of a duration or an amount
    signs: dict[str, str]  # what is on a telephone's keys besides digits
    nouns: dict[str, Noun]  # day, hour, minute, second
    currencies: dict[str, Currency]

    # --- each language's own --------------------------------------------------------------------------------------

    @abstractmethod
    def cardinal(self, number: int, *, feminine: bool = False) -> Words:
        """0 to LARGEST - 1."""

    @abstractmethod
    def ordinal(self, number: int, *, feminine: bool = False) -> Words:
        """1 to LARGEST - 1."""

    @abstractmethod
    def decimals(self, digits: str) -> Words:
        """What stands after the point."""

    @abstractmethod
    def time(self, at: dt.time) -> Words: ...

    @abstractmethod
    def date(self, on: dt.date, today: dt.date) -> Words:
        """With the year if it is another than today's."""

    @abstractmethod
    def is_one(self, number: Decimal) -> bool:
        """Whether a thing so often is said in the singular."""

    # --- common ---------------------------------------------------------------------------------------------------

    def number(self, number: Decimal, *, feminine: bool = False) -> Words:
        """Any number."""
        sign = [self.minus] if number < 0 else []
        whole, _, decimals = f"{abs(number):f}".partition(".")
        decimals = decimals.rstrip("0")
        if int(whole) >= LARGEST:
            return sign + self.digits(whole)
        words = self.cardinal(int(whole), feminine=feminine and not decimals)
        return [*sign, *words, *([self.point, *self.decimals(decimals)] if decimals else [])]

    def digits(self, text: str) -> Words:
        """One by one; letters as they are, blanks and dashes not at all."""
        return [
            self.cardinal(int(one))[0] if one in "0123456789" else self.signs.get(one, one)
            for one in text
            if one in self.signs or one.isalnum()
        ]

    def money(self, amount: Decimal, code: str) -> Words:
        """In whole cents. A currency that is not known is said by its letters."""
        currency = self.currencies.get(code)
        if currency is None:
            return [*self.number(amount), *code]
        hundredths = round(abs(amount) * 100) if currency.cent else round(abs(amount)) * 100
        units, cents = divmod(int(hundredths), 100)
        if units >= LARGEST:
            return [*self.number(amount), currency.unit.many]
        words: Words = []
        if units or not cents or currency.cent is None:
            words += self.counted(units, currency.unit)
        if cents and currency.cent is not None:
            words += [self.conjunction] * bool(units) + self.counted(cents, currency.cent)
        return [self.minus] * (amount < 0 and hundredths > 0) + words

    def counted(self, number: int, noun: Noun) -> Words:
        """So many of them."""
        words = self.cardinal(number, feminine=noun.feminine)
        return [*words, noun.one if self.is_one(Decimal(number)) else noun.many]

    def duration(self, seconds: int) -> Words:
        """The two largest parts, as one says it: an hour and five minutes."""
        left = max(0, seconds)
        first = next((n for n, (_, length) in enumerate(_DURATIONS) if left >= length), len(_DURATIONS) - 1)
        words: Words = []
        for name, length in _DURATIONS[first : first + 2]:
            count, left = divmod(left, length)
            if count or not words:
                words += [self.conjunction] * bool(words) + self.counted(count, self.nouns[name])
        return words
