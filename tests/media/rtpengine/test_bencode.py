from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtpengine.bencode import BencodeError, Value, decode, encode

values: st.SearchStrategy[Value] = st.recursive(
    st.integers(-(10**18), 10**18) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_round_trip(value: Value) -> None:
    assert decode(encode(value)) == value


cut_short = values.map(encode).flatmap(lambda data: st.integers(0, len(data)).map(lambda cut: data[:cut]))


@given(st.binary(max_size=200) | cut_short)
def test_anything_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(BencodeError):
        decode(data)


def test_what_rtpengine_sends() -> None:
    assert encode({"command": "ping"}) == b"d7:command4:pinge"
    assert decode(b"d6:result4:ponge") == {"result": b"pong"}
    assert decode(b"d1:b1:x1:ai-7ee") == {"b": b"x", "a": -7}  # keys that are not sorted
    assert encode({"flags": ["a", b"\xff"], "n": 0}) == b"d5:flagsl1:a1:\xffe1:ni0ee"


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"i", b"ie", b"i1", b"i--1e", b"i+1e", b"5:ab", b"-1:a", b"1", b"l", b"d", b"d1:ae", b"di1ei1ee",
     b"i1ei2e", b"l" * 2000 + b"e" * 2000, b"99999999999999999999:a"],
)  # fmt: skip
def test_refused(data: bytes) -> None:
    with pytest.raises(BencodeError):
        decode(data)


def test_a_truth_is_no_number() -> None:
    with pytest.raises(TypeError):
        encode(True)
