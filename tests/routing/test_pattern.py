from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.dial_patterns import tokens
from pbx.routing.pattern import dialled, expression, fill, literal


@pytest.mark.parametrize(
    ("pattern", "matches", "not_these"),
    [
        ("2XXX", ["2000", "2999"], ["200", "20000", "3000", "2A00", "2٣00"]),
        ("ZN", ["12", "99"], ["02", "11", "10"]),
        ("0[1-59]X", ["010", "059", "099"], ["060", "000"]),
        ("0X.", ["012", "01234567890", "01#"], ["0", "01"]),
        ("0!", ["0", "01"], ["1", ""]),
        ("+X.", ["+33180203040"], ["33", "+"]),
        ("*21*X!", ["*21*1", "*21*1#"], ["*21*"]),
        ("_0X", ["01"], ["_01"]),
        ("N-XX-XX", ["21234"], ["2-12-34"]),
        ("front-desk", ["front-desk"], ["frontdesk", "FRONT-DESK"]),
        (".", ["1", "anything at all", "é"], ["", "a\nb", "a\x00"]),
    ],
)
def test_patterns(pattern: str, matches: list[str], not_these: list[str]) -> None:
    compiled = re.compile(expression(pattern))
    assert [n for n in matches if not compiled.fullmatch(n)] == []
    assert [n for n in not_these if compiled.fullmatch(n)] == []


@pytest.mark.parametrize(
    ("pattern", "number"),
    [
        ("1000", "1000"), ("+33-1", "+331"), ("_112", "112"), ("echo-test", "echo-test"),
        ("10[0-9]", None), ("1X", None), ("1!", None),
    ],
)  # fmt: skip
def test_literal(pattern: str, number: str | None) -> None:
    assert literal(pattern) == number
    if number is not None:
        assert re.fullmatch(expression(pattern), number)


@given(st.lists(st.sampled_from(["0", "7", "+", "*", "#", "X", "Z", "N", "[1-5]", "[137-9]"]), min_size=1, max_size=8),
       st.sampled_from(["", ".", "!"]), st.text("0123456789+*#", max_size=12))  # fmt: skip
def test_means_what_the_site_check_takes_it_to_mean(parts: list[str], tail: str, number: str) -> None:
    pattern = "".join(parts) + tail
    places, least = tokens(pattern)
    length_fits = len(number) == len(places) if least is None else len(number) >= len(places) + least
    expected = length_fits and all(c in place for c, place in zip(number, places, strict=False))
    assert bool(re.fullmatch(expression(pattern), number)) is expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2001", "2001"),
        ("+33 1 80.20-30(40)", "+33180203040"),
        ("(01) 80", "0180"),
        ("-", "-"),
        ("front-desk", "front-desk"),
        ("a.b", "a.b"),
        ("*21#", "*21#"),
        ("", ""),
    ],
)
def test_dialled(text: str, number: str) -> None:
    assert dialled(text) == number


@pytest.mark.parametrize(
    ("template", "number", "filled"),
    [
        ("{number}", "0123", "0123"), ("{number:1}", "0123", "123"), ("+33{number:1}", "0123", "+33123"),
        ("x{number:9}", "0123", "x"), ("plain", "0123", "plain"), ("{other}", "0123", "{other}"),
    ],
)  # fmt: skip
def test_fill(template: str, number: str, filled: str) -> None:
    assert fill(template, number) == filled
