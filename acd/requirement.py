"""The language in which a queue says whom it needs: `asia >= 5 and (french or english >= 7)`.

    requirement = all { "or" all }
    all         = one { "and" one }
    one         = "not" one | "(" requirement ")" | value [ comparison value ]
    comparison  = ">=" | ">" | "<=" | "<" | "==" | "=" | "!="
    value       = number | "text" | 'text' | SKILL | skill( "text" | call.NAME ) | call.NAME

* `asia` is the agent's level, 0 to 10; alone it means `asia >= 1`. `skill(call.destination)` is the level of the skill
  that the call names; `skill("far east")` writes a skill whose name is no plain word.
* `call.basket` is an attribute of the call; alone it means: there, and neither 0 nor empty. Beside a number it is read
  as a number, and counts as 0 if missing; beside a text it is read as text, and counts as "" if missing.
  What cannot be read as a number is neither more, nor less, nor equal.

Read once, at load. The result answers for all agents at once, as a set (see `skills.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from acd.condition import WORDS, AllOf, AnyOf, Attribute, Attributes, Condition, Fact, Level, Not, Number, Skill, Text
from acd.errors import RequirementError
from acd.skills import SkillIndex

MAX_LENGTH = 1000  # characters
MAX_DEPTH = 30  # parentheses and nots inside each other
MAX_DIGITS = 15  # of a number


@dataclass(frozen=True, slots=True)
class Requirement:
    """A compiled expression. `str()` of it reads back as the same."""

    condition: Condition
    skills: dict[str, int] = field(compare=False)  # skills it names, each with the column of its first mention
    attributes: frozenset[str]  # attributes of the call it looks at
    named_by: tuple[str, ...] = ()  # those of them that name a skill

    def __str__(self) -> str:
        return str(self.condition)

    def fits(self, index: SkillIndex, call: Attributes) -> int:
        """The set of agents who fulfil it for this call."""
        return self.condition.fits(index, call)

    def named(self, call: Attributes) -> tuple[str, ...]:
        """The skills it names, with those that this call names."""
        if not self.named_by:
            return tuple(self.skills)
        return tuple(dict.fromkeys((*self.skills, *(str(call.get(name, "")) for name in self.named_by))))

    def lack(self, levels: Mapping[str, int], call: Attributes) -> str:
        """Why an agent with these levels does not fulfil it: `asia 3 < 5, french 0 < 1`; "" if he does."""
        return self.condition.lack(levels, call)

    def bounds(self, index: SkillIndex) -> tuple[int, int]:
        """The agents who fulfil it whatever the call, and (at most) those who do for some call."""
        return self.condition.bounds(index)


def parse(text: str) -> Requirement:
    """Compile an expression. Raises `RequirementError` with the column of the mistake."""
    if len(text) > MAX_LENGTH:
        raise RequirementError(f"expected at most {MAX_LENGTH} characters (found {len(text)})", text, MAX_LENGTH + 1)
    parser = _Parser(text)
    condition = parser.whole()
    return Requirement(condition, parser.skills, frozenset(parser.attributes), tuple(parser.named_by))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, call, word, comparison, bracket, end
    value: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.value}`"


_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?)(?![\w.])
    |(?P<text>"[^"]*"|'[^']*')
    |call\s*\.\s*(?P<call>[^\W\d]\w*)
    |(?P<word>[^\W\d][\w-]*)
    |(?P<comparison>>=|<=|==|!=|>|<|=)
    |(?P<bracket>[()])
    |(?P<end>$))""",
    re.VERBOSE,
)
_MIRRORED = {">=": "<=", ">": "<", "<=": ">=", "<": ">", "==": "==", "!=": "!="}
_Value = Number | Text | Attribute | Skill


