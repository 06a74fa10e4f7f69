"""Phones asked at an even pace, and what their silence means."""

from __future__ import annotations

from collections import Counter

from pbx.routing.reachability import FAILURES, HURRY_S, Reachability

NOW = 1_800_000_000.0


def test_an_even_pace() -> None:
    reach = Reachability()
    for n in range(600):
        reach.watch(str(n), 60, NOW)
    each = [len(reach.due(NOW + second)) for second in range(1, 121)]
    assert set(each) == {10}
    assert Counter(phone for at in range(121, 181) for phone in reach.due(NOW + at)) == {str(n): 1 for n in range(600)}


def test_periods_of_their_own() -> None:
    reach = Reachability()
    reach.watch("slow", 60, NOW)
    reach.watch("fast", 10, NOW)
    reach.watch("never", 0, NOW)
    asked = Counter(phone for at in range(1, 121) for phone in reach.due(NOW + at))
    assert asked == {"slow": 2, "fast": 12} and len(reach) == 2
    reach.watch("fast", 60, NOW + 120)
    assert Counter(phone for at in range(121, 241) for phone in reach.due(NOW + at)) == {"slow": 2, "fast": 2}
    reach.watch("fast", 0, NOW + 240)
    reach.forget("slow")
    assert len(reach) == 0 and not reach.due(NOW + 1000)


def test_after_a_pause_nobody_is_asked_twice() -> None:
    """A process that slept asks each once, not for each turn it missed."""
    reach = Reachability()
    for phone in "abc":
        reach.watch(phone, 10, NOW)
    assert sorted(reach.due(NOW + 1000)) == ["a", "b", "c"]


def test_silence_again_and_again_makes_unreachable_and_one_answer_ends_it() -> None:
    heard: list[tuple[str, bool]] = []
    reach = Reachability(lambda phone, reachable: heard.append((phone, reachable)))
    reach.watch("101", 60, NOW)
    for n in range(FAILURES):
        assert reach.reachable("101")
        reach.heard("101", "sip:a", None, NOW + n)
    assert heard == [("101", False)] and not reach.reachable("101") and reach.unreachable() == 1
    reach.heard("101", "sip:a", None, NOW + 9)
    reach.heard("101", "sip:a", 0.02, NOW + 10)
    assert heard == [("101", False), ("101", True)] and reach.unreachable() == 0
    one = reach.contact("101", "sip:a")
    assert one is not None and (one.failures, one.round_trip_s, one.answered_at) == (0, 0.02, NOW + 10)


def test_a_phone_with_one_live_contact_is_reachable() -> None:
    reach = Reachability()
    reach.watch("101", 60, NOW)
    for n in range(FAILURES):
        reach.heard("101", "sip:dead", None, NOW + n)
        reach.heard("101", "sip:alive", 0.1, NOW + n)
    assert reach.reachable("101")
    reach.keep("101", ["sip:dead"])
    reach.heard("101", "sip:dead", None, NOW + 5)
    assert not reach.reachable("101") and reach.contact("101", "sip:alive") is None


def test_a_phone_that_kept_silent_is_asked_again_soon_and_once() -> None:
    reach = Reachability()
    reach.watch("101", 600, NOW)
    reach.heard("101", "sip:a", None, NOW)
    reach.heard("101", "sip:b", None, NOW)
    assert not reach.due(NOW + HURRY_S - 1)
    assert reach.due(NOW + HURRY_S) == ["101"]
    assert not reach.due(NOW + HURRY_S + 1)
    reach.heard("101", "sip:a", None, NOW + 20)
    reach.heard("101", "sip:a", 0.1, NOW + 25)
    reach.heard("101", "sip:b", 0.1, NOW + 25)
    reach.heard("101", "sip:a", None, NOW + 26)
    reach.forget("101")
    assert not reach.due(NOW + 100)


def test_who_is_not_watched_counts_as_reachable_and_costs_nothing() -> None:
    reach = Reachability()
    reach.heard("101", "sip:a", None, NOW)
    assert reach.reachable("101") and reach.contact("101", "sip:a") is None and len(reach) == 0
    reach.forget("101")
    reach.keep("101", [])
