"""What a requirement says once it is read: conditions on agents' levels and on attributes of the call.

Each condition answers with the set of agents (see `skills.py`) who fulfil it for a call, with bounds over all calls,
and with what one agent lacks for a call (in words; "" if nothing).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from acd.skills import MAX_LEVEL, SkillIndex

Attributes = Mapping[str, str | int | float]
WORDS = frozenset({"and", "or", "not", "call", "skill"})  # have a meaning of their own, name no skill
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip

_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">=", "==": "!=", "!=": "=="}


# --- values ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    value: float

    def __str__(self) -> str:
        return f"{self.value:.15g}"


@dataclass(frozen=True, slots=True)
class Text:
    value: str

    def __str__(self) -> str:
        return f"'{self.value}'" if '"' in self.value else f'"{self.value}"'


@dataclass(frozen=True, slots=True)
class Attribute:
    """`call.NAME`"""

    name: str

    def __str__(self) -> str:
        return f"call.{self.name}"


@dataclass(frozen=True, slots=True)
class Skill:
    """The agent's level in a skill, named here or by an attribute of the call."""

    name: str | Attribute

    def __str__(self) -> str:
        if isinstance(self.name, Attribute):
            return f"skill({self.name})"
        plain = re.fullmatch(r"[^\W\d][\w-]*", self.name) and self.name not in WORDS
        return self.name if plain else f"skill({Text(self.name)})"


def as_number(value: str | int | float | None) -> float:
    """An attribute as a number: missing or empty is 0, what cannot be read is NaN."""
    if value is None or value == "":
        return 0.0
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


# --- conditions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Level:
    """A skill's level compared with a number, or with an attribute of the call."""

    skill: Skill
    comparison: str
    than: Number | Attribute

    def __str__(self) -> str:
        return f"{self.skill} {self.comparison} {self.than}"

    def _read(self, call: Attributes) -> tuple[str, float]:
        """Of which skill, compared with what."""
        name, than = self.skill.name, self.than
        skill = name if isinstance(name, str) else str(call.get(name.name, ""))
        return skill, than.value if isinstance(than, Number) else as_number(call.get(than.name))

    def lack(self, levels: Mapping[str, int], call: Attributes) -> str:
        skill, level = self._read(call)
        has = levels.get(skill, 0)
        if _OPERATORS[self.comparison](has, level):
            return ""
        return f"{skill} {has} {_OPPOSITE[self.comparison]} {level:g}"

    def fits(self, index: SkillIndex, call: Attributes) -> int:
        skill, level = self._read(call)
        if self.comparison == ">=":
            return index.at_least(skill, level)
        compare = _OPERATORS[self.comparison]
        found = 0
        for n in range(MAX_LEVEL + 1):
            if compare(n, level):
                found |= index.exactly(skill, n)
        return found

    def bounds(self, index: SkillIndex) -> tuple[int, int]:
        if isinstance(self.skill.name, Attribute) or isinstance(self.than, Attribute):
            return 0, index.everyone
        found = self.fits(index, {})
        return found, found


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the call alone: an attribute is there, or compares with another value."""

    left: Attribute
    comparison: str | None = None  # None: it is there and neither 0 nor empty
    right: Number | Text | Attribute | None = None

    def __str__(self) -> str:
        return str(self.left) if self.comparison is None else f"{self.left} {self.comparison} {self.right}"

    def holds(self, call: Attributes) -> bool:
        left, right = call.get(self.left.name), self.right
        if self.comparison is None:
            return bool(left)
        compare = _OPERATORS[self.comparison]
        if isinstance(right, Number):
            return compare(as_number(left), right.value)
        other = right.value if isinstance(right, Text) else call.get(right.name) if right else None
        if isinstance(right, Attribute) and not (math.isnan(as_number(left)) or math.isnan(as_number(other))):
            return compare(as_number(left), as_number(other))
        same = str("" if left is None else left) == str("" if other is None else other)
        return same if self.comparison == "==" else not same if self.comparison == "!=" else False

    def lack(self, levels: Mapping[str, int], call: Attributes) -> str:
        return "" if self.holds(call) else f"not {self}"

    def fits(self, index: SkillIndex, call: Attributes) -> int:
        return index.everyone if self.holds(call) else 0

    def bounds(self, index: SkillIndex) -> tuple[int, int]:
        return 0, index.everyone


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AllOf | AnyOf) else str(part) for part in self.parts)

    def lack(self, levels: Mapping[str, int], call: Attributes) -> str:
        return ", ".join([lack for part in self.parts if (lack := part.lack(levels, call))])

    def fits(self, index: SkillIndex, call: Attributes) -> int:
        found = index.everyone
        for part in self.parts:
            found &= part.fits(index, call)
            if not found:
                break
        return found

    def bounds(self, index: SkillIndex) -> tuple[int, int]:
        sure, possible = index.everyone, index.everyone
        for part in self.parts:
            low, high = part.bounds(index)
            sure, possible = sure & low, possible & high
        return sure, possible


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)

    def lack(self, levels: Mapping[str, int], call: Attributes) -> str:
        lacks = [part.lack(levels, call) for part in self.parts]
        return " and ".join(lacks) if all(lacks) else ""

    def fits(self, index: SkillIndex, call: Attributes) -> int:
        found = 0
        for part in self.parts:
            found |= part.fits(index, call)
        return found

    def bounds(self, index: SkillIndex) -> tuple[int, int]:
        sure, possible = 0, 0
        for part in self.parts:
            low, high = part.bounds(index)
            sure, possible = sure | low, possible | high
        return sure, possible


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition

    def __str__(self) -> str:
        return f"not ({self.part})" if isinstance(self.part, AllOf | AnyOf) else f"not {self.part}"

    def lack(self, levels: Mapping[str, int], call: Attributes) -> str:
        return "" if self.part.lack(levels, call) else str(self)

    def fits(self, index: SkillIndex, call: Attributes) -> int:
        return index.everyone & ~self.part.fits(index, call)

    def bounds(self, index: SkillIndex) -> tuple[int, int]:
        low, high = self.part.bounds(index)
        return index.everyone & ~high, index.everyone & ~low


Condition = Level | Fact | AllOf | AnyOf | Not
