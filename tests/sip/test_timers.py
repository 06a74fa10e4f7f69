"""The timers of RFC 3261 17 and their queue."""

from __future__ import annotations

import random

import pytest

from pbx.sip.timers import NEVER, T1, T2, T4, TIMEOUT, TIMER_100, TIMER_D, Timers


class Owner:
    """Notes what fires; may set further timers or fail."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self.fired: list[tuple[str, float]] = []
        self.then: list[tuple[float, str]] = []
        self.fails = False

    def on_timer(self, kind: str, now: float) -> None:
        self.fired.append((kind, now))
        if self.fails:
            raise RuntimeError(kind)
        for delay_s, name in self.then:
            self.timers.set(delay_s, self, name, now)
        self.then = []


def make() -> tuple[Timers, Owner, list[float]]:
    timers = Timers()
    told: list[float] = []
    timers.on_earlier = told.append
    return timers, Owner(timers), told


def test_values_of_the_rfc() -> None:
    """RFC 3261 17.1.1.1, table 4."""
    assert (T1, T2, T4, TIMEOUT, TIMER_100) == (0.5, 4.0, 5.0, 32.0, 0.2)
    assert TIMER_D >= 32.0


def test_nothing_pending() -> None:
    timers, owner, told = make()
    assert timers.earliest == NEVER and len(timers) == 0
    timers.fire(1e9)
    assert timers.earliest == NEVER and not told and not owner.fired


def test_fires_what_is_due_and_no_more() -> None:
    timers, owner, _ = make()
    timers.set(T1, owner, "A", 100.0)
    timers.set(TIMEOUT, owner, "B", 100.0)
    timers.fire(100.499)
    assert owner.fired == []
    timers.fire(100.5)
    assert owner.fired == [("A", 100.5)] and timers.earliest == 132.0 and len(timers) == 1
    timers.fire(200.0)
    assert owner.fired == [("A", 100.5), ("B", 200.0)] and timers.earliest == NEVER


def test_tells_only_when_the_next_moves_forward() -> None:
    timers, owner, told = make()
    timers.set(T4, owner, "K", 0.0)
    timers.set(T4, owner, "K", 1.0)
    timers.set(TIMEOUT, owner, "B", 1.0)
    timers.set(T1, owner, "A", 2.0)
    assert told == [5.0, 2.5]
    timers.fire(2.5)
    assert told == [5.0, 2.5, 5.0]


def test_timers_set_while_firing() -> None:
    """One of a delay not seen before, and one that is due at once."""
    timers, owner, told = make()
    owner.then = [(0.0, "now"), (0.7, "soon")]
    timers.set(T1, owner, "A", 0.0)
    timers.fire(0.5)
    while timers.earliest <= 0.5:
        timers.fire(0.5)
    assert owner.fired == [("A", 0.5), ("now", 0.5)]
    assert timers.earliest == told[-1] == 1.2
    timers.fire(1.2)
    assert owner.fired[-1] == ("soon", 1.2) and len(timers) == 0


def test_an_owner_that_fails_stops_nobody_else() -> None:
    timers, good, told = make()
    bad = Owner(timers)
    bad.fails = True
    timers.set(T1, bad, "A", 0.0)
    timers.set(T1, good, "A", 0.0)
    with pytest.raises(RuntimeError):
        timers.fire(0.5)
    assert timers.earliest == told[-1] == 0.5  # the driver calls again
    timers.fire(0.5)
    assert good.fired == [("A", 0.5)] and len(bad.fired) == 1 and timers.earliest == NEVER
    timers.set(T1, good, "B", 1.0)
    assert told[-1] == 1.5


@pytest.mark.parametrize("seed", range(20))
def test_every_timer_fires_once_in_its_time(seed: int) -> None:
    """Against a sorted list."""
    dice, (timers, owner, _) = random.Random(seed), make()
    now, expected = 0.0, []
    for number in range(300):
        now += dice.random() * 0.2
        delay_s = dice.choice([0.0, TIMER_100, T1, 2 * T1, T2, T4, TIMEOUT])
        timers.set(delay_s, owner, str(number), now)
        expected.append((now + delay_s, str(number)))
        if dice.random() < 0.5:
            timers.fire(now)
            assert {kind for kind, _ in owner.fired} == {kind for due, kind in expected if due <= now}
    while timers.earliest < NEVER:
        now = max(now, timers.earliest)
        timers.fire(now)
        assert {kind for kind, _ in owner.fired} == {kind for due, kind in expected if due <= now}
    assert len(owner.fired) == 300
