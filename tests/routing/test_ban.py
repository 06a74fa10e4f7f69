from __future__ import annotations

from collections import Counter

import pytest

from config.security import Ban as Policy
from pbx.routing import ban as ban_module
from pbx.routing.ban import Ban, Bans

POLICY = Policy(after=5, within_s=60, for_s=600, at_most_s=4000)
NOW = 1_800_000_000.0


class Site:
    """Bans with their surroundings."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.registered: set[str] = set()
        self.exempt = {"198.51.100.1"}
        self.told: list[object] = []
        self.bans = Bans(POLICY, self.exempt.__contains__, self.registered.__contains__, self.counters)
        self.bans.on_banned = self.told.append
        self.bans.on_lifted = lambda ban, why: self.told.append((ban.source, why))

    def fail(self, host: str, times: int, *, user: str = "101", now: float = NOW, each_s: float = 0.01) -> float:
        for i in range(times):
            self.bans.failure(host, user, now + i * each_s)
        return now + times * each_s


@pytest.fixture
def site() -> Site:
    return Site()


def test_so_many_failures_ban(site: Site) -> None:
    site.fail("192.0.2.7", 4)
    assert site.bans.admits("192.0.2.7")
    site.bans.failure("192.0.2.7", "101", NOW + 1)
    assert not site.bans.admits("192.0.2.7")
    assert site.bans.admits("192.0.2.8")
    assert site.told == [Ban("192.0.2.7", "wrong passwords, last for 101", NOW + 1, NOW + 601, 1)]
    assert site.counters == {"bans": 1, "ban_drops": 1}


def test_failures_fade(site: Site) -> None:
    """Somebody who mistypes now and then is never banned."""
    site.fail("192.0.2.7", 500, each_s=60.0)
    assert site.bans.admits("192.0.2.7")


def test_a_ban_ends_and_the_next_lasts_longer(site: Site) -> None:
    now, lasted = NOW, []
    for _ in range(5):
        now = site.fail("192.0.2.7", 5, now=now)
        ban = site.bans.list()[0]
        lasted.append(ban.until - ban.since)
        site.bans.expire(ban.until - 1)
        assert not site.bans.admits("192.0.2.7")
        site.bans.expire(ban.until)
        assert site.bans.admits("192.0.2.7")
        now = ban.until
    assert lasted == pytest.approx([600, 1200, 2400, 4000, 4000])
    now += 10 * ban_module.FORGET_S
    site.fail("192.0.2.7", 5, now=now)
    assert site.bans.list()[0].offence == 1, "old offences are forgotten"
    assert site.counters["bans_expired"] == 5


def test_a_shared_address_with_phones_is_borne_longer(site: Site) -> None:
    site.registered.add("192.0.2.7")
    site.fail("192.0.2.7", 24, each_s=0.0)
    assert site.bans.admits("192.0.2.7")
    site.fail("192.0.2.7", 1)
    assert not site.bans.admits("192.0.2.7")


def test_what_can_be_forged_bans_no_address_with_phones(site: Site) -> None:
    site.registered.add("192.0.2.7")
    assert not site.bans.offence("192.0.2.7", "scanner: sipvicious", NOW)
    assert site.bans.offence("192.0.2.8", "scanner: sipvicious", NOW)
    assert [ban.source for ban in site.bans.list()] == ["192.0.2.8"]


def test_exempt_addresses_are_never_banned(site: Site) -> None:
    site.fail("198.51.100.1", 1000)
    assert not site.bans.offence("198.51.100.1", "scanner", NOW)
    assert len(site.bans) == 0


def test_a_guesser_with_many_addresses_is_found_out_sooner_at_each(site: Site) -> None:
    """Three wrong passwords from each address would never ban one; all for one user do."""
    for i in range(20):
        site.fail(f"192.0.2.{i}", 3, user="101")
    assert 10 < len(site.bans) < 20
    other = Site()
    for i in range(20):
        other.fail(f"192.0.2.{i}", 3, user=f"user{i}")
    assert len(other.bans) == 0


def test_an_ipv6_network_is_one_source(site: Site) -> None:
    for i in range(5):
        site.bans.failure(f"2001:db8:1:2::{i}", "101", NOW)
    assert not site.bans.admits("2001:db8:1:2:ffff::1")
    assert site.bans.admits("2001:db8:1:3::1")


def test_lifting_forgets_what_led_to_it(site: Site) -> None:
    site.fail("192.0.2.7", 5)
    assert site.bans.lift("192.0.2.7")
    assert not site.bans.lift("192.0.2.7")
    assert site.told[-1] == ("192.0.2.7", "lifted")
    site.fail("192.0.2.7", 4)
    assert site.bans.admits("192.0.2.7")
    site.fail("2001:db8::5", 5)
    assert site.bans.lift("2001:db8::1"), "any address of the network"


def test_bans_survive_a_reload_but_not_of_those_now_exempt(site: Site) -> None:
    site.fail("192.0.2.7", 5)
    site.fail("192.0.2.8", 5)
    site.bans.reconfigure(Policy(after=2), {"192.0.2.8"}.__contains__)
    assert [ban.source for ban in site.bans.list()] == ["192.0.2.7"]
    site.fail("192.0.2.9", 2)
    assert len(site.bans) == 2, "the new rules count"


def test_tables_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ban_module, "MAX_BANS", 50)
    monkeypatch.setattr(ban_module, "MAX_SUSPECTS", 60)
    for i in range(1000):
        site.fail(f"10.0.{i // 250}.{i % 250}", 5, user=f"u{i}", now=NOW + i)
    assert len(site.bans) == 50
    assert len(site.bans._suspects) <= 60 and len(site.bans._users) <= 60
    assert site.counters["bans_displaced"] == 950
