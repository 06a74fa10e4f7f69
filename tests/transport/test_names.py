"""How long answers are believed: bounds of their time to live, failures, hosts of the machine, room."""

from __future__ import annotations

import pytest

from pbx.sip.next_hop import Question, Srv
from pbx.transport import names
from pbx.transport.names import NameCache, hosts_in

A = Question("gateway.example", "A")
HERE = ("192.0.2.1",)
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("records", "ttl_s", "lasts_s"),
    [
        (HERE, 60, 60), (HERE, 0, names.MIN_TTL_S), (HERE, 604_800, names.MAX_TTL_S),
        ((), 60, 60), ((), 0, names.MIN_TTL_S), ((), 86_400, names.MAX_NEGATIVE_S),
    ],
)  # fmt: skip
def test_an_answer_lasts_as_long_as_it_says_within_bounds(
    records: tuple[str, ...], ttl_s: float, lasts_s: float
) -> None:
    cache = NameCache()
    assert cache.records(A, NOW) is None
    cache.answered(A, records, ttl_s, NOW)
    assert cache.records(A, NOW + lasts_s - 0.1) == records
    assert cache.records(A, NOW + lasts_s) is None
    assert not cache.ends_within(A, 5, NOW) and cache.ends_within(A, 5, NOW + lasts_s - 5)


def test_the_last_good_answer_stands_a_day() -> None:
    """RFC 8767, and no longer."""
    cache = NameCache()
    cache.answered(A, HERE, 60, NOW)
    at = NOW + 55
    while at < NOW + names.STALE_S:
        assert cache.failed(A, at) and cache.records(A, at) == HERE
        assert cache.records(A, at + names.RECHECK_S - 0.1) == HERE
        at += names.RECHECK_S - 5
    assert not cache.failed(A, at) and cache.records(A, at) == ()


def test_a_failure_never_shortens_a_good_answer() -> None:
    cache = NameCache()
    cache.answered(A, HERE, 600, NOW)
    assert cache.failed(A, NOW + 1) and cache.records(A, NOW + 599) == HERE


def test_a_name_that_does_not_exist_stands_for_none() -> None:
    """After a good answer, too: who says so is the name service, not its absence."""
    cache = NameCache()
    cache.answered(A, HERE, 60, NOW)
    cache.answered(A, (), 60, NOW + 30)
    assert cache.records(A, NOW + 31) == ()
    assert not cache.failed(A, NOW + 89) and cache.records(A, NOW + 90) == ()


def test_nothing_known_and_nobody_answers() -> None:
    cache = NameCache()
    assert not cache.failed(A, NOW)
    assert cache.records(A, NOW) == () and cache.records(A, NOW + names.RECHECK_S) is None


def test_what_is_kept_stands_until_the_next_answer() -> None:
    """However long that takes: nobody waits for a name of the site."""
    cache = NameCache()
    cache.kept = frozenset((A,))
    assert cache.records(A, NOW) is None
    cache.answered(A, HERE, 60, NOW)
    assert cache.records(A, NOW + 10_000) == HERE and cache.ends_within(A, 5, NOW + 56)


def test_room_is_made_by_the_oldest_that_are_not_kept() -> None:
    cache = NameCache(limit=3)
    cache.kept = frozenset((A,))
    cache.answered(A, HERE, 600, NOW)
    for n in range(5):
        cache.answered(Question(f"{n}.example", "A"), HERE, 600, NOW)
    assert len(cache) == 3 and cache.records(A, NOW) == HERE
    assert [cache.records(Question(f"{n}.example", "A"), NOW) is not None for n in range(5)] == [False] * 3 + [True] * 2


def test_all_kept_and_no_room() -> None:
    cache = NameCache(limit=1)
    cache.kept = frozenset((A,))
    cache.answered(A, HERE, 600, NOW)
    cache.answered(Question("other.example", "A"), HERE, 600, NOW)
    assert len(cache) == 1 and cache.records(A, NOW) == HERE


def test_the_machines_own_hosts_come_first() -> None:
    cache = NameCache()
    cache.hosts = hosts_in(
        ["# names", "", "127.0.0.1 localhost", "::1 localhost ip6-localhost # both", "192.0.2.7\tGateway.Example. gw",
         "not-an-address name", "192.0.2.8"]
    )  # fmt: skip
    assert cache.records(Question("localhost", "A"), NOW) == ("127.0.0.1",)
    assert cache.records(Question("localhost", "AAAA"), NOW) == ("::1",)
    assert cache.records(A, NOW) == ("192.0.2.7",) and not cache.ends_within(A, 5, NOW)
    for question in (Question("gateway.example", "NAPTR"), Question("gateway.example", "SRV")):
        assert cache.records(question, NOW) == ()
    assert cache.records(Question("name", "A"), NOW) is None
    srv = Question("_sip._udp.gateway.example", "SRV")  # of the name service still: it is another name
    cache.answered(srv, (Srv(1, 1, 5060, "gw"),), 60, NOW)
    assert cache.records(srv, NOW) == (Srv(1, 1, 5060, "gw"),)
