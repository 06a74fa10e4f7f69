"""The small language of rules about a queue: `waiting >= 20`, `waited > 3m and ewt > 10m`, `service_level < 70 %`.

    rule  = all { "or" all }
    all   = one { "and" one }
    one   = FACT comparison NUMBER [ unit ]        unit: s, m, h for times, % for shares

`not` and brackets are not needed: each comparison has its opposite.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from pydantic import BeforeValidator

from config.fields import Expected
from config.suggestion import did_you_mean

#: What a rule may ask, each with its unit ("s", "%", "").
FACTS: Final[dict[str, str]] = {
    "agents": "",  # logged in, of those who could take a call of the queue
    "on_duty": "",  # of these, neither not ready nor logged out
    "free": "",  # of these, available now
    "waiting": "",  # calls in the queue that no agent has
    "waiting_per_agent": "",  # waiting / on_duty
    "longest": "s",  # the longest wait in the queue
    "waited": "s",  # by this call, in whatever queue
    "position": "",  # of this call; 1 is next
    "ewt": "s",  # expected wait of this call
    "service_level": "%",  # of the last quarter of an hour
    "abandoned": "%",  # likewise
}
#: Facts of one call, not of the queue.
OF_CALL: Final = frozenset({"waited", "position", "ewt"})
_MEASURED: Final = frozenset({"ewt", "service_level", "abandoned"})  # which nobody may know
_COUNTS: Final = frozenset({"agents", "on_duty", "free", "waiting", "position"})
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "==": operator.eq, "=": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
_ONE = re.compile(r"\s*([a-z_]+)\s*(>=|<=|==|!=|>|<|=)\s*(\d+(?:\.\d+)?)\s*([a-z%]*)\s*")
_EXPECTED = "a rule about the queue, as waiting >= 20, waited > 3m and ewt > 10m, service_level < 70 %"


class Known(Protocol):
    """What is known of a queue and a call: a mapping will do."""

    def get(self, fact: str, /) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """`waited > 180`"""

    fact: str
    sign: str
    number: float  # in s, %, or plain

    def holds(self, facts: Known) -> bool:
        """A fact that nobody knows (yet) makes no comparison true."""
        value = facts.get(self.fact)
        return value is not None and _OPERATORS[self.sign](value, self.number)

    def __str__(self) -> str:
        unit = FACTS[self.fact]
        return f"{self.fact} {self.sign} {self.number:.15g}{' ' + unit if unit else ''}"


@dataclass(frozen=True, slots=True)
class QueueRule:
    """One of `either` holds if all its comparisons do."""

    either: tuple[tuple[Comparison, ...], ...]

    @property
    def facts(self) -> frozenset[str]:
        """What it asks."""
        return frozenset(one.fact for every in self.either for one in every)

    def holds(self, facts: Known) -> bool:
        return any(all(one.holds(facts) for one in every) for every in self.either)

    def can_hold(self) -> bool:
        """Whether there could be a queue and a call for which it holds."""
        return any(all(_possible(fact, every) for fact in {one.fact for one in every}) for every in self.either)

    def always_holds(self) -> bool:
        """Whether one of its parts holds for every queue and call."""
        return any(
            all(one.fact not in _MEASURED and all(one.holds({one.fact: n}) for n in _values(one.fact, every))
                for one in every)
            for every in self.either
        )  # fmt: skip

    def __str__(self) -> str:
        return " or ".join(" and ".join(map(str, every)) for every in self.either)


def _values(fact: str, every: tuple[Comparison, ...]) -> list[float]:
    """Values that a fact could have, enough to try what is said of it: the bounds, the numbers it is compared with, and
    one between each two."""
    lowest = 1.0 if fact == "position" else 0.0
    highest = 100.0 if FACTS[fact] == "%" else max([one.number for one in every], default=0.0) + 2
    numbers = sorted({lowest, highest, *(one.number for one in every if lowest <= one.number <= highest)})
    if fact in _COUNTS:
        around = {number for n in numbers for number in (float(int(n)) - 1, float(int(n)), float(int(n)) + 1)}
        return sorted(number for number in around if lowest <= number <= highest)
    return [*numbers, *((a + b) / 2 for a, b in itertools.pairwise(numbers))]


def _possible(fact: str, every: tuple[Comparison, ...]) -> bool:
    of_fact = tuple(one for one in every if one.fact == fact)
    return any(all(one.holds({fact: value}) for one in of_fact) for value in _values(fact, of_fact))


def parse(text: str) -> QueueRule:
    """ValueError, in an admin's words, if it can't be read."""
    either = re.split(r"\bor\b", text)
    return QueueRule(tuple(tuple(_comparison(one) for one in re.split(r"\band\b", every)) for every in either))


def _comparison(text: str) -> Comparison:
    found = _ONE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected {_EXPECTED}")
    fact, sign, number, unit = found.groups()
    if fact not in FACTS:
        hint = did_you_mean(fact, FACTS)
        raise ValueError(f"expected one of: {', '.join(FACTS)}" + (f" - {hint}" if hint else ""))
    kind = FACTS[fact]
    allowed = ("", *_SECONDS) if kind == "s" else ("", kind)
    if unit not in allowed:
        raise ValueError(f"expected {fact} as " + ("seconds, minutes or hours: 90, 90s, 3m, 1h" if kind == "s" else
                         "a share: 70 %" if kind == "%" else "a number without a unit"))  # fmt: skip
    return Comparison(fact, "==" if sign == "=" else sign, float(number) * _SECONDS.get(unit, 1.0))


def _rule(value: object) -> QueueRule:
    if isinstance(value, QueueRule):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {_EXPECTED}")
    return parse(value)


QueueRuleText = Annotated[QueueRule, BeforeValidator(_rule, json_schema_input_type=str), Expected(_EXPECTED)]
