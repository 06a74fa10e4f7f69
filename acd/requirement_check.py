"""Whether a requirement can hold at all, and whether it always does, whoever the agents and whatever the call.

It is tried: on agents with every level that could make a difference in each of its skills, and on calls with every
such value of each attribute. Between the numbers that something is compared with, one value is as good as another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Literal

from acd.condition import AllOf, AnyOf, Attribute, Condition, Fact, Level, Not, Number, Text
from acd.requirement import Requirement
from acd.skills import MAX_LEVEL, SkillIndex

MOST = 4096  # agents that are tried, all at once; calls, one after the other


def verdict(requirement: Requirement) -> Literal["never", "always"] | None:
    """None: sometimes, or there would be too much to try."""
    parts = [*leaves(requirement.condition)]
    skills = [*requirement.skills, *(f"what {name} names" for name in requirement.named_by)]  # a skill not told here
    levels, names, values = _levels(parts), sorted(requirement.attributes), _values(parts, skills)
    if len(levels) ** len(skills) > MOST or len(values) ** len(names) > MOST:
        return None
    agents = itertools.product(levels, repeat=len(skills))
    index = SkillIndex((slot, dict(zip(skills, agent, strict=True))) for slot, agent in enumerate(agents))
    found = []
    for call in itertools.product(values, repeat=len(names)):
        attributes = {name: value for name, value in zip(names, call, strict=True) if value is not None}
        found.append(requirement.fits(index, attributes))
    return "never" if not any(found) else "always" if all(fits == index.everyone for fits in found) else None


def leaves(condition: Condition) -> Iterator[Level | Fact]:
    """The single comparisons."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def _levels(parts: list[Level | Fact]) -> list[int]:
    """Of an agent, in whatever skill."""
    found = {0, MAX_LEVEL}
    for leaf in parts:
        if isinstance(leaf, Level) and isinstance(leaf.than, Attribute):
            return [*range(MAX_LEVEL + 1)]
        if isinstance(leaf, Level) and isinstance(leaf.than, Number):
            found |= {math.floor(leaf.than.value) + n for n in (-1, 0, 1)}
    return sorted(level for level in found if 0 <= level <= MAX_LEVEL)


def _values(parts: list[Level | Fact], skills: list[str]) -> list[str | float | None]:
    """Of a call's attribute, whichever. None: it has none."""
    texts, numbers = {"a text", *skills}, {0.0, 1.0}
    for leaf in parts:
        if isinstance(leaf, Level) and isinstance(leaf.than, Attribute):
            numbers |= {float(level) for level in range(MAX_LEVEL + 1)}
        elif isinstance(leaf, Fact) and isinstance(leaf.right, Text):
            texts.add(leaf.right.value)
        elif isinstance(leaf, Fact) and isinstance(leaf.right, Number):
            numbers.add(leaf.right.value)
    told = sorted(numbers)
    between = [(a + b) / 2 for a, b in itertools.pairwise(told)]
    return [None, *sorted(texts), told[0] - 1, *told, *between, told[-1] + 1]
