"""The `security` section and what trunks have of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.schema import Site

LoadSite = Callable[..., Site]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("security: {per_source: {requests_per_s: 0}}",
         "3:41: security.per_source.requests_per_s: expected a number above 0, found 0"),
        ("security: {ban: {after: none}}",
         '3:25: security.ban.after: expected a whole number of at least 1, found "none"'),
        ("security: {never_ban: here}",
         '3:23: security.never_ban: expected an IP address or network, as 192.0.2.7 or 192.0.2.0/24, found "here"'),
        ("trunks: {a: {tls_name: sip.example}}",
         "3:24: trunks.a.tls_name: expected listen.tls with client_certificates optional or required, which prove the "
         'name, found "sip.example"'),
        ("trunks: {a: {from: 192.0.2.1, calls_per_s: -1}}",
         "3:44: trunks.a.calls_per_s: expected a number above 0, found -1"),
        ("trunks: {a: {caller_id: 1}}",
         "3:10: trunks.a: expected at least one of: from, gateway, gateways, register, registers_as, tls_name, found "
         "caller_id"),
    ],
)  # fmt: skip
def test_mistakes(problems: Problems, text: str, problem: str) -> None:
    assert [p.removeprefix("site.yaml:") for p in problems(text)] == [problem]


def test_the_defaults_suit_the_open_internet(site: LoadSite) -> None:
    security = site("").security
    assert security.never_ban == security.proxies == ()
    assert (security.ban.after, security.ban.for_s, security.per_source.requests_per_s) == (10, 600, 50)


def test_one_or_many(site: LoadSite) -> None:
    security = site("security: {proxies: 192.0.2.10, never_ban: [10.0.0.0/8, 2001:db8::/32], scanners: x}").security
    assert [str(network) for network in (*security.proxies, *security.never_ban)] == [
        "192.0.2.10/32", "10.0.0.0/8", "2001:db8::/32",
    ]  # fmt: skip
    assert security.scanners == ("x",)
