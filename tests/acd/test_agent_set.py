"""Listing and asking sets of agents, small and large, few and many."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.agent_set import packed, slots


@settings(max_examples=100)
@given(st.sets(st.integers(0, 700), max_size=90))
def test_as_the_obvious(members: set[int]) -> None:
    agents = sum(1 << slot for slot in members)
    assert slots(agents) == sorted(members)
    fits = packed(agents)
    for slot in range(len(fits) * 8):
        assert (slot in members) is bool(fits[slot >> 3] >> (slot & 7) & 1)
    assert all(slot < len(fits) * 8 for slot in members)


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 5000])
@pytest.mark.parametrize("among", [6000, 100_000])
def test_of_many(count: int, among: int) -> None:
    members = random.Random(count).sample(range(among), count)
    assert slots(sum(1 << slot for slot in members)) == sorted(members)


def test_none() -> None:
    assert slots(0) == [] and packed(0) == b""
