"""Gateways: every state with every input, the order of a call, probes spread over their period."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import load
from config.schema import Site
from pbx.routing.gateways import HURRY_S, MAX_SETBACKS, SETBACK_S, TABLE, Gateway, Gateways, Input, Setbacks, State
from pbx.sip.hop import Hop

NOW = 1_800_000_000.0
ONE, TWO, THREE = "sip:one.example", "sip:two.example", "sip:three.example"


def gateway(state: State = "up", *, count: int = 0, down_after: int = 3, up_after: int = 2) -> Gateway:
    return Gateway("carrier", ONE, 0, 1, down_after, up_after, 30, NOW + 30, state, NOW - 100, count)


@pytest.mark.parametrize(
    ("state", "count", "what", "then", "changed"),
    [
        ("up", 0, "answered", "up", False),
        ("up", 0, "failed", "suspect", False),
        ("suspect", 1, "answered", "up", False),
        ("suspect", 1, "failed", "suspect", False),
        ("suspect", 2, "failed", "down", True),
        ("down", 3, "answered", "returning", False),
        ("down", 3, "failed", "down", False),
        ("returning", 1, "failed", "down", False),
        ("returning", 1, "answered", "up", True),
    ],
)
def test_each_state_and_input(state: State, count: int, what: Input, then: State, changed: bool) -> None:
    one = gateway(state, count=count)
    assert one.input(what, NOW) is changed
    assert one.state == then
    assert one.since == (NOW - 100 if then == state else NOW)
    assert (one.failed_at == NOW) is (what == "failed")


def test_the_table_is_whole() -> None:
    assert set(TABLE) == {(state, what) for state in get_args(State) for what in get_args(Input)}


def test_one_failure_may_be_enough_and_one_answer_too() -> None:
    one = gateway(down_after=1, up_after=1)
    assert one.input("failed", NOW) and not one.usable
    assert one.input("answered", NOW) and one.usable


def test_many_answers_while_up_do_not_count() -> None:
    one = gateway(down_after=2, up_after=2)
    for _ in range(5):
        one.input("answered", NOW)
    states = []
    inputs: tuple[Input, ...] = ("failed",) * 7 + ("answered",)
    for what in inputs:
        one.input(what, NOW)
        states.append(one.state)
    assert states == ["suspect", *["down"] * 6, "returning"]


@given(st.lists(st.sampled_from(["answered", "failed"]), max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_down_after_so_many_in_a_row_and_up_after_so_many(inputs: list[Input], down: int, up: int) -> None:
    """Against the plain definition."""
    one = gateway(down_after=down, up_after=up)
    usable, row = True, 0
    for what in inputs:
        against = what == ("failed" if usable else "answered")
        row = row + 1 if against else 0
        if row == (down if usable else up):
            usable, row = not usable, 0
        one.input(what, NOW)
        assert one.usable is usable


# --- all of a site --------------------------------------------------------------------------------------------------

SITE = """
site: test
listen: {sip: [udp:192.0.2.100:5060]}
media: {ports: 20000-20099}
records: {url: "sqlite:///test.db"}
trunks:
  carrier:
    gateways: [sip:one.example, {uri: sip:two.example, weight: 3}, {uri: sip:three.example, priority: 1}]
    down_after: 1
    up_after: 1
  other: {gateway: sip:192.0.2.1, probe_s: 10}
  quiet: {gateway: sip:192.0.2.2, probe_s: 0}
  incoming: {from: 192.0.2.3}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return load(path)


def ready(site: Site, heard: list[tuple[str, bool, int]]) -> Gateways:
    gateways = Gateways(lambda one, usable: heard.append((one.uri, one.usable, usable)))
    gateways.reconfigure(site, NOW)
    return gateways


def uris(gateways: Gateways, pick: int = 0) -> list[str]:
    return [one.uri for one in gateways.order("carrier", lambda most: min(pick, most))]


