"""Our own address as a peer should see it, and by which listener we reach a peer."""

from __future__ import annotations

import ipaddress

import pytest

from pbx.sip.hop import Hop
from pbx.transport.local import Local, source_address

UDP, TCP = Hop("udp", "127.0.0.1", 5060), Hop("tcp", "127.0.0.1", 5060)
FAR, FAR6 = Hop("udp", "198.51.100.9", 5060), Hop("udp", "2001:db8:ffff::9", 5060)
BOTH = {"udp": [("192.0.2.1", 5060), ("2001:db8::1", 5070)]}


def test_the_listener_is_what_peers_are_told() -> None:
    local = Local({"udp": [("192.0.2.1", 5060), ("192.0.2.2", 5070)], "tcp": [("192.0.2.1", 5061)]})
    assert local.sent_by(UDP) == "192.0.2.1:5060"
    assert local.sent_by(UDP._replace(listener=1)) == "192.0.2.2:5070"
    assert local.sent_by(UDP._replace(listener=9)) == "192.0.2.2:5070"
    assert local.sent_by(TCP) == "192.0.2.1:5061"
    assert local.sent_by(Hop("ws", "127.0.0.1", 1)) == "192.0.2.1:5060"
    assert local.address(UDP) == "192.0.2.1"


def test_listening_everywhere_the_way_to_the_peer_decides() -> None:
    local = Local({"udp": [("0.0.0.0", 5060)]})
    assert local.sent_by(UDP) == "127.0.0.1:5060" and local.address(UDP) == "127.0.0.1"
    assert local.source(UDP) is None


def test_each_family_by_its_own_listener() -> None:
    local = Local(BOTH)
    assert [local.listener(FAR), local.listener(FAR6)] == [0, 1]
    assert [local.listener(FAR._replace(listener=1)), local.listener(FAR6._replace(listener=1))] == [0, 1]
    assert local.sent_by(FAR) == "192.0.2.1:5060" and local.sent_by(FAR6) == "[2001:db8::1]:5070"
    assert local.address(FAR6) == "2001:db8::1"
    assert local.source(FAR6._replace(transport="udp")) == "2001:db8::1"


def test_the_loopback_reaches_nobody_else() -> None:
    local = Local({"udp": [("127.0.0.1", 5060), ("192.0.2.1", 5060)], "tcp": [("127.0.0.1", 5060)]})
    assert [local.listener(UDP), local.listener(FAR)] == [0, 1]
    assert local.source(TCP) == "127.0.0.1" and local.source(FAR._replace(transport="tcp")) is None
    assert local.source(FAR._replace(transport="tls")) is None


def test_what_is_advertised_is_for_those_outside() -> None:
    local = Local({"udp": [("192.168.1.2", 5060)]}, ["203.0.113.5"])
    assert local.sent_by(FAR) == "203.0.113.5:5060" and local.address(FAR) == "203.0.113.5"
    for near in ("192.168.1.77", "10.1.2.3", "127.0.0.1", "172.31.0.1", "100.64.0.1"):
        assert local.sent_by(FAR._replace(host=near)) == "192.168.1.2:5060", near


def test_one_advertised_address_a_family() -> None:
    local = Local(BOTH, ["203.0.113.5", "2001:db8:5::5"])
    assert local.sent_by(FAR) == "203.0.113.5:5060" and local.sent_by(FAR6) == "[2001:db8:5::5]:5070"
    assert Local(BOTH, ["203.0.113.5"]).sent_by(FAR6) == "[2001:db8::1]:5070"
    assert Local(BOTH, ["2001:db8:5::5"]).sent_by(FAR) == "192.0.2.1:5060"


def test_an_advertised_name_stands_for_both_but_in_sdp() -> None:
    local = Local(BOTH, ["sbc.example.com", "203.0.113.5"])
    assert local.sent_by(FAR) == "sbc.example.com:5060" and local.address(FAR) == "203.0.113.5"
    assert local.sent_by(FAR6) == "sbc.example.com:5070" and local.address(FAR6) == "2001:db8::1"
    assert Local(BOTH, ["sbc.example.com"]).address(FAR) == "sbc.example.com"


def test_the_site_says_who_is_near() -> None:
    local = Local({"udp": [("192.0.2.1", 5060)]}, ["203.0.113.5"], [ipaddress.ip_network("198.51.100.0/24")])
    assert local.sent_by(FAR) == "192.0.2.1:5060" and local.sent_by(UDP) == "203.0.113.5:5060"


def test_ipv6_has_brackets() -> None:
    assert Local({"udp": [("2001:db8::1", 5060)]}).sent_by(Hop("udp", "2001:db8::2", 5060)) == "[2001:db8::1]:5060"


def test_memory_is_bounded() -> None:
    local = Local({"udp": [("192.0.2.1", 5060)]})
    for number in range(25_000):
        local.sent_by(Hop("udp", f"10.0.{number // 250}.{number % 250}", 5060))
    assert len(local._seen) <= 10_000


@pytest.mark.parametrize("host", ["not an address", "::g"])
def test_no_way_to_the_peer(host: str) -> None:
    assert source_address("127.0.0.1") == "127.0.0.1"
    assert source_address(host) in ("127.0.0.1", "::1")
    assert Local({"udp": [("0.0.0.0", 5060)]}, ["203.0.113.5"]).sent_by(Hop("udp", host, 1)).endswith(":5060")


def test_a_network_that_comes_up_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may be there before the network: what is said then must not be said for ever."""
    routes = {"up": False}

    def routed(peer: str) -> str:
        if not routes["up"]:
            raise OSError
        return "192.0.2.100"

    monkeypatch.setattr("pbx.transport.local._routed", routed)
    local, hop = Local({"udp": [("0.0.0.0", 5060)]}), Hop("udp", "203.0.113.5", 5060)
    assert local.sent_by(hop) == "127.0.0.1:5060"
    routes["up"] = True
    assert local.sent_by(hop) == "192.0.2.100:5060" and source_address("203.0.113.5") == "192.0.2.100"
