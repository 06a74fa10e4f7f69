from __future__ import annotations

import timeit
from collections import Counter

import pytest

from config.security import Ban, Security, SourceRate
from pbx.routing import guard as guard_module
from pbx.routing.admission import ADMIT, Refuse
from pbx.routing.ban import Bans
from pbx.routing.guard import DROP, Guard
from pbx.routing.overload import Overload
from pbx.sip.hop import Hop
from pbx.sip.message import Request, parse

NOW = 1_800_000_000.0
POLICY = Security(per_source=SourceRate(requests_per_s=10, burst=20), ban=Ban(names=30), scanners=("evil-agent",))
TRUNK = "198.51.100.1"


def request(
    method: str = "OPTIONS", user: str = "101", agent: str | None = "Phone/1.0", extra: str = "", via: str = "",
    origin: str = "",
) -> Request:  # fmt: skip
    agent_line = "" if agent is None else f"User-Agent: {agent}\r\n"
    message = parse(
        f"{method} sip:192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1{via}\r\n"
        f"From: {origin or f'<sip:{user}@192.0.2.100>'};tag=1\r\nTo: <sip:{user}@192.0.2.100>\r\nCall-ID: c-{user}\r\n"
        f"CSeq: 1 {method}\r\n{agent_line}{extra}Content-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Request)
    return message


class Site:
    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.registered: set[str] = set()
        self.refreshing: set[Hop] = set()
        self.bans = Bans(POLICY.ban, TRUNK.__eq__, self.registered.__contains__, self.counters)
        self.overload = Overload(0.1, self.counters)
        self.guard = Guard(
            POLICY, TRUNK.__eq__, self.refreshing.__contains__, self.bans, self.overload, self.counters
        )  # fmt: skip

    def ask(self, message: Request, host: str = "192.0.2.1", now: float = NOW) -> object:
        return self.guard.judge(message, Hop("udp", host, 5060), now)


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_source_over_its_rate_hears_it_for_a_little(site: Site) -> None:
    verdicts = [site.ask(request()) for _ in range(100)]
    assert verdicts[:20] == [ADMIT] * 20
    assert verdicts[20:30] == [Refuse(503, "too many requests", guard_module.RETRY_AFTER_S)] * 10
    assert verdicts[30:] == [DROP] * 70
    assert site.counters == {"source_rate_refused": 10, "source_rate_dropped": 70}
    assert site.ask(request(), "192.0.2.2") is ADMIT
    assert site.ask(request(), now=NOW + 0.1) is ADMIT, "it is still served at its rate"


def test_trunks_and_proxies_have_no_limit_of_sources(site: Site) -> None:
    assert all(site.ask(request("INVITE"), TRUNK) is ADMIT for _ in range(1000))
    assert site.ask(request(agent="sipvicious"), TRUNK) is ADMIT


@pytest.mark.parametrize(
    "message",
    [
        request(agent="friendly-scanner"),
        request("REGISTER", agent="VaxSIPUserAgent/3.1"),
        request("INVITE", agent="sipcli/v1.8"),
        request(agent="Evil-Agent 3"),
        request(agent=None, origin='"sipvicious"<sip:100@1.1.1.1>'),
        request(agent="Linphone", origin="<sip:nm@nm>"),
    ],
)
def test_scanners_are_dropped_and_banned(site: Site, message: Request) -> None:
    assert site.ask(message) is DROP
    assert not site.bans.admits("192.0.2.1")
    assert site.counters["scanner_requests"] == 1
    assert site.bans.list()[0].reason.startswith("scanner: ")


@pytest.mark.parametrize("agent", [None, "PolycomVVX-VVX_410-UA/5.9", "snom870/8.7", "Linphone/5.2", "PJSUA v2.14"])
def test_phones_are_none(site: Site, agent: str | None) -> None:
    assert site.ask(request("REGISTER", agent=agent)) is ADMIT


def test_a_forged_scanner_bans_no_office(site: Site) -> None:
    site.registered.add("192.0.2.1")
    assert site.ask(request(agent="friendly-scanner")) is DROP
    assert site.bans.admits("192.0.2.1")


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE"])
def test_who_asks_for_one_user_after_the_other_is_banned(site: Site, method: str) -> None:
    now = NOW
    for i in range(30):
        now += 0.2
        assert site.ask(request(method, user=str(100 + i)), now=now) is ADMIT
    assert site.ask(request(method, user="999"), now=now + 0.2) is DROP
    assert not site.bans.admits("192.0.2.1")
    assert site.counters["sources_asking_around"] == 1


def test_an_office_of_many_phones_is_not(site: Site) -> None:
    """Each is challenged and answers: two hundred phones that start within a minute."""
    now = NOW
    for i in range(200):
        now += 0.3
        assert site.ask(request("REGISTER", user=str(100 + i)), now=now) is ADMIT
        credentials = 'Authorization: Digest username="x"\r\n'
        assert site.ask(request("REGISTER", user=str(100 + i), extra=credentials), now=now + 0.05) is ADMIT
    assert site.bans.admits("192.0.2.1")


def test_asking_slowly_for_the_same_few_is_no_offence(site: Site) -> None:
    for i in range(2000):
        assert site.ask(request("REGISTER", user=str(100 + i % 25)), now=NOW + i) is ADMIT
    for i in range(200):
        assert site.ask(request("REGISTER", user=str(100 + i)), now=NOW + 3000 + 10 * i) is ADMIT


def test_overload_sheds_in_order(site: Site) -> None:
    phone = Hop("udp", "192.0.2.1", 5060)
    site.refreshing.add(phone)
    site.overload.severity = 1.0
    refused = site.ask(request("INVITE"))
    assert isinstance(refused, Refuse) and refused.status == 503 and (refused.retry_after_s or 0) >= 5
    assert site.ask(request("REGISTER")) is ADMIT
    site.overload.severity = 2.0
    assert isinstance(site.ask(request("MESSAGE")), Refuse)
    assert isinstance(site.ask(request("REGISTER"), "192.0.2.2"), Refuse), "a first one"
    assert site.ask(request("REGISTER")) is ADMIT
    site.overload.severity = 3.0
    assert isinstance(site.ask(request("REGISTER")), Refuse)


def test_a_proxy_that_is_told_by_oc_is_not_sent_away(site: Site) -> None:
    site.overload.severity = 1.0
    assert site.ask(request("INVITE", via=';oc;oc-algo="loss"'), TRUNK) == Refuse(503, "overloaded", None)
    other = site.ask(request("INVITE"), TRUNK)
    assert isinstance(other, Refuse) and other.retry_after_s


def test_an_ipv6_network_has_one_bucket(site: Site) -> None:
    verdicts = [site.ask(request(), f"2001:db8::{i:x}") for i in range(1, 41)]
    assert verdicts[:20] == [ADMIT] * 20 and verdicts[20] is not ADMIT
    assert site.ask(request(), "2001:db8:0:1::1") is ADMIT


def test_sources_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "MAX_SOURCES", 100)
    for i in range(5000):
        site.ask(request(), f"10.1.{i // 250}.{i % 250}")
    assert len(site.guard._current) + len(site.guard._previous) <= 202


def test_reload_changes_the_rules(site: Site) -> None:
    assert site.guard.trusts(TRUNK) and not site.guard.trusts("192.0.2.1")
    site.guard.reconfigure(Security(), "192.0.2.1".__eq__)
    assert site.guard.trusts("192.0.2.1") and not site.guard.trusts(TRUNK)
    assert site.ask(request(agent="evil-agent"), TRUNK) is ADMIT


def test_it_is_cheap(site: Site) -> None:
    """Under a microsecond on the machine it was written on; the bound leaves room for a slower or busier one."""
    message, hop = request("REGISTER", extra='Authorization: Digest username="x"\r\n'), Hop("udp", "192.0.2.1", 5060)
    guard = site.guard
    guard.reconfigure(Security(per_source=SourceRate(requests_per_s=1e9, burst=10)), TRUNK.__eq__)
    cost_s = min(timeit.repeat(lambda: guard.judge(message, hop, NOW), number=20_000, repeat=5)) / 20_000
    assert cost_s < 5e-6
