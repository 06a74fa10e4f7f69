"""The defence joined: whom a forger can't silence, what he can't fill, whose connections are closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from config.schema import Site
from pbx import defence as defence_module
from pbx.defence import TOLD_BURST, Defence
from pbx.routing import ban as ban_module
from pbx.routing import events
from pbx.routing.location import Location
from pbx.sip.hop import Hop
from pbx.transport.driver import Driver

SITE = {
    "site": "s", "listen": {"sip": "udp:127.0.0.1:5060"},
    "trunks": {"carrier": {"gateway": "sip:sip.carrier.example"}},
    "security": {"never_ban": "203.0.113.9"},
}  # fmt: skip
GATEWAYS = {"sip:sip.carrier.example": (Hop("udp", "198.51.100.1", 5060), Hop("udp", "2001:db8:1::5", 5060))}


class Setting:
    """A defence with what it needs of the server."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.counters: Counter[str] = Counter()
        self.events: list[object] = []
        self.hung_up: list[Callable[[str], bool]] = []
        self.driver: Any = SimpleNamespace(now=lambda: self.now, hang_up=self.hung_up.append)
        self.hops: dict[str, tuple[Hop, ...]] = dict(GATEWAYS)
        self.defence = Defence(
            Site.model_validate(SITE), cast(Driver, self.driver), Location(), self.hops.get, self.events.append,
            self.counters,
        )  # fmt: skip

    def forge(self, host: str) -> bool:
        """A datagram that says to be a scanner's, in somebody's name."""
        return self.defence.bans.offence(host, "scanner: x", self.now)


def _unheard(*_: object, **__: object) -> None: ...


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(defence_module, "log", SimpleNamespace(warning=_unheard, info=_unheard))
    return Setting()


@pytest.mark.parametrize("host", ["198.51.100.1", "2001:db8:1::5", "2001:db8:1::77", "203.0.113.9"])
def test_nobody_can_have_a_carrier_banned(setting: Setting, host: str) -> None:
    """Whom we call by a name is in no list of the site's, and its answers must be heard."""
    assert not setting.forge(host)
    for _ in range(100):
        setting.defence.bans.failure(host, "101", setting.now)
    assert setting.defence.bans.admits(host) and setting.forge("192.0.2.1")


def test_a_carrier_that_was_banned_before_its_name_was_known(setting: Setting) -> None:
    gateways = dict(setting.hops)
    setting.hops.clear()
    assert setting.forge("198.51.100.1")
    setting.hops |= gateways
    setting.defence.reconfigure(Site.model_validate(SITE))
    assert setting.defence.bans.admits("198.51.100.1")


def test_a_flood_of_forged_addresses_fills_neither_log_nor_journal(setting: Setting) -> None:
    for number in range(1000):
        assert setting.forge(f"10.0.{number // 250}.{number % 250}")
    setting.now += 601
    setting.defence.bans.expire(setting.now)
    told = Counter(type(event) for event in setting.events)
    assert told[events.SourceBanned] == TOLD_BURST and told[events.SourceUnbanned] == TOLD_BURST
    assert setting.counters["bans_untold"] == 2000 - 2 * TOLD_BURST


def test_it_pushes_no_ban_out(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ban_module, "MAX_BANS", 10)
    for _ in range(10):
        setting.defence.bans.failure("192.0.2.66", "101", setting.now)
    for number in range(20):
        setting.forge(f"10.0.0.{number}")
    assert len(setting.defence.bans) == 10 and not setting.defence.bans.admits("192.0.2.66")
    for _ in range(10):
        setting.defence.bans.failure("192.0.2.67", "101", setting.now)
    assert not setting.defence.bans.admits("192.0.2.67"), "who showed wrong passwords is"


def test_a_ban_lifted_by_hand_is_always_told(setting: Setting) -> None:
    for number in range(TOLD_BURST + 1):
        setting.forge(f"10.0.0.{number}")
    setting.events.clear()
    assert setting.defence.lift("10.0.0.7") and len(setting.events) == 1


def test_connections_of_a_banned_source_are_closed(setting: Setting) -> None:
    setting.forge("2001:db8:2::1")
    (is_its,) = setting.hung_up
    assert [is_its(host) for host in ("2001:db8:2::99", "2001:db8:3::1", "192.0.2.1")] == [True, False, False]


INVITE = (
    b"INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\nFrom: <sip:2@h>;tag=1\r\n"
    b"To: <sip:1@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
)


def test_new_calls_are_sent_away_unread(setting: Setting) -> None:
    """But for those that are here already; what is beyond its source's rate gets no answer, an ACK none either."""
    here: list[str] = []
    sent: list[bytes] = []
    setting.driver.layer = SimpleNamespace(has_invite=here.__contains__)
    setting.driver.trace = None
    setting.driver.send = lambda data, hop: sent.append(data)
    defence, source = setting.defence, Hop("udp", "192.0.2.1", 5060)
    assert defence._admits(INVITE, source) and not sent
    for _ in range(2):
        defence.overload.measure(1.0, setting.now)
    defence.overload.severity = 1.0
    assert not defence._admits(INVITE, source)
    assert sent[0].startswith(b"SIP/2.0 503 ") and b"\r\nRetry-After: " in sent[0]
    assert not defence._admits(INVITE.replace(b"INVITE", b"ACK").replace(b"1@h>\r", b"1@h>;tag=unread\r"), source)
    assert defence._admits(INVITE.replace(b"INVITE", b"BYE"), source)
    assert defence._admits(INVITE, source._replace(transport="tcp")), "refused when it is read"
    here.append("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1")
    assert defence._admits(INVITE, source), "the same again: its answer is on the way"
    here.clear()
    for _ in range(1000):
        assert not defence._admits(INVITE, source)
    assert len(sent) < 1000 and setting.counters["source_rate_dropped"] == 1001 - len(sent)
