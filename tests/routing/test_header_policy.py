"""What crosses from one side of a call to the other, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Site
from pbx.routing.header_policy import (
    ANONYMOUS,
    CROSSING,
    CROSSING_BYTES,
    Facts,
    HeaderPolicy,
    Shown,
    asserted,
    diversions,
    wants_privacy,
)

PUBLIC = [("From", '"Anna" <sip:0612@192.0.2.9>;tag=1')]
HIDDEN = [("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')]
ASSERTED = [("P-Asserted-Identity", '"Anna Real" <sip:+33612@carrier.example>')]
PRIVATE = [("Privacy", "id;critical")]


@pytest.mark.parametrize(
    ("headers", "trusted", "number", "name"),
    [
        (PUBLIC, False, "0612", "Anna"),
        (PUBLIC + ASSERTED, False, "0612", "Anna"),  # anybody can write that
        (PUBLIC + ASSERTED, True, "+33612", "Anna Real"),
        (HIDDEN, True, "anonymous", "Anonymous"),
        (HIDDEN + ASSERTED, True, "+33612", "Anna Real"),
        (HIDDEN + ASSERTED, False, "anonymous", "Anonymous"),
        ([*PUBLIC, ("P-Asserted-Identity", "<tel:+33612>")], True, "+33612", "Anna"),
        ([*HIDDEN, ("P-Asserted-Identity", "<tel:+33612>")], True, "+33612", ""),
        ([*PUBLIC, ("P-Asserted-Identity", "<sip:host.example>, <sip:7@host.example>")], True, "7", "Anna"),
        ([*PUBLIC, ("P-Asserted-Identity", '"<<<,;')], True, "0612", "Anna"),
        ([*PUBLIC, ("p-preferred-identity", "<sip:9@host.example>")], True, "0612", "Anna"),
        ([], True, "", ""),
    ],
)
def test_who_calls(headers: list[tuple[str, str]], trusted: bool, number: str, name: str) -> None:
    assert asserted(headers, trusted=trusted) == (number, name)


@pytest.mark.parametrize(
    ("value", "private"),
    [("id", True), ("user", True), ("header", True), ("Id; critical", True), ("session,id", True), ("none", False),
     ("session", False), ("", False)],
)  # fmt: skip
def test_who_wants_to_be_unknown(value: str, private: bool) -> None:
    assert wants_privacy([("Privacy", value)]) is private
    assert not wants_privacy([])


def test_forwards_that_are_told() -> None:
    headers = [
        ("Diversion", "<sip:102@a.example>;reason=no-answer;counter=1, <sip:101@a.example>;reason=\"user-busy\""),
        ("diversion", "<tel:+33199>"), ("Diversion", '"<'),
    ]  # fmt: skip
    assert diversions(headers) == [("+33199", "unknown"), ("101", "user-busy"), ("102", "no-answer")]
    assert len(diversions([("Diversion", "<sip:1@a>")] * 50)) == 5


# --- what is shown --------------------------------------------------------------------------------------------------


def site(**web: Any) -> Site:
    rules = {"in": {"pass": ["X-Order*", "User-to-User"]}}
    return Site.model_validate({
        "site": "test", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "web": web,
        "trunks": {
            "open": {"gateway": "sip:open.example", "trusted": True, "headers": {
                **rules, "out": {"pass": ["X-*", "Priority"], "drop": "X-Secret*", "set": {"X-Customer": "c 7"}},
            }},
            "own": {"gateway": "sip:own.example", "trusted": True, "domain": "us.example"},
            "plain": {"gateway": "sip:plain.example"},
        },
    })  # fmt: skip


X = [("X-Order-Id", "1"), ("x-secret-key", "2"), ("X-Other", "3"), ("Priority", "urgent"), ("User-to-User", "ab"),
     ("User-Agent", "Phone 1.0"), ("Subject", "s"), ("Call-Info", "<http://10.0.0.1/>")]  # fmt: skip


def facts(headers: list[tuple[str, str]], trunk: str | None = None, session: str = "") -> Facts:
    return Facts("Anna", "0612", headers, trunk, session)


CALLER = '"Anna" <sip:0612'


@pytest.mark.parametrize(
    ("to", "headers", "source", "shown"),
    [
        ("plain", PUBLIC, None, Shown(CALLER, "", "", False)),
        ("plain", PRIVATE, None, Shown(ANONYMOUS, "anonymous.invalid", "Privacy: id\r\n", False)),
        ("plain", X + ASSERTED, None, Shown(CALLER, "", "", False)),
        ("plain", X, "open", Shown(CALLER, "", "", False)),
        ("own", PUBLIC, None,
         Shown(CALLER, "us.example", f"P-Asserted-Identity: {CALLER}@us.example>\r\n", True)),
        ("own", PRIVATE, None,
         Shown(ANONYMOUS, "anonymous.invalid", f"P-Asserted-Identity: {CALLER}@us.example>\r\nPrivacy: id\r\n", True)),
        ("open", X, None,
         Shown(CALLER, "", "X-Order-Id: 1\r\nX-Other: 3\r\nPriority: urgent\r\nX-Customer: c 7\r\n"
               f"P-Asserted-Identity: {CALLER}@open.example>\r\n", True)),
        ("open", X, "open",  # what both sides let pass
         Shown(CALLER, "", "X-Order-Id: 1\r\nX-Customer: c 7\r\n"
               f"P-Asserted-Identity: {CALLER}@open.example>\r\n", True)),
        ("open", X, "plain",
         Shown(CALLER, "", f"X-Customer: c 7\r\nP-Asserted-Identity: {CALLER}@open.example>\r\n", True)),
    ],
)  # fmt: skip
def test_to_a_trunk(to: str, headers: list[tuple[str, str]], source: str | None, shown: Shown) -> None:
    assert HeaderPolicy(site()).to_trunk(facts(headers, source), to, f"{to}.example") == shown


@pytest.mark.parametrize(
    ("headers", "source", "shown"),
    [
        (X, None, Shown(CALLER, "", "", True)),  # from phone to phone nothing crosses
        (X, "plain", Shown(CALLER, "", "", True)),
        (X, "open", Shown(CALLER, "", "X-Order-Id: 1\r\nUser-to-User: ab\r\n", True)),
        (PRIVATE, "open", Shown(ANONYMOUS, "anonymous.invalid", "", True)),
        (X, "gone", Shown(CALLER, "", "", True)),
    ],
)
def test_to_a_phone(headers: list[tuple[str, str]], source: str | None, shown: Shown) -> None:
    assert HeaderPolicy(site()).to_phone(facts(headers, source)) == shown


def test_to_a_stranger() -> None:
    policy = HeaderPolicy(site())
    assert policy.to_stranger(facts(X, "open", "session-1")) == Shown(CALLER, "", "", False)
    assert policy.to_stranger(facts(PRIVATE)) == Shown(ANONYMOUS, "anonymous.invalid", "Privacy: id\r\n", False)


@pytest.mark.parametrize(
    ("wanted", "phone", "own", "plain"),
    [
        ([], False, False, False),
        ("extensions", True, False, False),
        ("trunks", False, True, True),
        ("trunk own", False, True, False),
        (["extensions", "trunk plain"], True, False, True),
        ("anyone", True, True, True),
    ],
)
def test_who_is_told_the_web_session(wanted: Any, phone: bool, own: bool, plain: bool) -> None:
    policy = HeaderPolicy(site(session_to=wanted))
    line = f"User-to-User: {b'session-1'.hex()};encoding=hex;purpose=web-session\r\n"
    call = facts(PUBLIC, "plain", "session-1")
    assert (line in policy.to_phone(call).headers) is phone
    assert (line in policy.to_trunk(call, "own", "h").headers) is own
    assert (line in policy.to_trunk(call, "plain", "h").headers) is plain
    assert "User-to-User" not in policy.to_phone(facts(PUBLIC)).headers


@given(st.lists(st.tuples(st.just("X-Order"), st.text(max_size=400)), max_size=60))
def test_what_crosses_is_bounded(headers: list[tuple[str, str]]) -> None:
    shown = HeaderPolicy(site()).to_phone(facts(headers, "open"))
    assert shown.headers.count("X-Order: ") <= len(headers) and len(shown.headers) <= CROSSING_BYTES
    assert sum(line.startswith("X-Order: ") for line in shown.headers.split("\r\n")) <= CROSSING


def test_caller_names_are_quoted() -> None:
    shown = HeaderPolicy(site()).to_phone(Facts('A "B" \\', "1", PUBLIC, None, ""))
    assert shown.caller == '"A \\"B\\" \\\\" <sip:1'
