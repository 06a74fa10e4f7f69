"""RFC 3263 section 4 as a table: what is asked of the name service and where it leads; RFC 2782's order."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.hop import Hop
from pbx.sip.next_hop import MAX_HOPS, Naptr, Question, Record, Records, Speaks, Srv, by_weight, select

ALL = Speaks.of([("udp", "0.0.0.0", 5060), ("tcp", "0.0.0.0", 5060), ("tls", "0.0.0.0", 5061), ("wss", "0.0.0.0", 443)])
UDP = Speaks.of([("udp", "192.0.2.100", 5060)])
TCP_FIRST = Speaks.of([("tcp", "192.0.2.100", 5060), ("udp", "192.0.2.100", 5060)])
TCP_ONLY = Speaks.of([("tcp", "192.0.2.100", 5060)])
BOTH = Speaks.of([("udp", "::", 5060), ("udp", "0.0.0.0", 5060), ("tcp", "::", 5060)])

#: a zone with everything: NAPTR that prefers TLS, then UDP, then TCP
FULL: dict[tuple[str, str], Records] = {
    ("example.com", "NAPTR"): (
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(100, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
        Naptr(90, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
    ),
    ("_sips._tcp.example.com", "SRV"): (Srv(0, 1, 5081, "secure.example.com"),),
    ("_sip._tcp.example.com", "SRV"): (Srv(0, 1, 5070, "stream.example.com"),),
    ("_sip._udp.example.com", "SRV"): (Srv(2, 0, 5060, "second.example.com"), Srv(1, 0, 5090, "first.example.com")),
    ("secure.example.com", "A"): ("192.0.2.5",),
    ("stream.example.com", "A"): ("192.0.2.4",),
    ("first.example.com", "A"): ("192.0.2.1", "192.0.2.11"),
    ("second.example.com", "A"): ("192.0.2.2",),
    ("example.com", "A"): ("192.0.2.9",),
    ("example.com", "AAAA"): ("2001:db8::9",),
}
NO_NAPTR = {key: value for key, value in FULL.items() if key[1] != "NAPTR"}
ONLY_A = {key: value for key, value in FULL.items() if key[1] in ("A", "AAAA")}
UDP_UNAVAILABLE = {**NO_NAPTR, ("_sip._udp.example.com", "SRV"): (Srv(0, 0, 0, ""),)}
NONE_AVAILABLE = {**ONLY_A, ("_sip._udp.example.com", "SRV"): (Srv(0, 0, 0, ""),)}
SRV_WITHOUT_ADDRESS = {**FULL, ("secure.example.com", "A"): ()}

UDP_HOPS = ["udp:192.0.2.1:5090", "udp:192.0.2.11:5090", "udp:192.0.2.2:5060"]
TCP_HOPS = ["tcp:192.0.2.4:5070"]
TLS_HOPS = ["tls:192.0.2.5:5081"]

Zone = dict[tuple[str, str], Records]


def first(most: int) -> int:
    return 0


def hops(uri: str, zone: Zone, speaks: Speaks) -> list[str]:
    return [str(hop) for hop in select(uri, lambda question: zone.get(question, ()), speaks, first).hops]


TABLE: list[tuple[str, Zone, Speaks, list[str]]] = [
    # 4.2, numeric: nothing is asked; the default port is the transport's
    ("sip:1@192.0.2.7", {}, ALL, ["udp:192.0.2.7:5060"]),
    ("sip:1@192.0.2.7:5070", {}, ALL, ["udp:192.0.2.7:5070"]),
    ("sips:1@192.0.2.7", {}, ALL, ["tls:192.0.2.7:5061"]),
    ("sips:1@192.0.2.7:5070", {}, ALL, ["tls:192.0.2.7:5070"]),
    ("sip:1@192.0.2.7;transport=tcp", {}, ALL, ["tcp:192.0.2.7:5060"]),
    ("sip:1@192.0.2.7;transport=TLS", {}, ALL, ["tls:192.0.2.7:5061"]),
    ("sips:1@192.0.2.7;transport=tcp", {}, ALL, ["tls:192.0.2.7:5061"]),  # RFC 3261 26.2.2
    ("sips:1@192.0.2.7;transport=udp", {}, ALL, []),
    ("sip:1@[2001:DB8::0:7]", {}, BOTH, ["udp:[2001:db8::7]:5060"]),
    ("sip:1@[2001:db8::7]", {}, UDP, []),  # no IPv6 here
    ("sip:1@192.0.2.7", {}, TCP_ONLY, ["tcp:192.0.2.7:5060"]),  # SHOULD be UDP, which we have not
    ("sip:1@192.0.2.7;transport=tcp", {}, UDP, ["tcp:192.0.2.7:5060"]),  # a stream needs no listener
    ("sip:1@192.0.2.7;transport=udp", {}, TCP_ONLY, []),
    ("sip:1@192.0.2.7;transport=ws", {}, ALL, []),  # a browser can't be called (RFC 7118 5)
    ("sip:1@192.0.2.7;transport=sctp", {}, ALL, []),
    # maddr is the target (4)
    ("sip:1@example.com;maddr=192.0.2.8", FULL, ALL, ["udp:192.0.2.8:5060"]),
    ("sip:1@elsewhere.example;maddr=example.com;transport=tcp", FULL, ALL, TCP_HOPS),
    # 4.2, a port: addresses of the name alone
    ("sip:1@example.com:5062", FULL, ALL, ["udp:192.0.2.9:5062"]),
    ("sips:1@example.com:5062", FULL, ALL, ["tls:192.0.2.9:5062"]),
    ("sip:1@example.com:5062;transport=tcp", FULL, ALL, ["tcp:192.0.2.9:5062"]),
    ("sip:1@example.com:5062", FULL, BOTH, ["udp:[2001:db8::9]:5062", "udp:192.0.2.9:5062"]),
    ("sip:1@example.com:5062", FULL, TCP_ONLY, ["tcp:192.0.2.9:5062"]),
    # 4.1, a transport: SRV, no NAPTR
    ("sip:1@example.com;transport=udp", FULL, ALL, UDP_HOPS),
    ("sip:1@example.com;transport=tcp", FULL, ALL, TCP_HOPS),
    ("sip:1@example.com;transport=tls", FULL, ALL, TLS_HOPS),
    ("sips:1@example.com;transport=tcp", FULL, ALL, TLS_HOPS),
    ("sip:1@example.com;transport=tcp", ONLY_A, ALL, ["tcp:192.0.2.9:5060"]),
    ("sip:1@example.com;transport=tls", ONLY_A, ALL, ["tls:192.0.2.9:5061"]),
    ("sip:1@example.com;transport=udp", NONE_AVAILABLE, ALL, []),  # RFC 2782: decidedly not available
    # 4.1, neither: NAPTR
    ("sip:1@example.com", FULL, ALL, TLS_HOPS),
    ("sip:1@EXAMPLE.com.", FULL, ALL, TLS_HOPS),
    ("sips:1@example.com", FULL, ALL, TLS_HOPS),
    ("sip:1@example.com", FULL, UDP, UDP_HOPS),  # what we do not speak is passed over
    ("sip:1@example.com", FULL, TCP_FIRST, UDP_HOPS),  # order is the callee's
    ("sip:1@example.com", FULL, TCP_ONLY, TCP_HOPS),
    ("sips:1@example.com", FULL, UDP, TLS_HOPS),  # a stream needs no listener
    ("sip:1@example.com", SRV_WITHOUT_ADDRESS, ALL, UDP_HOPS),  # the next service
    # no NAPTR: SRV for each transport, in our order
    ("sip:1@example.com", NO_NAPTR, ALL, UDP_HOPS),
    ("sip:1@example.com", NO_NAPTR, TCP_FIRST, TCP_HOPS),
    ("sips:1@example.com", NO_NAPTR, ALL, TLS_HOPS),
    ("sip:1@example.com", UDP_UNAVAILABLE, ALL, TCP_HOPS),
    ("sip:1@example.com", NONE_AVAILABLE, ALL, []),
    # no SRV: addresses
    ("sip:1@example.com", ONLY_A, ALL, ["udp:192.0.2.9:5060"]),
    ("sips:1@example.com", ONLY_A, ALL, ["tls:192.0.2.9:5061"]),
    ("sip:1@example.com", ONLY_A, TCP_FIRST, ["udp:192.0.2.9:5060"]),  # SHOULD be UDP
    ("sip:1@example.com", ONLY_A, TCP_ONLY, ["tcp:192.0.2.9:5060"]),
    ("sip:1@example.com", ONLY_A, BOTH, ["udp:[2001:db8::9]:5060", "udp:192.0.2.9:5060"]),
    ("sip:1@nowhere.example", FULL, ALL, []),
    # NAPTR records that are not for SIP, or can't be used
    ("sip:1@example.com", {**ONLY_A, ("example.com", "NAPTR"): (Naptr(1, 1, "u", "E2U+sip", ""),)}, ALL,
     ["udp:192.0.2.9:5060"]),
    ("sip:1@example.com", {**NO_NAPTR, ("example.com", "NAPTR"): (Naptr(1, 1, "a", "SIP+D2T", "example.com"),)}, UDP,
     UDP_HOPS),
    ("sip:1@example.com",
     {**NO_NAPTR, ("example.com", "NAPTR"): (Naptr(1, 1, "S", "sip+d2t", "_sip._tcp.example.com"),)},
     ALL, TCP_HOPS),
    # SRV that names an address (RFC 2782 forbids it; some do)
    ("sip:1@x.example;transport=udp", {("_sip._udp.x.example", "SRV"): (Srv(0, 0, 5066, "192.0.2.77"),)}, UDP,
     ["udp:192.0.2.77:5066"]),
    # no SIP URI, nothing spoken
    ("tel:+33123", {}, ALL, []),
    ("mailto:a@b", {}, ALL, []),
    ("sip:1@192.0.2.7", {}, Speaks.of([("wss", "0.0.0.0", 443)]), []),
]  # fmt: skip


@pytest.mark.parametrize(("uri", "zone", "speaks", "wanted"), TABLE)
def test_where_a_uri_leads(uri: str, zone: Zone, speaks: Speaks, wanted: list[str]) -> None:
    assert hops(uri, zone, speaks) == wanted


@pytest.mark.parametrize(
    ("uri", "zone", "asked"),
    [
        ("sip:1@192.0.2.7", {}, []),
        ("sip:1@example.com:5062", {}, ["example.com A"]),
        ("sip:1@example.com;transport=udp", {}, ["_sip._udp.example.com SRV", "example.com A"]),
        ("sip:1@example.com", {},
         ["example.com NAPTR", "_sip._udp.example.com SRV", "_sip._tcp.example.com SRV", "_sips._tcp.example.com SRV",
          "example.com A"]),
        ("sips:1@example.com", {}, ["example.com NAPTR", "_sips._tcp.example.com SRV", "example.com A"]),
        ("sip:1@example.com", FULL, ["example.com NAPTR", "_sips._tcp.example.com SRV", "secure.example.com A"]),
    ],
)  # fmt: skip
def test_what_is_asked_and_in_which_order(uri: str, zone: Zone, asked: list[str]) -> None:
    """Coming again after each answer; nothing is asked that an earlier answer makes needless, nothing twice."""
    known: dict[Question, Records] = {}
    seen: list[str] = []
    for _ in range(20):
        selection = select(uri, known.get, ALL, first)
        if not selection.missing:
            break
        assert not selection.hops
        for question in selection.missing:
            assert question not in known
            seen.append(f"{question.name} {question.type}")
            known[question] = zone.get(question, ())
    assert seen == asked


def test_several_targets_are_asked_for_together() -> None:
    zone = {("_sip._udp.example.com", "SRV"): FULL["_sip._udp.example.com", "SRV"]}
    missing = select("sip:example.com;transport=udp", lambda question: zone.get(question), UDP, first).missing
    assert missing == (Question("first.example.com", "A"), Question("second.example.com", "A"))


def test_a_certificate_is_to_be_the_name_of_the_uri() -> None:
    """RFC 5922 4: not the name that SRV leads to, which anybody who forges an answer can choose."""
    selection = select("sips:1@example.com", lambda question: FULL.get(question, ()), ALL, first)
    assert selection.hops == (Hop("tls", "192.0.2.5", 5081, 0, "example.com"),)


def test_endless_records_are_cut() -> None:
    many: tuple[Record, ...] = tuple(f"192.0.2.{n}" for n in range(250))
    assert len(hops("sip:example.com", {("example.com", "A"): many}, UDP)) == MAX_HOPS
    twice: Zone = {("example.com", "A"): ("192.0.2.1", "192.0.2.1")}
    assert len(hops("sip:example.com", twice, UDP)) == 1


# --- RFC 2782 -------------------------------------------------------------------------------------------------------


def test_priority_before_weight() -> None:
    records = [Srv(20, 100, 1, "c"), Srv(10, 0, 1, "b"), Srv(5, 0, 1, "a")]
    assert [one.target for one in by_weight(records, first)] == ["a", "b", "c"]


def test_weights_are_shares() -> None:
    dice = random.Random(4)
    records = [Srv(1, 60, 1, "a"), Srv(1, 30, 1, "b"), Srv(1, 10, 1, "c"), Srv(1, 0, 1, "never")]
    drawn = Counter(by_weight(records, lambda most: dice.randint(0, most))[0].target for _ in range(10_000))
    assert abs(drawn["a"] - 6000) < 200 and abs(drawn["b"] - 3000) < 200 and abs(drawn["c"] - 1000) < 150
    assert 0 < drawn["never"] < 200  # weight 0: "a very small chance", RFC 2782


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535)), max_size=12),
    st.integers(0, 2**32),
)
def test_every_target_once_and_priorities_ascend(pairs: list[tuple[int, int]], seed: int) -> None:
    dice = random.Random(seed)
    records = [Srv(priority, weight, n, "x") for n, (priority, weight) in enumerate(pairs)]
    ordered = by_weight(records, lambda most: dice.randint(0, most))
    assert sorted(ordered) == sorted(records)
    assert all(one.priority <= other.priority for one, other in itertools.pairwise(ordered))
