from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Destination, Site
from pbx.routing import dial_plan
from pbx.routing.dial_plan import Caller, DialPlan, Route
from pbx.routing.pattern import LONGEST_NUMBER, expression

PHONE = Caller("extension", "101")
CARRIER = Caller("trunk", "carrier")
OTHER = Caller("trunk", "other")


def site(**sections: Any) -> Site:
    base: dict[str, Any] = {
        "site": "test",
        "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "extensions": {"101": {"password": "x"}, "102": {"password": "x"}, "front-desk": {"password": "x"}},
        "trunks": {"carrier": {"gateway": "sip:192.0.2.1"}, "other": {"gateway": "sip:192.0.2.2"}},
        "numbers": {
            "+33180203040": "ivr welcome", "0180203041": "queue asia", "3615": "extension 102",
            "+33 1 80 20 30 49": "ivr hold",
        },
        "dial_plan": [
            {"match": "0X.", "to": "trunk carrier", "dial": "+33{number:1}"},
            {"match": "2XXX", "from": "anyone", "to": "sip:{number}@127.0.0.1:5090"},
            {"match": "2001", "from": "anyone", "to": "queue never"},
            {"match": "1000", "from": "anyone", "to": "ivr hold"},
            {"match": "10X", "from": "trunk other", "to": "extension {number}"},
            {"match": "9.", "from": "trunks", "to": "refuse 603"},
            {"match": "*.", "to": "sip:{number}@127.0.0.1"},
            {"match": "8!", "to": "trunk other"},
        ],
    }  # fmt: skip
    return Site.model_validate(base | sections)


PLAN = DialPlan(site())


def goes(caller: Caller, number: str, plan: DialPlan = PLAN) -> str | None:
    route = plan.resolve(caller, number)
    return None if route is None else str(route.destination) + (f" dial {route.dial}" if route.dial else "")


@pytest.mark.parametrize(
    ("caller", "number", "to"),
    [
        # extensions: extensions, numbers, rules
        (PHONE, "102", "extension 102"),
        (PHONE, "front-desk", "extension front-desk"),
        (PHONE, "Front-Desk", None),  # RFC 3261 19.1.4: the user part has case
        (PHONE, "+33 1 80 20 30 40", "ivr welcome"),
        (PHONE, "0180203041", "queue asia"),  # ours: not out by the carrier
        (PHONE, "0180203042", "trunk carrier dial +33180203042"),
        (PHONE, "01.80.20.30.42", "trunk carrier dial +33180203042"),
        (PHONE, "2001", "sip:2001@127.0.0.1:5090"),
        (PHONE, "8", "trunk other dial 8"),
        (PHONE, "901", None),
        (PHONE, "108", None),
        (PHONE, "", None),
        # trunks: numbers, rules
        (CARRIER, "101", None),
        (OTHER, "101", "extension 101"),
        (CARRIER, "+33180203040", "ivr welcome"),
        (CARRIER, "33180203040", "ivr welcome"),
        (CARRIER, "0180203040", "ivr welcome"),
        (CARRIER, "0033180203040", "ivr welcome"),
        (CARRIER, "+33180203041", "queue asia"),
        (CARRIER, "+44180203041", None),  # same last digits, another number
        (CARRIER, "3615", "extension 102"),
        (CARRIER, "+33180203049", "ivr hold"),
        (CARRIER, "0180203042", None),
        (CARRIER, "1000", "ivr hold"),
        (CARRIER, "9123", "refuse 603"),
        (Caller("trunk", "unheard-of"), "9123", "refuse 603"),
        (Caller("trunk", "unheard-of"), "101", None),
    ],
)
def test_where_it_goes(caller: Caller, number: str, to: str | None) -> None:
    assert goes(caller, number) == to
    assert goes(caller, number) == to  # from the cache


def test_route_says_what_matched() -> None:
    assert PLAN.resolve(CARRIER, "0033180203040") == Route(
        Destination("ivr", "welcome"), "+33180203040", None, "number +33180203040"
    )
    assert PLAN.resolve(PHONE, "0 12") == Route(
        Destination("trunk", "carrier"), "012", "+3312", "dial_plan[0] (0X.)"
    )
    found = PLAN.resolve(PHONE, "102")
    assert found is not None and found.rule == "extension 102"


