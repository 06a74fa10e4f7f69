"""French of France, Belgium (`be`: septante, nonante) and Switzerland (`ch`: huitante too)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from ivr.words.language import Currency, Language, Noun, Words

_UNITS = "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize".split()
_TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}
_SCALES = ((10**9, Noun("milliard", "milliards")), (10**6, Noun("million", "millions")))
_MONTHS = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
_WEEKDAYS = "lundi mardi mercredi jeudi vendredi samedi dimanche".split()
_CENTIME, _CENT = Noun("centime", "centimes"), Noun("cent", "cents")
_DOLLAR = Currency(Noun("dollar", "dollars"), _CENT)
_SIGNS = {"*": "étoile", "#": "dièse", "+": "plus"}
_NOUNS = {
    "day": Noun("jour", "jours"), "hour": Noun("heure", "heures", True), "minute": Noun("minute", "minutes", True),
    "second": Noun("seconde", "secondes", True),
}  # fmt: skip
_CURRENCIES = {
    "EUR": Currency(Noun("euro", "euros"), _CENTIME), "CHF": Currency(Noun("franc", "francs"), _CENTIME),
    "USD": _DOLLAR, "CAD": _DOLLAR, "AUD": _DOLLAR, "NZD": _DOLLAR, "JPY": Currency(Noun("yen", "yens"), None),
    "GBP": Currency(Noun("livre", "livres", True), Noun("penny", "pence")),
}  # fmt: skip


class French(Language):
    """`variant`: "be", "ch" or anything else."""

    code = "fr"
    point = "virgule"
    minus = "moins"
    conjunction = "et"
    signs = _SIGNS
    nouns = _NOUNS
    currencies = _CURRENCIES

    def __init__(self, variant: str = "") -> None:
        self._tens = dict(_TENS)
        if variant in ("be", "ch"):
            self._tens |= {70: "septante", 90: "nonante"}
        if variant == "ch":
            self._tens[80] = "huitante"

    def cardinal(self, number: int, *, feminine: bool = False) -> Words:
        words: Words = []
        for scale, noun in _SCALES:
            count, number = divmod(number, scale)
            if count:
                words += [*self._hundreds(count, plural=True), noun.one if count == 1 else noun.many]
        thousands, number = divmod(number, 1000)
        if thousands:  # "mille" is no noun: quatre-vingt mille, deux cent mille
            words += [*(self._hundreds(thousands, plural=False) if thousands > 1 else []), "mille"]
        if number or not words:
            words += self._hundreds(number, plural=True)
        if feminine and words[-1] == "un":
            words[-1] = "une"
        return words

    def _hundreds(self, number: int, *, plural: bool) -> Words:
        """`plural`: nothing follows, so cents and quatre-vingts take their s."""
        hundreds, rest = divmod(number, 100)
        words: Words = []
        if hundreds:
            whole = hundreds > 1 and plural and not rest
            words = [*([_UNITS[hundreds]] if hundreds > 1 else []), "cents" if whole else "cent"]
        return words + self._tens_of(rest, plural) if rest or not hundreds else words

    def _tens_of(self, number: int, plural: bool) -> Words:
        if number < 17:
            return [_UNITS[number]]
        if number < 20:
            return ["dix", _UNITS[number - 10]]
        ten, unit = number // 10 * 10, number % 10
        if ten in self._tens:
            return [self._tens[ten], *(["et"] if unit == 1 else []), *([_UNITS[unit]] if unit else [])]
        if ten == 70:
            return ["soixante", *(["et"] if unit == 1 else []), *self._tens_of(10 + unit, plural)]
        if number == 80:
            return ["quatre-vingts" if plural else "quatre-vingt"]
        return ["quatre-vingt", *self._tens_of(number - 80, plural)]

    def ordinal(self, number: int, *, feminine: bool = False) -> Words:
        if number == 1:
            return ["première" if feminine else "premier"]
        *words, last = self.cardinal(number)
        if last in ("cents", "quatre-vingts", "millions", "milliards"):
            last = last[:-1]
        match last:
            case "cinq":
                last = "cinqu"
            case "neuf":
                last = "neuv"
        if words == ["un"]:  # un million: millionième
            words = []
        return [*words, last.removesuffix("e") + "ième"]

    def decimals(self, digits: str) -> Words:
        zeros = len(digits) - len(digits.lstrip("0"))
        if len(digits) > 3:
            return self.digits(digits)
        return ["zéro"] * zeros + self.cardinal(int(digits))  # trois virgule zéro cinq

    def counted(self, number: int, noun: Noun) -> Words:
        *words, name = super().counted(number, noun)
        if words[-1].startswith(("million", "milliard")):
            name = ("d'" if name[0] in "aeiouy" and name[:2] != "ye" else "de ") + name
        return [*words, name]

    def time(self, at: dt.time) -> Words:
        minutes = self.cardinal(at.minute, feminine=True) if at.minute else []
        if at.hour in (0, 12):
            return ["midi" if at.hour else "minuit", *minutes]
        return [*self.counted(at.hour, self.nouns["hour"]), *minutes]

    def date(self, on: dt.date, today: dt.date) -> Words:
        day = ["premier"] if on.day == 1 else self.cardinal(on.day)
        year = self.cardinal(on.year) if on.year != today.year else []
        return [_WEEKDAYS[on.weekday()], *day, _MONTHS[on.month - 1], *year]

    def is_one(self, number: Decimal) -> bool:
        return number < 2  # zéro euro, un euro, deux euros
