"""Telephone numbers in one form (E.164), so that a customer is the same whatever the trunk sends.

On the call path: cached, about a microsecond for a number seen before.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

MIN_DIGITS = 7
"""What has fewer digits is an extension or a short code and stays as it is."""

_WRITTEN = re.compile(r"\+?[0-9 ().\-/]+")


@lru_cache(maxsize=65_536)
def normalise(text: str, country: str) -> str:
    """`text` as E.164 (`+33180000001`) if it is a number in `country` or abroad, else unchanged.

    `0180000001`, `+33180000001`, `0033180000001` and `33180000001` are the same in FR; `101`, `*43`, `anonymous` stay.
    """
    digits = re.sub(r"\D", "", text)
    if len(digits) < MIN_DIGITS or not _WRITTEN.fullmatch(text):
        return text
    number = _parsed(text, country)
    if number is None and not text.startswith("+"):
        number = _parsed(f"+{digits}", None)  # a trunk that writes the country code without +
        if number and number.country_code != phonenumbers.country_code_for_region(country):
            number = number if phonenumbers.is_valid_number(number) else None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else text


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None