def test_priority_then_weight(site: Site) -> None:
    gateways = ready(site, [])
    assert uris(gateways) == [ONE, TWO, THREE] and uris(gateways, 4) == [TWO, ONE, THREE]
    dice = random.Random(1)
    drawn = Counter(gateways.order("carrier", lambda most: dice.randint(0, most))[0].uri for _ in range(5000))
    assert 0.55 < drawn[TWO] / 5000 < 0.75 and not drawn[THREE]
    assert gateways.order("incoming", lambda most: 0) == []


def test_what_is_down_is_not_tried_while_another_lives(site: Site) -> None:
    heard: list[tuple[str, bool, int]] = []
    gateways = ready(site, heard)
    gateways.failed("carrier", ONE, NOW + 1)
    assert uris(gateways) == [TWO, THREE]
    gateways.failed("carrier", TWO, NOW + 2)
    assert uris(gateways) == [THREE]
    gateways.failed("carrier", THREE, NOW + 3)
    assert uris(gateways) == [ONE, TWO, THREE]  # nothing is refused: the longest ago first
    gateways.failed("carrier", ONE, NOW + 4)
    assert uris(gateways) == [TWO, THREE, ONE]
    gateways.answered("carrier", THREE, NOW + 5, 0.02)
    assert uris(gateways) == [THREE]
    gateways.answered("carrier", ONE, NOW + 6)
    assert uris(gateways) == [ONE, THREE]
    assert heard == [(ONE, False, 2), (TWO, False, 1), (THREE, False, 0), (THREE, True, 1), (ONE, True, 2)]
    assert gateways.count(usable=True) == 4 and gateways.count(usable=False) == 1
    gateways.failed("carrier", "sip:unknown.example", NOW)
    gateways.answered("nothing", ONE, NOW)


def test_probes_are_spread_and_repeat(site: Site) -> None:
    gateways = ready(site, [])
    sent = [(at, one.uri) for at in range(60) for one in gateways.due(NOW + at)]
    assert Counter(uri for _, uri in sent) == {ONE: 2, TWO: 2, THREE: 2, "sip:192.0.2.1": 6}
    assert len({at for at, _ in sent}) >= 10


def test_doubt_is_settled_soon(site: Site) -> None:
    one = gateway(down_after=2)
    one.input("failed", NOW)
    assert one.next_probe_at == NOW + HURRY_S
    quiet = Gateway("quiet", ONE, 0, 1, 2, 1, 0, NOW)
    quiet.input("failed", NOW + 5)
    assert quiet.next_probe_at == NOW


def test_reload_keeps_states(site: Site) -> None:
    gateways = ready(site, [])
    gateways.failed("carrier", ONE, NOW)
    gateways.reconfigure(site, NOW + 100)
    assert uris(gateways) == [TWO, THREE]
    (view, *_) = [one.view() for one in gateways.of("carrier")]
    assert view == {
        "uri": ONE, "priority": 0, "weight": 1, "state": "down", "since": NOW, "failed_at": NOW, "round_trip_ms": None,
    }  # fmt: skip


# --- addresses of one name ------------------------------------------------------------------------------------------

HOPS = (Hop("udp", "192.0.2.1", 5060), Hop("udp", "192.0.2.2", 5060), Hop("udp", "192.0.2.3", 5060))


def test_an_address_that_failed_comes_last_for_a_while() -> None:
    setbacks = Setbacks()
    assert setbacks.order(HOPS, NOW) == HOPS
    setbacks.note(HOPS[0], NOW, ok=False)
    assert setbacks.order(HOPS, NOW + 1) == (HOPS[1], HOPS[2], HOPS[0])
    assert setbacks.order(HOPS[:1], NOW + 1) == HOPS[:1]
    assert setbacks.order(HOPS, NOW + SETBACK_S) == HOPS
    setbacks.note(HOPS[0], NOW + 2, ok=True)
    assert setbacks.order(HOPS, NOW + 3) == HOPS and len(setbacks) == 0


def test_setbacks_are_bounded() -> None:
    setbacks = Setbacks()
    for n in range(MAX_SETBACKS + 10):
        setbacks.note(Hop("udp", "192.0.2.1", n), NOW, ok=False)
    assert len(setbacks) == MAX_SETBACKS
