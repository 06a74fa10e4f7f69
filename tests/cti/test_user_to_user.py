"""Tokens in User-to-User."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.user_to_user import tokens


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"{b'session-1'.hex()};encoding=hex", ["session-1"]),
        (f"{b'session-1'.hex().upper()} ;purpose=web-session; encoding=HEX;content=x", ["session-1"]),
        (f"04{b'session-1'.hex()};encoding=hex;purpose=isdn-uui", ["session-1"]),
        (f"00{b'session-1'.hex()};encoding=hex", ["session-1"]),
        ('"session-1";purpose=web-session', ["session-1"]),
        ("session-1", ["session-1"]),
        (f"one, {b'two'.hex()};encoding=hex, three", ["one", "two", "three"]),
        ("zz;encoding=hex", []),
        ("abc;encoding=hex", []),
        ("a,b,c,d,e", ["a", "b", "c"]),
        ("", []),
        (";;,", []),
    ],
)
def test_what_it_carries(header: str, found: list[str]) -> None:
    assert list(tokens(header)) == found


@given(st.text(max_size=200))
def test_whatever_comes_raises_nothing(header: str) -> None:
    assert len(list(tokens(header))) <= 3
