from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.numbers import normalise


@pytest.mark.parametrize(
    "text",
    [
        "0180000001", "+33180000001", "0033180000001", "33180000001", "+33 1 80 00 00 01", "01.80.00.00.01",
        "01-80-00-00-01",
    ],
)  # fmt: skip
def test_one_number_in_many_forms(text: str) -> None:
    assert normalise(text, "FR") == "+33180000001"


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("12025550123", "FR", "+12025550123"),
        ("0012025550123", "FR", "+12025550123"),
        ("2025550123", "US", "+12025550123"),
        ("011 33 1 80 00 00 01", "US", "+33180000001"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("0800123456", "FR", "+33800123456"),
    ],
)
def test_abroad(text: str, country: str, number: str) -> None:
    assert normalise(text, country) == number


@pytest.mark.parametrize(
    "text",
    [
        "", "101", "112", "3615", "118218", "*43", "#31#0180000001", "anonymous", "alice", "+", "+abc", "1234567",
        "0" * 40, "+999999999999", "sip:0180000001@h", "٠١٨٠٠٠٠٠٠١",
    ],
)  # fmt: skip
def test_what_is_no_number_stays(text: str) -> None:
    assert normalise(text, "FR") == text


@given(st.text(max_size=30) | st.text("+0123456789 ().-/", max_size=20))
def test_any_text_gives_text_and_twice_is_once(text: str) -> None:
    once = normalise(text, "FR")
    assert normalise(once, "FR") == once


def test_a_known_number_costs_next_to_nothing() -> None:
    normalise("0180000001", "FR")
    start = time.perf_counter()
    for _ in range(10_000):
        normalise("0180000001", "FR")
    assert (time.perf_counter() - start) / 10_000 < 20e-6  # about 0.1 us here; the first time about 30 us
