"""The language of `needs`: what it means, where mistakes are, and that it reads back what it writes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.condition import AllOf, AnyOf, Attribute, Condition, Fact, Level, Not, Number, Skill, Text
from acd.errors import RequirementError
from acd.requirement import MAX_DEPTH, MAX_LENGTH, Requirement, parse
from acd.skills import SkillIndex

AGENT = {"asia": 5, "french": 1, "english": 8, "far east": 3}
INDEX = SkillIndex([(0, AGENT)])


def fits(text: str, call: Mapping[str, str | int | float] | None = None) -> bool:
    return bool(parse(text).fits(INDEX, call or {}))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("asia >= 5 and (french or english >= 7)", True),
        ("asia", True),
        ("cruise", False),
        ("not cruise", True),
        ("asia > 5", False),
        ("asia < 6", True),
        ("asia <= 5 and asia >= 5 and asia == 5 and asia = 5", True),
        ("asia != 5", False),
        ("cruise == 0", True),
        ("cruise >= 0", True),
        ("asia >= 11", False),
        ("asia >= -1", True),
        ("asia > 4.5", True),
        ("asia >= 5.5", False),
        ("5 <= asia", True),
        ("5 < asia", False),
        ("cruise or asia and french", True),  # `and` binds closer
        ("asia and cruise or french", True),
        ("(cruise or asia) and cruise", False),
        ("not asia or french", True),
        ("not (asia or french)", False),
        ("not not asia", True),
        ("skill('far east') >= 3", True),
        ('skill("far east") > 3', False),
        ("asia_pacific or asia-pacific", False),
        ("\n asia\t>=  5 ", True),
    ],
)
def test_skills(text: str, answer: bool) -> None:
    assert fits(text) is answer


@pytest.mark.parametrize(
    ("text", "call", "answer"),
    [
        ("call.basket >= 2000", {"basket": 2300.0}, True),
        ("call.basket >= 2000", {"basket": "2300"}, True),  # as typed by the caller
        ("call.basket >= 2000", {"basket": "much"}, False),
        ("call.basket < 2000", {"basket": "much"}, False),
        ("call.basket == call.limit", {"basket": "much", "limit": "much"}, True),
        ("call.basket >= 2000", {}, False),
        ("call.basket < 2000", {}, True),
        ("2000 <= call.basket", {"basket": 2000}, True),
        ("call.basket", {"basket": 0}, False),
        ("call.basket", {"basket": 1}, True),
        ("call.language == 'fr'", {"language": "fr"}, True),
        ("'fr' = call.language", {"language": "fr"}, True),
        ("call.language != 'fr'", {}, True),
        ("call.language == ''", {}, True),
        ("call.tier == '1'", {"tier": 1}, True),
        ("call.paid >= call.price", {"paid": "10", "price": 9.5}, True),
        ("call.paid > call.price", {"paid": "a", "price": "b"}, False),
        ("skill(call.destination) >= 5", {"destination": "asia"}, True),
        ("skill(call.destination) >= 5", {"destination": "french"}, False),
        ("skill(call.destination)", {"destination": "far east"}, True),
        ("skill(call.destination)", {}, False),
        ("english >= call.level", {"level": 8}, True),
        ("english >= call.level", {"level": 9}, False),
        ("english > call.level", {"level": "x"}, False),
        ("english >= call.level", {"level": "x"}, False),
        ("english >= call.level", {"level": "nan"}, False),
        ("english < call.level", {"level": "1e400"}, False),
    ],
)
def test_attributes(text: str, call: dict[str, str | int | float], answer: bool) -> None:
    assert fits(text, call) is answer


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "found the end"),
        ("asia >=", 8, "expected a skill, call.NAME, a number or a text"),
        ("asia >= and", 9, "found `and`"),
        ("(asia", 6, "expected `)`"),
        ("asia)", 5, "expected `and`, `or` or the end"),
        ("asia english", 6, "found `english`"),
        ("5 > 3", 1, "expected a skill or call.NAME on one side"),
        ("5", 2, "expected a comparison"),
        ("'fr'", 5, "expected a comparison"),
        ("call.", 1, "expected call.NAME"),
        ("asia > europe", 8, "expected a number or call.NAME beside a skill"),
        ("asia == 'high'", 9, "expected a number or call.NAME beside a skill"),
        ("call.language < 'fr'", 17, "expected == or != beside a text"),
        ("asia ~ 5", 6, "found `~`"),
        ("asia and 'abc", 10, "expected a closing quote"),
        ("asia > 5x", 8, "found `5`"),
        ("asia > 1234567890123456", 8, "at most 15 characters"),
        ("skill asia", 7, "expected `(` after skill"),
        ("skill(asia)", 7, 'expected call.NAME or "SKILL"'),
        ("skill(call.x", 13, "expected `)`"),
        ("asia >= 5 and or", 15, "found `or`"),
        ("asia >= 5 >= 3", 11, "expected `and`, `or` or the end"),
        ("not", 4, "found the end"),
        ("a" * (MAX_LENGTH + 1), MAX_LENGTH + 1, "at most 1000 characters"),
        ("(" * 500 + "asia", MAX_DEPTH + 1, "inside each other"),
        ("not " * 200 + "asia", MAX_DEPTH * 4 + 1, "inside each other"),
    ],
)
def test_mistakes_are_located(text: str, column: int, words: str) -> None:
    with pytest.raises(RequirementError) as caught:
        parse(text)
    assert caught.value.column == column
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"column {column}: ")


def test_what_it_names() -> None:
    requirement = parse("asia >= 5 and (french or skill('far east') and asia) and call.basket > call.limit")
    assert requirement.skills == {"asia": 1, "french": 16, "far east": 32}
    assert requirement.attributes == {"basket", "limit"}


def test_bounds() -> None:
    index = SkillIndex([(0, {"asia": 5}), (1, {"asia": 2}), (2, {})])
    assert parse("asia >= 3").bounds(index) == (0b001, 0b001)
    assert parse("asia and call.basket > 5").bounds(index) == (0, 0b011)
    assert parse("asia or call.basket > 5").bounds(index) == (0b011, 0b111)
    assert parse("not (asia and call.basket > 5)").bounds(index) == (0b100, 0b111)
    assert parse("skill(call.x)").bounds(index) == (0, 0b111)


# --- properties -----------------------------------------------------------------------------------------------------

NAMES = ["asia", "french", "english", "far east", "and", "é_1", "a-b"]
ATTRIBUTES = ["basket", "level", "destination"]
numbers = st.integers(-20, 5000).map(float) | st.sampled_from([0.5, 4.25, 10.0, 7.5])
attributes = st.sampled_from(ATTRIBUTES).map(Attribute)
skills = st.one_of(st.sampled_from(NAMES), attributes).map(Skill)
texts = st.sampled_from(["", "fr", "it's", 'say "hi"', "asia"]).map(Text)
comparisons = st.sampled_from([">=", ">", "<=", "<", "==", "!="])
levels = st.builds(Level, skills, comparisons, st.one_of(numbers.map(Number), attributes))
facts = st.one_of(
    attributes.map(Fact),
    st.builds(Fact, attributes, comparisons, st.one_of(numbers.map(Number), attributes)),
    st.builds(Fact, attributes, st.sampled_from(["==", "!="]), texts),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(levels, facts),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)
words = st.sampled_from(["", "7", "asia", "x", "fr"])
calls = st.dictionaries(st.sampled_from(ATTRIBUTES), st.one_of(st.integers(-5, 3000), st.floats(), words))
floors = st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(1, 10)), min_size=1, max_size=4)
ORDER = {">=": "__ge__", ">": "__gt__", "<=": "__le__", "<": "__lt__", "==": "__eq__", "!=": "__ne__"}


def number_of(value: str | int | float | None) -> float:
    try:
        number = float(value or 0)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def simply(condition: Condition, agent: Mapping[str, int], call: Mapping[str, str | int | float]) -> bool:
    """The meaning, for one agent, the slow way."""
    match condition:
        case AllOf(parts):
            return all(simply(part, agent, call) for part in parts)
        case AnyOf(parts):
            return any(simply(part, agent, call) for part in parts)
        case Not(part):
            return not simply(part, agent, call)
        case Level(Skill(name), sign, than):
            level = agent.get(name if isinstance(name, str) else str(call.get(name.name, "")), 0)
            limit = than.value if isinstance(than, Number) else number_of(call.get(than.name))
            return bool(getattr(float(level), ORDER[sign])(limit))
        case Fact(left, None, _):
            return bool(call.get(left.name))
        case Fact(left, sign, right):
            here = call.get(left.name, "")
            there = right.value if isinstance(right, Number | Text) else call.get(right.name, "") if right else ""
            numeric = not isinstance(right, Text) and not (math.isnan(number_of(here)) or math.isnan(number_of(there)))
            if numeric or isinstance(right, Number):
                return bool(getattr(number_of(here), ORDER[str(sign)])(number_of(there)))
            return {"==": str(here) == str(there), "!=": str(here) != str(there)}.get(str(sign), False)


@given(conditions)
def test_reads_back_what_it_writes(condition: Condition) -> None:
    assert parse(str(condition)).condition == condition


@settings(max_examples=300)
@given(conditions, floors, calls)
def test_sets_agree_with_the_meaning(
    condition: Condition, agents: list[dict[str, int]], call: dict[str, str | int | float]
) -> None:
    index = SkillIndex(enumerate(agents))
    requirement: Requirement = parse(str(condition))
    found = requirement.fits(index, call)
    assert found == sum(1 << slot for slot, agent in enumerate(agents) if simply(condition, agent, call))
    sure, possible = requirement.bounds(index)
    assert sure & ~found == 0 and found & ~possible == 0


@settings(max_examples=300)
@given(st.text(alphabet="asi() ><=!'\"call.skornd0159\n~é-", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        requirement = parse(text)
    except RequirementError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert parse(str(requirement)) == requirement


@pytest.mark.parametrize(
    ("text", "call", "lack"),
    [
        ("asia >= 5", {}, ""),
        ("asia >= 7 and cruise and english", {}, "asia 5 < 7, cruise 0 < 1"),
        ("cruise or asia > 5", {}, "cruise 0 < 1 and asia 5 <= 5"),
        ("cruise or asia", {}, ""),
        ("not asia", {}, "not asia >= 1"),
        ("call.vip and asia != 5", {}, "not call.vip, asia 5 == 5"),
        ("skill(call.to) >= call.level", {"to": "french", "level": 4}, "french 1 < 4"),
    ],
)
def test_what_an_agent_lacks(text: str, call: dict[str, str | int | float], lack: str) -> None:
    assert parse(text).lack(AGENT, call) == lack
    assert fits(text, call) is (lack == "")
