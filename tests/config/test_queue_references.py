"""What the schema cannot see of queues: names, rules that never hold, circles, calendars. One case for each mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.queue_rules import parse
from config.schema import Site

LoadSite = Callable[..., Site]
Problems = Callable[..., list[str]]

PARTS = """\
extensions: {101: {password: x}, 102: {password: x}}
hours: {sales: {open: {mon: 9:00-10:00}}}
agents: {ann: {extension: 101, skills: {asia: 5}}}
trunks: {carrier: {gateway: sip:h}, in: {from: 192.0.2.1}}
"""
"""Lines 3 to 6 of a site."""


def wrong_queues() -> list[tuple[str, str]]:
    lines = Path(__file__).with_name("wrong_queues.txt").read_text("utf-8").splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    return list(zip(told[::2], told[1::2], strict=True))


@pytest.mark.parametrize(("text", "problem"), wrong_queues())
def test_one_mistake(problems: Problems, text: str, problem: str) -> None:
    assert [p.removeprefix("site.yaml:") for p in problems(PARTS + text)] == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "queues: {a: {max_wait_s: 60, overflow: queue b}, b: {max_wait_s: 60, overflow: queue a}}",
        "queues: {a: {leave: [{when: agents == 0, to: queue b}]}, b: {leave: [{when: agents == 0, to: queue a}]}}",
        "queues: {a: {enter: [{when: agents == 0, to: queue b}]}, b: {enter: [{when: free < 9, to: queue c}]}, c: {}}",
        "queues: {a: {hours: sales, closed: queue b}, b: {emergency: queue a}}",
        "queues: {a: {keys: {0: extension 102, '*': hang up}, callback: {key: 1, hours: sales, through: carrier}}}",
        "queues: {a: {announce: {position: 3, wait: true, your_wait: tone:busy, wait_grown: tone:busy}}}",
        "queues: {a: {borrow: {when: 'service_level < 70 %', agents_of: b, needs: asia}}, b: {}}",
    ],
)
def test_nothing_wrong(site: LoadSite, text: str) -> None:
    assert site(PARTS + text)


@pytest.mark.parametrize(
    ("rule", "can", "always"),
    [
        ("waiting >= 20", True, False),
        ("waiting > 3 and waiting < 5", True, False),
        ("waiting > 3 and waiting < 4", False, False),
        ("longest > 3 and longest < 4", True, False),
        ("waiting == 2.5", False, False),
        ("agents < 0", False, False),
        ("agents < 0 or agents > 5", True, False),
        ("position >= 1", True, True),
        ("position = 0", False, False),
        ("agents >= 0 and waited >= 0", True, True),
        ("agents > 5 or longest >= 0", True, True),
        ("service_level >= 0 %", True, False),  # nobody may know it
        ("abandoned > 99 % and abandoned < 100 %", True, False),
        ("abandoned > 100 %", False, False),
        ("ewt > 10m and ewt <= 600", False, False),
        ("waiting != 3", True, False),
    ],
)
def test_rules_that_can_hold_or_always_do(rule: str, can: bool, always: bool) -> None:
    assert (parse(rule).can_hold(), parse(rule).always_holds()) == (can, always)
