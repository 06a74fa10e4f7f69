"""What calls out by trunks may cost: classes of numbers, and the most that each account may spend.

Stolen passwords and phones that forward are paid for by whoever owns the trunk, so each account has limits of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import phonenumbers
from phonenumbers import PhoneNumberType, ShortNumberCost
from pydantic import BeforeValidator, Field

from config.fields import Expected, Names, OneOrMany
from config.model import Model
from config.values import Path

if TYPE_CHECKING:
    from config.schema import Site

KINDS: Final = ("premium", "mobile", "national", "abroad", "any")
_NUMBERS: Final = f"the beginning of a number, as +33 89; or one of {', '.join(KINDS)}"
_PREMIUM: Final = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN)


def _numbers(value: object) -> str:
    text = re.sub(r"[ ().\-/]", "", value) if isinstance(value, str) else ""
    if text not in KINDS and not re.fullmatch(r"\+[0-9]{1,15}", text):
        raise ValueError(f"expected {_NUMBERS}")
    return text


NumbersText = Annotated[str, BeforeValidator(_numbers, json_schema_input_type=str), Expected(_NUMBERS)]


class TollClass(Model):
    """Numbers that cost the same. `only` these extensions may call them; `allowed: false`: nobody may."""

    numbers: Annotated[tuple[NumbersText, ...], OneOrMany] = Field(min_length=1)
    per_minute: float = Field(default=0, ge=0)
    per_call: float = Field(default=0, ge=0)
    allowed: bool = True
    only: Names | None = None


class TollLimits(Model):
    """Of one account: calls out at the same time, and what they may cost from midnight to midnight."""

    calls: int | None = Field(default=None, ge=1)
    spend_per_day: float | None = Field(default=None, gt=0)


class Tolls(TollLimits):
    """The limits of each account that has none of its own. The first class that a number belongs to is its class; one
    that belongs to none costs nothing. `site_spend_per_day`: all accounts together."""

    site_spend_per_day: float | None = Field(default=None, gt=0)
    classes: dict[str, TollClass] = Field(default_factory=dict)


def belongs(number: str, numbers: str, country: str) -> bool:
    """Whether a number (E.164) is one of these (`+3389`, `premium`, ...) for a site in `country`."""
    if numbers not in KINDS:
        return number.startswith(numbers)
    if numbers == "any":
        return True
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return False
    at_home = parsed.country_code == phonenumbers.country_code_for_region(country)
    if numbers in ("national", "abroad"):
        return at_home is (numbers == "national")
    kind = phonenumbers.number_type(parsed)
    if numbers == "mobile":
        return at_home and kind == PhoneNumberType.MOBILE
    short = phonenumbers.expected_cost_for_region(parsed, country)  # directory enquiries and their like
    return kind in _PREMIUM or short == ShortNumberCost.PREMIUM_RATE


def unreachable(site: Site) -> Iterator[tuple[Path, str, str]]:
    """Classes that no number gets to: path, what is found there, what was expected."""
    earlier: dict[str, str] = {}
    for name, one in site.tolls.classes.items():
        for i, numbers in enumerate(one.numbers):
            wider = next((known for known in earlier if known == "any" or _within(numbers, known)), None)
            if wider is not None:
                taken = f"numbers that no class before has ({wider} is in {earlier[wider]})"
                yield ("tolls", "classes", name, "numbers", i), f'"{numbers}"', taken
            earlier.setdefault(numbers, name)


def uncounted(site: Site) -> Iterator[tuple[Path, str]]:
    """Limits of spending where no call that anybody may make costs anything: path, and what is found there."""
    if any(one.allowed and (one.per_minute or one.per_call) for one in site.tolls.classes.values()):
        return
    own = ((("extensions", name, "tolls"), phone.tolls) for name, phone in site.extensions.items())
    for path, limits in ((("tolls",), site.tolls), *own):
        if limits is not None and limits.spend_per_day is not None:
            yield (*path, "spend_per_day"), f"{limits.spend_per_day:g}"
    if site.tolls.site_spend_per_day is not None:
        yield ("tolls", "site_spend_per_day"), f"{site.tolls.site_spend_per_day:g}"


def _within(numbers: str, wider: str) -> bool:
    return numbers == wider or (wider not in KINDS and numbers.startswith(wider))
