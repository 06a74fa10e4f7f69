"""The section `tolls` of a site file, and what is told of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SiteError
from config.loader import load

HEAD = """site: x
listen: {sip: [udp:127.0.0.1:5060]}
extensions: {101: {password: a, tolls: {calls: 2}}}
tolls:
  calls: 4
  classes:
"""
LIMITS = """site: x
listen: {sip: [udp:127.0.0.1:5060]}
extensions: {101: {password: a, tolls: {spend_per_day: 2.50}}, 102..199: {password: b, tolls: {spend_per_day: 7}}}
tolls:
  calls: 4
  spend_per_day: 20
  site_spend_per_day: 300
"""


def problems(tmp_path: Path, classes: str, head: str = HEAD) -> list[str]:
    path = tmp_path / "site.yaml"
    path.write_text(head + classes)
    with pytest.raises(SiteError) as caught:
        load(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + "    mobile: {numbers: [mobile, +33 1 80-(00)], per_minute: 0.1, only: 101}\n")
    tolls = load(path).tolls
    assert tolls.classes["mobile"].numbers == ("mobile", "+3318000")
    assert tolls.classes["mobile"].only == ("101",)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a: {numbers: 0899}", 'expected the beginning of a number, as +33 89; or one of premium, mobile, national'),
        ("a: {numbers: prenium}", "premium"),
        ("a: {numbers: []}", "numbers"),
        ("a: {numbers: any, per_minute: -1}", "per_minute"),
        ("a: {numbers: any, only: [105]}", "an existing extension (101)"),
        ("a: {numbers: any, per_hour: 1}", "expected a key of"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path: Path, line: str, told: str) -> None:
    (problem,) = problems(tmp_path, f"    {line}\n")
    assert problem.startswith("7:") and told in problem


def test_a_class_that_no_number_gets_to(tmp_path: Path) -> None:
    lines = '    gulf: {numbers: "+971"}\n    dubai: {numbers: ["+966", "+97150"]}\n    gulf2: {numbers: "+971"}\n'
    first, second = problems(tmp_path, lines)
    assert 'numbers that no class before has (+971 is in gulf), found "+97150"' in first and first.startswith("8:")
    assert second.startswith("9:")
    (after,) = problems(tmp_path, '    all: {numbers: any}\n    gulf: {numbers: "+971"}\n')
    assert "any is in all" in after


@pytest.mark.parametrize(
    "classes",
    [
        "", "  classes: {}\n", "  classes: {home: {numbers: national}}\n",
        "  classes: {a: {numbers: any, per_call: 0}}\n",
        "  classes: {hotlines: {numbers: premium, per_minute: 2, allowed: false}}\n",
    ],
)  # fmt: skip
def test_money_without_a_price(tmp_path: Path, classes: str) -> None:
    """It would never be spent."""
    own, others, site, all_together = problems(tmp_path, classes, LIMITS)
    assert own.startswith("3:56: extensions.101.tolls.spend_per_day: ") and "found 2.5 - " in own
    assert others.startswith("3:111: ") and "found 7 - " in others
    assert site == (
        "6:18: tolls.spend_per_day: expected a class of numbers that may be called and has a price: nothing else is "
        "counted, found 20 - add one, as classes: {abroad: {numbers: abroad, per_minute: 0.60}}"
    )
    assert all_together.startswith("7:23: tolls.site_spend_per_day: ") and "found 300 - " in all_together


@pytest.mark.parametrize("price", ["per_minute", "per_call"])
def test_money_and_a_price(tmp_path: Path, price: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"{LIMITS}  classes: {{a: {{numbers: national}}, b: {{numbers: any, {price}: 0.01}}}}\n")
    assert load(path).tolls.spend_per_day == 20


def test_a_price_that_was_misspelt_is_all_that_is_told(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "  classes: {a: {numbers: any, per_mniute: 1}}\n", LIMITS)
    assert problem.startswith("8:") and "per_minute" in problem