class _Parser:
    """Recursive descent; one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.skills: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.named_by: dict[str, None] = {}
        self._end = 0
        self._depth = 0
        self.token = self._next()

    def whole(self) -> Condition:
        condition = self._any()
        if self.token.kind != "end":
            raise self._error("expected `and`, `or` or the end")
        return condition

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._accept("word", "or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._accept("word", "and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"expected at most {MAX_DEPTH} parentheses and nots inside each other")
        condition: Condition
        if self._accept("word", "not"):
            condition = Not(self._one())
        elif self._accept("bracket", "("):
            condition = self._any()
            if not self._accept("bracket", ")"):
                raise self._error("expected `)`")
        else:
            condition = self._comparison()
        self._depth -= 1
        return condition

    def _comparison(self) -> Condition:
        start = self.token
        left = self._value()
        if self.token.kind == "comparison":
            sign = self._take().value
            at = self.token
            return self._compare(left, "==" if sign == "=" else sign, self._value(), start, at)
        if isinstance(left, Skill):
            return Level(left, ">=", Number(1))
        if isinstance(left, Attribute):
            return Fact(left)
        raise self._error("expected a comparison (>= > <= < == !=)")

    def _compare(self, left: _Value, sign: str, right: _Value, start: _Token, at: _Token) -> Condition:
        if not isinstance(left, Skill) and (isinstance(right, Skill) or not isinstance(left, Attribute)):
            left, right, sign, start, at = right, left, _MIRRORED[sign], at, start
        if isinstance(left, Skill):
            if isinstance(right, Number | Attribute):
                return Level(left, sign, right)
            raise self._error("expected a number or call.NAME beside a skill", at)
        if isinstance(left, Attribute) and not isinstance(right, Skill):
            if isinstance(right, Text) and sign not in ("==", "!="):
                raise self._error("expected == or != beside a text", at)
            return Fact(left, sign, right)
        raise self._error("expected a skill or call.NAME on one side of the comparison", at)

    def _value(self) -> _Value:
        token = self.token
        if token.kind == "number":
            if len(token.value) > MAX_DIGITS:
                raise self._error(f"expected a number of at most {MAX_DIGITS} characters")
            return Number(float(self._take().value))
        if token.kind == "text":
            return Text(self._take().value[1:-1])
        if token.kind == "call":
            self.attributes.add(token.value)
            return Attribute(self._take().value)
        if token.kind == "word" and token.value == "skill":
            self._take()
            return self._skill()
        if token.kind == "word" and token.value not in WORDS:
            self.skills.setdefault(token.value, token.column)
            return Skill(self._take().value)
        if token.value == "call":
            raise self._error("expected call.NAME")
        raise self._error("expected a skill, call.NAME, a number or a text")

    def _skill(self) -> Skill:
        if not self._accept("bracket", "("):
            raise self._error("expected `(` after skill")
        token = self.token
        if token.kind not in ("text", "call"):
            raise self._error('expected call.NAME or "SKILL"')
        named = self._value()
        if not self._accept("bracket", ")"):
            raise self._error("expected `)`")
        if isinstance(named, Attribute):
            self.named_by[named.name] = None
            return Skill(named)
        self.skills.setdefault(token.value[1:-1], token.column)
        return Skill(token.value[1:-1])

    # --- tokens ---

    def _next(self) -> _Token:
        match = _TOKEN.match(self.text, self._end)
        if match is None:
            rest = self.text[self._end :]
            column = self._end + len(rest) - len(rest.lstrip()) + 1
            found = self.text[column - 1]
            what = "a closing quote" if found in "\"'" else "a skill, call.NAME, a number, a text or a comparison"
            raise RequirementError(f"expected {what} (found `{found}`)", self.text, column)
        kind = match.lastgroup or "end"
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        self._end = match.end()
        return _Token(kind, match[kind], start + 1)

    def _take(self) -> _Token:
        token, self.token = self.token, self._next()
        return token

    def _accept(self, kind: str, value: str) -> bool:
        if self.token.kind == kind and self.token.value == value:
            self._take()
            return True
        return False

    def _error(self, expected: str, token: _Token | None = None) -> RequirementError:
        token = token or self.token
        return RequirementError(f"{expected} (found {token})", self.text, token.column)
