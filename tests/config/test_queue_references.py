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


def with_sections(text: str) -> str:
    """PARTS and the sections of `text`, which ` ; ` parts; what both have is joined."""
    parts = PARTS
    for section in text.split(" ; "):
        name, entries = section.split(": {", 1) if ": {" in section else (section, "")
        start = f"{name}: {{"
        there = f"\n{start}" in f"\n{PARTS}"
        parts = parts.replace(start, f"{start}{entries[:-1]}, ") if there else f"{parts}{section}\n"
    return parts


@pytest.mark.parametrize(("text", "problem"), wrong_queues())
def test_one_mistake(problems: Problems, text: str, problem: str) -> None:
    assert [p.removeprefix("site.yaml:") for p in problems(with_sections(text))] == [problem]


@pytest.mark.parametrize(
    "text",
    [
        # who is asked, or rung, may leave the circle
        "queues: {a: {max_wait_s: 9, overflow: ivr m}} ; ivr: {m: {s: {menu: tone:dial, keys: {1: q}}, "
        "q: {enqueue: a}}}",
        "queues: {a: {max_wait_s: 60, overflow: group g}} ; groups: {g: {extensions: [101], otherwise: queue a}}",
        "queues: {a: {keys: {0: queue b}}, b: {max_wait_s: 60, overflow: queue a}}",
        "queues: {a: {keys: {0: ivr m}}} ; ivr: {m: {s: {say: tone:dial, then: q}, q: {enqueue: a}}}",
        # nobody has waited for less than a minute for ever; not all of it holds at the same time
        "queues: {a: {leave: [{when: waited < 60, to: queue b}]}, b: {max_wait_s: 60, overflow: queue a}}",
        "queues: {a: {enter: [{when: waited > 60, to: queue b}]}, b: {enter: [{when: waited < 30, to: queue a}]}}",
        "queues: {a: {hours: sales, closed: queue b}, b: {hours: night, closed: queue a}} ; hours: {night: "
        "{open: {mon: [0:00-9:00, 10:00-24:00], tue-sun: 0:00-24:00}}}",
        "queues: {a: {enter: [{when: agents == 0, to: queue b}]}, b: {enter: [{when: free < 9, to: queue c}]}, c: {}}",
        "queues: {a: {keys: {0: extension 102, '*': hang up}, callback: {key: 1, hours: sales, through: carrier}}}",
        "queues: {a: {announce: {position: 3, wait: true, your_wait: tone:busy, wait_grown: tone:busy}}}",
        "queues: {a: {borrow: {when: 'service_level < 70 %', agents_of: b, needs: asia}}, b: {}}",
    ],
)
def test_nothing_wrong(site: LoadSite, text: str) -> None:
    assert site(with_sections(text))


def test_calendars_that_are_both_closed_on_a_holiday(problems: Problems) -> None:
    """At no hour of an ordinary week."""
    night = "mon: [0:00-9:00, 10:00-24:00], tue-sun: 0:00-24:00"
    circle = "queues: {a: {hours: day, closed: queue b}, b: {hours: night, closed: queue a}}\n"
    calendars = f"hours: {{day: {{open: {{mon: 9:00-10:00}}}}, night: {{holidays: FR, open: {{{night}}}}}}}\n"
    [problem] = problems(calendars + circle)
    assert "queue a (closed) -> queue b (closed) -> queue a" in problem


def test_a_thousand_queues_that_all_lead_on_are_checked_in_no_time(site: LoadSite) -> None:
    """Each to the next ten, and never back."""
    queues = [
        f"q{n}: {{leave: [{', '.join(f'{{when: waiting > {k}, to: queue q{n + k}}}' for k in range(1, 11))}]}}"
        for n in range(1000)
    ]
    queues += [f"q{n}: {{}}" for n in range(1000, 1010)]
    assert site(f"queues: {{{', '.join(queues)}}}\n")


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
        ("waiting >= 5 or waiting < 5", True, True),
        ("longest > 60 or longest < 61 and waiting >= 0", True, True),
        ("free > 2 and agents <= 2", False, False),
        ("free > 2 and agents < 4", True, False),
        ("agents >= 1 or on_duty < 1", True, True),
        ("ewt > 5 or ewt <= 5", True, False),
    ],
)
def test_rules_that_can_hold_or_always_do(rule: str, can: bool, always: bool) -> None:
    assert (parse(rule).can_hold(), parse(rule).always_holds()) == (can, always)
