"""The small language of rules about a queue: `waiting >= 20`, `waited > 3m and ewt > 10m`, `service_level < 70 %`.

    rule  = all { "or" all }
    all   = one { "and" one }
    one   = FACT comparison NUMBER [ unit ]        unit: s, m, h for times, % for shares

`not` and brackets are not needed: each comparison has its opposite.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Collection, Sequence
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
_OF_AGENTS: Final = ("free", "on_duty", "agents")  # none is more than those after it
_COUNTS: Final = frozenset({"agents", "on_duty", "free", "waiting", "position"})
MOST_TRIED: Final = 50_000  # situations, to find out whether a rule can hold
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

    def numbers(self, facts: Collection[str]) -> frozenset[float]:
        """What these are compared with."""
        return frozenset(one.number for every in self.either for one in every if one.fact in facts)

    def holds(self, facts: Known) -> bool:
        return any(all(one.holds(facts) for one in every) for every in self.either)

    def values(self, *facts: str) -> frozenset[float]:
        """The numbers that these are compared with."""
        return frozenset(one.number for every in self.either for one in every if one.fact in facts)

    def can_hold(self, waited_s: float | None = None) -> bool:
        """Whether there could be a queue and a call (one that has waited for so long) for which it holds."""
        for every in self.either:
            part = QueueRule((every,))
            tried = _situations(part, waited_s)
            if tried is None or any(part.holds(facts) for facts in tried):
                return True
        return False

    def always_holds(self) -> bool:
        """Whether it holds for every queue and call."""
        tried = _situations(self)
        return tried is not None and all(self.holds(facts) for facts in tried)

    def __str__(self) -> str:
        return " or ".join(" and ".join(map(str, every)) for every in self.either)


def _situations(rule: QueueRule, waited_s: float | None = None) -> list[dict[str, float]] | None:
    """Queues and calls, enough to try the rule on: each value that a fact could have with each of the others. What is
    measured may be unknown. None if they are too many: then nobody says what holds."""
    values: dict[str, Sequence[float | None]] = {fact: _values(fact, rule) for fact in sorted(rule.facts)}
    if waited_s is not None and "waited" in values:
        values["waited"] = [waited_s]
    if math.prod(map(len, values.values())) > MOST_TRIED:
        return None
    found = []
    for chosen in itertools.product(*values.values()):
        facts = {fact: value for fact, value in zip(values, chosen, strict=True) if value is not None}
        of_agents = [facts[fact] for fact in _OF_AGENTS if fact in facts]
        if of_agents == sorted(of_agents):
            found.append(facts)
    return found


def _values(fact: str, rule: QueueRule) -> Sequence[float | None]:
    """Values that a fact could have, enough to try what is said of it: the bounds, the numbers it is compared with, and
    one between each two."""
    told = rule.numbers(_OF_AGENTS if fact in _OF_AGENTS else (fact,))
    lowest = 1.0 if fact == "position" else 0.0
    highest = 100.0 if FACTS[fact] == "%" else max(told, default=0.0) + 2
    numbers = sorted({lowest, highest, *(number for number in told if lowest <= number <= highest)})
    if fact in _COUNTS:
        around = {number for n in numbers for number in (float(int(n)) - 1, float(int(n)), float(int(n)) + 1)}
        return sorted(number for number in around if lowest <= number <= highest)
    return [*numbers, *((a + b) / 2 for a, b in itertools.pairwise(numbers)), *([None] if fact in _MEASURED else [])]


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
    if kind == "%" and not unit and 0 < float(number) < 1:
        raise ValueError(f"expected {fact} in %: {100 * float(number):.6g} %")
    return Comparison(fact, "==" if sign == "=" else sign, float(number) * _SECONDS.get(unit, 1.0))


def _rule(value: object) -> QueueRule:
    if isinstance(value, QueueRule):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {_EXPECTED}")
    return parse(value)


QueueRuleText = Annotated[QueueRule, BeforeValidator(_rule, json_schema_input_type=str), Expected(_EXPECTED)]
