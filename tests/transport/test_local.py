"""Our own address as a peer should see it."""

from __future__ import annotations

from pbx.sip.hop import Hop
from pbx.transport.local import Local, source_address

UDP, TCP = Hop("udp", "127.0.0.1", 5060), Hop("tcp", "127.0.0.1", 5060)


def test_the_listener_is_what_peers_are_told() -> None:
    local = Local({"udp": [("192.0.2.1", 5060), ("192.0.2.2", 5070)], "tcp": [("192.0.2.1", 5061)]})
    assert local.sent_by(UDP) == "192.0.2.1:5060"
    assert local.sent_by(UDP._replace(listener=1)) == "192.0.2.2:5070"
    assert local.sent_by(UDP._replace(listener=9)) == "192.0.2.2:5070"
    assert local.sent_by(TCP) == "192.0.2.1:5061"
    assert local.sent_by(Hop("ws", "127.0.0.1", 1)) == "192.0.2.1:5060"
    assert local.host("127.0.0.1") == "192.0.2.1"


def test_listening_everywhere_the_way_to_the_peer_decides() -> None:
    local = Local({"udp": [("0.0.0.0", 5060)]})
    assert local.sent_by(UDP) == "127.0.0.1:5060" and local.host("127.0.0.1") == "127.0.0.1"


def test_what_is_advertised_stands_for_all() -> None:
    local = Local({"udp": [("0.0.0.0", 5060)]}, advertise="203.0.113.5")
    assert local.sent_by(UDP) == "203.0.113.5:5060" and local.host("127.0.0.1") == "203.0.113.5"


def test_ipv6_has_brackets() -> None:
    assert Local({"udp": [("2001:db8::1", 5060)]}).sent_by(Hop("udp", "2001:db8::2", 5060)) == "[2001:db8::1]:5060"


def test_memory_is_bounded() -> None:
    local = Local({"udp": [("192.0.2.1", 5060)]})
    for number in range(25_000):
        local.sent_by(Hop("udp", f"10.0.{number // 250}.{number % 250}", 5060))
    assert len(local._sent_by) <= 10_001


def test_no_way_to_the_peer() -> None:
    assert source_address("127.0.0.1") == "127.0.0.1"
    assert source_address("not an address") == "127.0.0.1" and source_address("::g") == "::1"
