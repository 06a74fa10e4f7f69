from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.dial_patterns import covers


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("101", "101"), ("1XX", "101"), ("1XX", "1[0-5]X"), ("0.", "00Z."), ("X!", "X."), ("X!", "1"),
        ("!", "anything"), (".", "1."), ("[1-35]", "5"), ("NXX", "9[12]X"), ("_1XX", "101"), ("1-0-1", "101"),
        ("+X.", "+33."), ("alice", "alice"), ("1.", "12!"),
    ],
)  # fmt: skip
def test_covered(earlier: str, later: str) -> None:
    assert covers(earlier, later)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("101", "1XX"), ("1XX", "1X"), ("1X", "1XX"), ("X.", "1"), ("X.", "X!"), ("1X.", "1."), ("ZXX", "NXX."),
        ("NX", "ZX"), ("X.", "+33."), ("[1-3]", "[2-4]"), ("00.", "0."), ("al-ice", "alice"), ("alice", "Alice"),
        ("1.", "1"), ("12!", "1."),
    ],
)  # fmt: skip
def test_not_covered(earlier: str, later: str) -> None:
    assert not covers(earlier, later)


PATTERNS = st.from_regex(r"([0-2XZN]|\[1-3\]|\[02\]){0,3}([.!]|[0-2XZN])", fullmatch=True)
NUMBERS = ["", *map(str, range(10)), *(f"{n:02}" for n in range(0, 100, 3)), *(f"{n:03}" for n in range(0, 1000, 7))]


def matches(pattern: str, number: str) -> bool:
    classes = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}
    return bool(re.fullmatch("".join(classes.get(c, c) for c in re.findall(r"\[.*?\]|.", pattern)), number))


@given(PATTERNS, PATTERNS)
def test_what_a_covered_pattern_matches_is_matched_by_the_earlier(earlier: str, later: str) -> None:
    if covers(earlier, later):
        assert all(matches(earlier, number) for number in NUMBERS if matches(later, number))
