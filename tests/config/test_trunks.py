"""Gateways, headers and name servers as an admin writes them."""

from __future__ import annotations

import pytest

from config.trunks import Gateway

from .conftest import LoadSite, Problems


def test_one_gateway_or_several(site: LoadSite) -> None:
    trunks = site(
        "trunks:\n  one: {gateway: sip:a.example}\n  none: {from: 192.0.2.1}\n"
        "  many: {gateways: [sip:a.example, {uri: sips:b.example, priority: 1, weight: 5}]}\n"
    ).trunks
    assert trunks["one"].ways == (Gateway(uri="sip:a.example"),) and trunks["none"].ways == ()
    assert trunks["many"].ways == (Gateway(uri="sip:a.example"), Gateway(uri="sips:b.example", priority=1, weight=5))


def test_headers(site: LoadSite) -> None:
    rules = "{in: {pass: X-A*}, out: {pass: [X-B], drop: X-C*, set: {X-D: 'e f'}}}"
    text = f"trunks: {{t: {{gateway: sip:a, headers: {rules}}}}}"
    headers = site(text).trunks["t"].headers
    assert headers.entering.passes == ("X-A*",) and headers.leaving.passes == ("X-B",)
    assert headers.leaving.drop == ("X-C*",) and headers.leaving.set == {"X-D": "e f"}


def test_name_servers(site: LoadSite) -> None:
    whole = 'site: x\nlisten: {sip: udp:127.0.0.1:5060, nameservers: [192.0.2.53, "127.0.0.1:5353", "[::1]:54", "::1"]}'
    servers = site(whole=whole).listen.nameservers
    assert servers == (("192.0.2.53", 53), ("127.0.0.1", 5353), ("::1", 54), ("::1", 53))


@pytest.mark.parametrize(
    ("trunk", "told"),
    [
        ("gateway: sip:a, gateways: [sip:b]", "3:10: trunks.t: expected either gateway or gateways"),
        ("gateways: [http://a]", "3:25: trunks.t.gateways[0]: expected a SIP URI"),
        ("gateways: [{uri: sip:a, weight: -1}]", "3:46: trunks.t.gateways[0].weight"),
        ("gateway: sip:a, headers: {out: {pass: From}}", "3:52: trunks.t.headers.out.pass: expected a header name"),
        ("gateway: sip:a, headers: {out: {set: {Via: x}}}", "3:52: trunks.t.headers.out.set.Via: expected a header"),
        ("gateway: sip:a, headers: {in: {set: {X-A: b}}}", "3:45: trunks.t.headers.in.set"),
        ('gateway: sip:a, headers: {out: {set: {X-A: "b\\r\\nVia: c"}}}', "3:57: trunks.t.headers.out.set.X-A"),
        ("gateway: sip:a, domain: 'a b'", "3:38: trunks.t.domain: expected a host"),
        ("gateway: sip:a, try_s: 0", "3:37: trunks.t.try_s"),
    ],
)
def test_mistakes(problems: Problems, trunk: str, told: str) -> None:
    (found,) = problems(f"trunks: {{t: {{{trunk}}}}}")
    assert found.startswith(f"site.yaml:{told}"), found


@pytest.mark.parametrize("server", ["ns.example", "192.0.2.53:0", "192.0.2.53:70000", "1.2.3"])
def test_no_name_server(problems: Problems, server: str) -> None:
    (found,) = problems(whole=f"site: x\nlisten: {{sip: udp:127.0.0.1:5060, nameservers: {server}}}")
    assert "listen.nameservers: expected a name server's ADDRESS or ADDRESS:PORT" in found, found
