"""Numbers, ordinals, amounts in English and French; against num2words, where that is right."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from num2words import num2words

from ivr.words import language_of
from ivr.words.language import LARGEST, Language


def language(voice: str) -> Language:
    found = language_of(voice)
    assert found is not None
    return found


def said(voice: str, number: str | int) -> str:
    return " ".join(language(voice).number(Decimal(number)))


@pytest.mark.parametrize(
    ("number", "french", "british"),
    [
        (0, "zéro", "zero"), (1, "un", "one"), (16, "seize", "sixteen"), (17, "dix sept", "seventeen"),
        (21, "vingt et un", "twenty one"), (22, "vingt deux", "twenty two"), (61, "soixante et un", "sixty one"),
        (70, "soixante dix", "seventy"), (71, "soixante et onze", "seventy one"),
        (77, "soixante dix sept", "seventy seven"), (80, "quatre-vingts", "eighty"),
        (81, "quatre-vingt un", "eighty one"), (90, "quatre-vingt dix", "ninety"),
        (91, "quatre-vingt onze", "ninety one"), (99, "quatre-vingt dix neuf", "ninety nine"),
        (100, "cent", "one hundred"), (101, "cent un", "one hundred and one"), (200, "deux cents", "two hundred"),
        (201, "deux cent un", "two hundred and one"), (1000, "mille", "one thousand"),
        (1001, "mille un", "one thousand and one"), (2300, "deux mille trois cents", "two thousand three hundred"),
        (80_000, "quatre-vingt mille", "eighty thousand"), (200_000, "deux cent mille", "two hundred thousand"),
        (80_000_000, "quatre-vingts millions", "eighty million"), (1_000_000, "un million", "one million"),
        (2_000_001, "deux millions un", "two million and one"), (10**9, "un milliard", "one billion"),
        (-5, "moins cinq", "minus five"), ("3.14", "trois virgule quatorze", "three point one four"),
        ("3.05", "trois virgule zéro cinq", "three point zero five"), ("0.5", "zéro virgule cinq", "zero point five"),
        ("2.50", "deux virgule cinq", "two point five"), ("1.2345", "un virgule deux trois quatre cinq",
         "one point two three four five"), ("-0.1", "moins zéro virgule un", "minus zero point one"),
        (10**12, "un" + " zéro" * 12, "one" + " zero" * 12),
    ],
)  # fmt: skip
def test_numbers(number: str | int, french: str, british: str) -> None:
    assert said("fr", number) == french
    assert said("en-gb", number) == british
    assert said("en-us", number) == british.replace(" and", "")


@pytest.mark.parametrize(
    ("voice", "number", "expected"),
    [
        ("fr-be", 71, "septante et un"), ("fr-be", 80, "quatre-vingts"), ("fr-be", 99, "nonante neuf"),
        ("fr-ch", 71, "septante et un"), ("fr-ch", 80, "huitante"), ("fr-ch", 81, "huitante et un"),
        ("fr-ch", 299, "deux cent nonante neuf"),
    ],
)  # fmt: skip
def test_belgians_and_swiss(voice: str, number: int, expected: str) -> None:
    assert said(voice, number) == expected


def plain(text: str) -> str:
    return text.replace("-", " ").replace(",", "")


@pytest.mark.parametrize("voice", ["fr", "en"])
def test_as_num2words_says(voice: str) -> None:
    pick = random.Random(1)
    many = [*range(3000), *(pick.randrange(10 ** pick.randrange(4, 13)) for _ in range(2000)), LARGEST - 1]
    for number in many:
        assert plain(" ".join(language(voice).cardinal(number))) == plain(num2words(number, lang=voice))


def test_ordinals_as_num2words_says() -> None:
    for number in range(1, 1300):
        expected = plain(num2words(number, lang="fr", to="ordinal")).replace("ngtsi", "ngti").replace("ntsi", "nti")
        assert plain(" ".join(language("fr").ordinal(number))) == expected  # which says quatre-vingtsième
        assert plain(" ".join(language("en").ordinal(number))) == plain(num2words(number, to="ordinal"))


@pytest.mark.parametrize(
    ("number", "french", "feminine", "english"),
    [
        (1, "premier", "première", "first"), (2, "deuxième", "deuxième", "second"),
        (5, "cinquième", "cinquième", "fifth"), (9, "neuvième", "neuvième", "ninth"),
        (12, "douzième", "douzième", "twelfth"), (20, "vingtième", "vingtième", "twentieth"),
        (21, "vingt et unième", "vingt et unième", "twenty first"),
        (80, "quatre-vingtième", "quatre-vingtième", "eightieth"),
        (200, "deux centième", "deux centième", "two hundredth"),
        (1000, "millième", "millième", "one thousandth"), (10**6, "millionième", "millionième", "one millionth"),
        (2 * 10**6, "deux millionième", "deux millionième", "two millionth"),
    ],
)  # fmt: skip
def test_ordinals(number: int, french: str, feminine: str, english: str) -> None:
    assert " ".join(language("fr").ordinal(number)) == french
    assert " ".join(language("fr").ordinal(number, feminine=True)) == feminine
    assert " ".join(language("en").ordinal(number)) == english


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, "une"), (21, "vingt et une"), (81, "quatre-vingt une"), (101, "cent une"), (11, "onze"), (2, "deux"),
     (1001, "mille une"), (1_000_000, "un million")],
)  # fmt: skip
def test_feminine(number: int, expected: str) -> None:
    assert " ".join(language("fr").number(Decimal(number), feminine=True)) == expected
    assert language("fr").number(Decimal("1.5"), feminine=True)[0] == "un"


@pytest.mark.parametrize(
    ("amount", "code", "french", "english"),
    [
        ("2300", "EUR", "deux mille trois cents euros", "two thousand three hundred euros"),
        ("1", "EUR", "un euro", "one euro"), ("0", "EUR", "zéro euro", "zero euros"),
        ("1.50", "EUR", "un euro et cinquante centimes", "one euro and fifty cents"),
        ("0.01", "EUR", "un centime", "one cent"), ("0.99", "GBP", "quatre-vingt dix neuf pence", "ninety nine pence"),
        ("1", "GBP", "une livre", "one pound"), ("21", "GBP", "vingt et une livres", "twenty one pounds"),
        ("2.01", "GBP", "deux livres et un penny", "two pounds and one penny"),
        ("80", "USD", "quatre-vingts dollars", "eighty dollars"),
        ("1000000", "EUR", "un million d'euros", "one million euros"),
        ("2000000", "CHF", "deux millions de francs", "two million francs"),
        ("-3.10", "EUR", "moins trois euros et dix centimes", "minus three euros and ten cents"),
        ("-0.001", "EUR", "zéro euro", "zero euros"), ("1.999", "EUR", "deux euros", "two euros"),
        ("1500.4", "JPY", "mille cinq cents yens", "one thousand five hundred yen"),
        ("5", "XAU", "cinq X A U", "five X A U"),
    ],
)  # fmt: skip
def test_money(amount: str, code: str, french: str, english: str) -> None:
    assert " ".join(language("fr").money(Decimal(amount), code)) == french
    assert " ".join(language("en-gb").money(Decimal(amount), code)) == english


def test_digits() -> None:
    assert " ".join(language("fr").digits("+33 6-01*#")) == "plus trois trois six zéro un étoile dièse"
    assert " ".join(language("en-gb").digits("007#A")) == "zero zero seven hash A"
    assert " ".join(language("en-us").digits("1#")) == "one pound"


def test_other_languages_are_left_to_the_engine() -> None:
    assert language_of("de") is None and language_of("es-419") is None
