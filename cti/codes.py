"""Codes shown on a web page and typed into the telephone: 6 random digits and a check digit.

The check digit is Damm's (H. M. Damm, "Total anti-symmetrische Quasigruppen", 2004): over a totally anti-symmetric
quasigroup of order 10, so that every single wrong digit and every swap of two neighbours is noticed.
"""

from __future__ import annotations

CODE_DIGITS = 6
TYPED_DIGITS = CODE_DIGITS + 1

_QUASIGROUP = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip


def check_digit(digits: str) -> str:
    """The digit to append to `digits` (ASCII digits only)."""
    interim = "0"
    for digit in digits:
        interim = _QUASIGROUP[int(interim)][int(digit)]
    return interim


def is_code(typed: str) -> bool:
    """Whether `typed` can be a code at all: 7 ASCII digits, the last one right."""
    return len(typed) == TYPED_DIGITS and typed.isascii() and typed.isdigit() and check_digit(typed) == "0"


def make_code(number: int) -> str:
    """`number` (0 to 999999) as the 7 digits to show."""
    digits = f"{number:0{CODE_DIGITS}d}"
    return digits + check_digit(digits)
