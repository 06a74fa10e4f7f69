"""A call's attribute, as it came from a web page, a database or the keys, as a value to say. None: it is none."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from config.sayings import Slot
from ivr.words.language import LARGEST, Language, Words

Attribute = str | int | float
_MOST_DIGITS = 64  # of what is said one by one
_EPOCH_FROM = 100_000_000  # numbers from here on are seconds since 1970


def words_of(
    slot: Slot, attributes: Mapping[str, Attribute], now: dt.datetime, language: Language, currency: str
) -> Words | None:
    """What to say for `slot`; None if the attribute is missing or no such value. `now` in the site's time zone."""
    value = now.isoformat() if slot.attribute is None else attributes.get(slot.attribute)
    if value is None:
        return None
    feminine = slot.option == "feminine"
    match slot.kind:
        case "number":
            number = _number(value)
            return None if number is None else language.number(number, feminine=feminine)
        case "ordinal":
            number = _number(value)
            right = number is not None and number == int(number) and 1 <= number < LARGEST
            return language.ordinal(int(number), feminine=feminine) if right and number is not None else None
        case "digits":
            return language.digits(str(value)[:_MOST_DIGITS]) or None
        case "money":
            number = _number(value)
            return None if number is None else language.money(number, slot.option or currency)
        case "duration":
            number = _number(value)
            return None if number is None else language.duration(round(number))
        case "time":
            time = _time(value, now)
            return None if time is None else language.time(time)
        case "date":
            date = _date(value, now)
            return None if date is None else language.date(date, now.date())
    number = None if isinstance(value, str) else _number(value)
    return [str(value)] if number is None else language.number(number)


def as_written(
    slot: Slot, attributes: Mapping[str, Attribute], now: dt.datetime, currency: str
) -> str | None:
    """The same as text, for an engine whose language has no words here."""
    value = now.isoformat() if slot.attribute is None else attributes.get(slot.attribute)
    if value is None:
        return None
    match slot.kind:
        case "time":
            time = _time(value, now)
            return None if time is None else f"{time:%H:%M}"
        case "date":
            date = _date(value, now)
            return None if date is None else f"{date:%d.%m.%Y}"
        case "money":
            return None if _number(value) is None else f"{value} {slot.option or currency}"
        case "digits":
            return " ".join(str(value)[:_MOST_DIGITS])
        case "ordinal":
            return f"{value}."
    return str(value)


def recording_of(language: Language, word: str) -> str:
    """The prompt that holds a word: `fr_fevrier`, `en_o-clock`."""
    plain = unicodedata.normalize("NFKD", word.lower()).encode("ascii", "ignore").decode()
    return f"{language.code}_" + "".join(c if c.isalnum() else "-" for c in plain).strip("-")


def _number(value: Attribute) -> Decimal | None:
    try:
        number = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 30 else None


def _moment(value: Attribute, now: dt.datetime) -> dt.datetime | None:
    """Seconds since 1970, or ISO 8601; a time without a zone is the site's."""
    number = _number(value)
    try:
        if number is not None and number >= _EPOCH_FROM:
            return dt.datetime.fromtimestamp(float(number), now.tzinfo)
        moment = dt.datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=now.tzinfo) if moment.tzinfo is None else moment.astimezone(now.tzinfo)


def _time(value: Attribute, now: dt.datetime) -> dt.time | None:
    try:
        return dt.time.fromisoformat(str(value).strip().zfill(5))  # 9:30 too
    except ValueError:
        moment = _moment(value, now)
        return None if moment is None else moment.time()


def _date(value: Attribute, now: dt.datetime) -> dt.date | None:
    moment = _moment(value, now)
    return None if moment is None else moment.date()
