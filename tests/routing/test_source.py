from __future__ import annotations

import ipaddress

import pytest

from pbx.routing.source import within
from pbx.sip.source import source_of


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no:address", "no:address"),
    ],
)
def test_source_of(host: str, source: str) -> None:
    assert source_of(host) == source


def test_within_takes_hosts_and_sources() -> None:
    networks = [ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32")]
    for host in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1", "2001:db8:1:2::/64", "2001:db8::1%eth0"):
        assert within(networks, host), host
    for host in ("198.51.100.1", "2001:db9::1", "name", ""):
        assert not within(networks, host), host