@pytest.mark.parametrize(
    ("number", "uri"),
    [
        ("*1@192.0.2.66", "sip:*1%40192.0.2.66@127.0.0.1"),
        ("*1>;x", "sip:*1%3E;x@127.0.0.1"),
        ("*21#", "sip:*21%23@127.0.0.1"),
    ],
)
def test_what_is_dialled_cannot_write_another_uri(number: str, uri: str) -> None:
    assert goes(PHONE, number) == uri


def test_overlong_numbers_match_nothing_and_are_not_kept() -> None:
    plan = DialPlan(site())
    assert plan.resolve(PHONE, "0" * (LONGEST_NUMBER + 1)) is None
    assert not plan._extensions.cache
    assert plan.resolve(PHONE, "0" * LONGEST_NUMBER) is not None


def test_cache_is_bounded_and_keeps_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_plan, "CACHED_NUMBERS", 8)
    plan = DialPlan(site())
    kept = plan.resolve(PHONE, "102")
    for n in range(100):
        plan.resolve(PHONE, f"4{n}")
        assert plan.resolve(PHONE, "102") is kept
    assert len(plan._extensions.cache) == 8


def test_site_without_numbers_or_rules() -> None:
    plan = DialPlan(site(numbers={}, dial_plan=[]))
    assert goes(PHONE, "102", plan) == "extension 102"
    assert goes(PHONE, "0180203040", plan) is None
    assert goes(CARRIER, "102", plan) is None


# --- the compiled matcher against the rules read one by one ---------------------------------------------------------

PATTERNS = st.builds(
    "".join,
    st.tuples(st.text("12", max_size=2), st.text("XZN1", max_size=2), st.sampled_from(["", ".", "!", "1", "[1-2]"])),
).filter(bool)


@given(st.lists(st.tuples(PATTERNS, st.sampled_from(["anyone", "extensions", "trunks", "trunk carrier"])), max_size=8),
       st.sampled_from([PHONE, CARRIER, OTHER]), st.text("012", min_size=1, max_size=5))  # fmt: skip
def test_the_first_rule_wins(rules: list[tuple[str, str]], caller: Caller, number: str) -> None:
    plan = DialPlan(site(
        extensions={}, numbers={},
        dial_plan=[{"match": m, "from": f, "to": f"queue q{i}"} for i, (m, f) in enumerate(rules)],
    ))  # fmt: skip
    mine = ("anyone", "extensions") if caller.kind == "extension" else ("anyone", "trunks", f"trunk {caller.name}")
    expected = next(
        (f"queue q{i}" for i, (m, f) in enumerate(rules) if f in mine and re.fullmatch(expression(m), number)), None
    )
    assert goes(caller, number, plan) == expected
    steps = plan.explain(caller, number).steps
    if expected is None:
        assert steps[-1] == "nothing matches: 404"
    else:
        assert steps[-1].endswith(f"matches {number} -> {expected}")


# --- explanations ---------------------------------------------------------------------------------------------------


def test_explains_a_rule() -> None:
    explained = PLAN.explain(PHONE, "20-01")
    assert explained.route is PLAN.resolve(PHONE, "20-01")
    assert explained.steps == (
        "from extension 101",
        "dialled 20-01, read as 2001",
        "no extension 2001",
        "2001 is none of the site's numbers",
        "dial_plan[0] (0X.): does not match 2001",
        "dial_plan[1] (2XXX): matches 2001 -> sip:2001@127.0.0.1:5090",
    )


def test_explains_a_number_and_an_extension() -> None:
    assert PLAN.explain(CARRIER, "0180203040").steps == (
        "from trunk carrier",
        "0180203040 is the site's number +33180203040 -> ivr welcome",
    )
    assert PLAN.explain(PHONE, "102").steps == ("from extension 101", "extension 102 exists")


def test_explains_nothing() -> None:
    steps = PLAN.explain(CARRIER, "0180203042").steps
    assert "dial_plan[0] (0X.): for extensions, not for trunk carrier" in steps
    assert "dial_plan[4] (10X): for trunk other, not for trunk carrier" in steps
    assert steps[-1] == "nothing matches: 404"
    unknown = PLAN.explain(Caller("trunk", "nobody"), "1")
    assert "there is no trunk nobody: only rules for all trunks apply" in unknown.steps


def test_explains_the_number_to_dial() -> None:
    assert PLAN.explain(PHONE, "012").steps[-1] == "dial_plan[0] (0X.): matches 012 -> trunk carrier, dial +3312"
