"""What holds never, or always, is found by trying; it agrees with what all agents and many calls say."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.condition import Attributes
from acd.requirement import parse
from acd.requirement_check import verdict
from acd.skills import SkillIndex


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("asia", None),
        ("asia >= 0", "always"),
        ("asia > 10", "never"),
        ("asia >= 5 and asia < 5", "never"),
        ("asia >= 5 or asia < 5", "always"),
        ("asia >= 5 or french", None),
        ("asia >= call.level and asia < call.level", "never"),
        ("asia >= call.level or asia < call.level", None),  # a level that is no number is neither
        ("skill(call.destination) >= 5 and not skill(call.destination)", "never"),
        ("skill(call.destination) >= 5 and asia < 3", None),  # another destination
        ("call.destination = 'asia' and skill(call.destination) >= 5 and asia < 3", "never"),
        ("call.basket > 2000 and call.basket < 1000", "never"),
        ("call.basket > 1 and call.basket < 1.5", None),
        ("call.language = 'fr' and call.language = 'en'", "never"),
        ("call.language != 'fr' or call.language != 'en'", "always"),
        ("call.a = call.b and call.a != call.b", "never"),
        ("call.vip or not call.vip", "always"),
        (" or ".join(f"s{n} > {n}" for n in range(9)), None),  # too much to try
    ],
)
def test_by_example(text: str, found: str | None) -> None:
    assert verdict(parse(text)) == found


_comparisons = st.builds(
    "{} {} {}".format, st.sampled_from(["asia", "french", "call.basket"]), st.sampled_from([">=", "<", "==", "!="]),
    st.integers(-1, 11),
)  # fmt: skip
_requirements = st.recursive(
    _comparisons,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
    | inner.map("not {}".format),
    max_leaves=5,
)


@given(_requirements)
def test_as_all_agents_and_many_calls_say(text: str) -> None:
    requirement = parse(text)
    levels = itertools.product(range(11), repeat=2)
    index = SkillIndex((slot, {"asia": a, "french": f}) for slot, (a, f) in enumerate(levels))
    calls: list[Attributes] = [{}, {"basket": "much"}, *({"basket": n / 2} for n in range(-4, 26))]
    fits = [requirement.fits(index, call) for call in calls]
    never, always = not any(fits), all(one == index.everyone for one in fits)
    assert verdict(requirement) == ("never" if never else "always" if always else None)
