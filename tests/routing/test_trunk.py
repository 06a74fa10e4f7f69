from __future__ import annotations

from typing import Any

import pytest

from config.schema import Site
from pbx.routing import trunk as trunk_module
from pbx.routing.trunk import TrunkTable, uri_with_user


def site(trunks: dict[str, Any]) -> Site:
    return Site.model_validate({
        "site": "test",
        "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "extensions": {"101": {"password": "x", "caller_id": "+33180203001"}, "102": {"password": "x"}},
        "trunks": trunks,
    })


SITE = site({
    "wide": {"from": ["198.51.0.0/16", "2001:db8::/32"], "gateway": "sip:198.51.0.1:5080;transport=tcp"},
    "narrow": {"from": "198.51.100.0/24", "gateway": "sip:[2001:db8::7]:5070", "caller_id": "+33180203000"},
    "exact": {"from": ["198.51.100.7", "203.0.113.9", "2001:db8:1::1"]},
    "phone": {"registers_as": {"username": "pbx2", "password": "x"}},
})


@pytest.mark.parametrize(
    ("host", "trunk"),
    [
        ("198.51.1.1", "wide"),
        ("198.51.100.1", "narrow"),
        ("198.51.100.7", "exact"),
        ("::ffff:198.51.100.7", "exact"),
        ("203.0.113.9", "exact"),
        ("203.0.113.10", None),
        ("2001:db8::5", "wide"),
        ("2001:db8:1::1", "exact"),
        ("2001:db9::1", None),
        ("::1", None),
        ("not an address", None),
    ],
)
def test_longest_prefix(host: str, trunk: str | None) -> None:
    table = TrunkTable(SITE)
    assert table.trunk_of(host, 5060) == trunk
    assert table.trunk_of(host, 5061) == trunk  # from the cache


def test_registration_comes_first_and_is_asked_each_time() -> None:
    bindings = {("198.51.100.7", 5062): "pbx2", ("198.51.100.7", 5063): "101"}
    table = TrunkTable(SITE, lambda host, port, transport: bindings.get((host, port)))
    assert table.trunk_of("198.51.100.7", 5062) == "phone"
    assert table.trunk_of("198.51.100.7", 5063) == "exact"  # a phone's registration is no trunk's
    bindings.clear()
    assert table.trunk_of("198.51.100.7", 5062) == "exact"
    assert table.aor("phone") == "pbx2"
    assert table.aor("wide") is None


def test_the_network_of_every_address() -> None:
    assert TrunkTable(site({"any": {"from": "0.0.0.0/0"}})).trunk_of("8.8.8.8", 1) == "any"


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_module, "CACHED_HOSTS", 4)
    table = TrunkTable(SITE)
    for n in range(100):
        table.trunk_of(f"198.51.1.{n}", 5060)
    assert len(table._hosts) == 4


@pytest.mark.parametrize(
    ("trunk", "extension", "shown"),
    [
        ("narrow", "101", "+33180203001"),
        ("narrow", "102", "+33180203000"),
        ("wide", "102", "102"),
        ("narrow", None, "+33180203000"),
        ("wide", None, "+4420"),
        ("wide", "999", "999"),
    ],
)
def test_caller_id(trunk: str, extension: str | None, shown: str) -> None:
    assert TrunkTable(SITE).caller_id(trunk, extension, extension or "+4420") == shown


def test_uri_with_user_replaces_the_user() -> None:
    assert uri_with_user("sip:pbx2@203.0.113.5:5062;ob", "0123") == "sip:0123@203.0.113.5:5062;ob"
    assert uri_with_user("sip:203.0.113.5", "a@b") == "sip:a%40b@203.0.113.5"
