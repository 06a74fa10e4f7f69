"""`plateau erlang`: tables, JSON, and what is said of an option that can't be read."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from acd.erlang import wait_a
from pbx.__main__ import app

RUNNER = CliRunner()


def asked(*words: str) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["erlang", *words], env={"COLUMNS": "120"})
    return result.exit_code, result.output


def test_the_number_needed_and_those_around_it() -> None:
    status, text = asked("--calls", "200", "--handle", "3m", "--within", "20s", "--target", "80%")
    assert status == 0
    assert "10 erlangs: 14 agents needed" in text
    assert "17.4 %" in text and "88.8 %" in text
    assert "endless" in text  # with 10 agents


def test_callers_who_hang_up_need_fewer() -> None:
    status, text = asked("--calls", "100", "--per", "30m", "--handle", "180", "--patience", "2m", "--json")
    found = json.loads(text)
    assert (status, found["agents_needed"]) == (0, 12)
    row = next(row for row in found["table"] if row["agents"] == 12)
    assert row["abandons"] == pytest.approx(wait_a(12, 10.0, 180.0, 120.0, 20.0).abandons)


def test_other_needs_than_the_service_level() -> None:
    for words, least in ((("--asa", "4s"), 15), (("--occupancy", "60 %"), 17)):
        assert json.loads(asked("--calls", "200", "--handle", "3m", "--json", *words)[1])["agents_needed"] == least
    tight = asked("--calls", "200", "--handle", "3m", "--patience", "2m", "--abandons", "2 %", "--json")[1]
    assert json.loads(tight)["agents_needed"] == 15


def test_a_table_over_numbers_of_agents() -> None:
    found = json.loads(asked("--calls", "200", "--handle", "3m", "--agents", "9..12", "--json")[1])
    assert [row["agents"] for row in found["table"]] == [9, 10, 11, 12]
    assert found["table"][0]["asa_s"] is None  # never


def test_lines() -> None:
    status, text = asked("--calls", "200", "--handle", "3m", "--lines")
    assert status == 0 and "18 lines needed" in text
    found = json.loads(asked("--calls", "200", "--handle", "3m", "--lines", "--agents", "10", "--json")[1])
    assert found["table"][0]["blocked"] == pytest.approx(0.21458, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--handle", "3x"), "--handle: expected a time as 90, 90s, 3m or 1h30m, found 3x"),
        (("--handle", "0"), "--handle: expected a time above 0, found 0"),
        (("--per", "0s"), "--per: expected a time above 0, found 0"),
        (("--patience", "0"), "--patience: expected a time above 0, found 0"),
        (("--target", "180 %"), "--target: expected a share as 80 % or 0.8, found 180 %"),
        (("--agents", "9-12"), "--agents: expected a number, or two as 10..20, found 9-12"),
        (("--agents", "12..9"), "--agents: expected a number, or two as 10..20, found 12..9"),
        (("--agents", "1..5000"), "--agents: expected at most 1,000 rows, found 5,000"),
        (("--occupancy", "0"), "a million agents would not do"),
        (("--lines", "--blocked", "0"), "--blocked: expected a share above 0, found 0"),
        (("--handle", "10h", "--calls", "1e6"), "expected at most 100,000 erlangs, found 10,000,000"),
    ],
)
def test_what_is_wrong_is_said(words: tuple[str, ...], said: str) -> None:
    status, text = asked("--calls", "200", *words)
    assert status == 2
    assert said in text
