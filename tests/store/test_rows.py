from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.events import AgentStateChanged, ItemAbandoned
from pbx.call.events import CallAnswered, CallRefused, LegStarted
from pbx.store.rows import RowMaker, clean, encode


@dataclass(frozen=True, slots=True)
class OneField:
    at: float
    call_id: str
    only: int


def test_call_event() -> None:
    row = RowMaker().read(7, LegStarted(12.5, "c1", 2, "sip:a@192.0.2.1", None))
    data = {"leg": 2, "target": "sip:a@192.0.2.1", "agent": None, "sip_call_id": ""}
    assert row == (7, 12.5, "LegStarted", "c1", data)


def test_item_id_is_a_call_id() -> None:
    row = RowMaker().read(1, ItemAbandoned(1.0, "c1", "asia", 30.0))
    assert (row.call_id, row.data) == ("c1", {"queue": "asia", "waited_s": 30.0, "short": False, "channel": "call"})


def test_events_without_call_and_with_few_fields() -> None:
    maker = RowMaker()
    assert maker.read(1, CallRefused(1.0, "a", "b", "192.0.2.1", 403, "unknown")).call_id is None
    assert maker.read(2, AgentStateChanged(1.0, "alice", "READY", None, None)).call_id is None
    assert maker.read(3, CallAnswered(1.0, "c1")).data == {}
    assert maker.read(4, OneField(1.0, "c1", 5)).data == {"only": 5}
    assert maker.read(5, CallAnswered(2.0, "c2")) == (5, 2.0, "CallAnswered", "c2", {})


@pytest.mark.parametrize("thing", ["text", 5, object(), CallAnswered(1.0, 5)])  # type: ignore[arg-type]
def test_what_is_no_event_is_refused(thing: object) -> None:
    with pytest.raises((TypeError, AttributeError)):
        RowMaker().read(1, thing)


@pytest.mark.parametrize(
    ("raw", "stored"),
    [("101", "101"), ("Zoë\n", "Zoë\n"), ("a\0b", "a\ufffdb"), ("\udc80x", "\ufffdx"), ("\u200b", "\u200b"), ("", "")],
)
def test_clean(raw: str, stored: str) -> None:
    assert clean(raw) == stored


@given(st.text(st.characters(codec=None, categories=None)))
def test_any_text_can_be_stored_and_is_the_same_after_json(raw: str) -> None:
    stored = clean(raw)
    stored.encode()
    assert "\0" not in stored
    assert clean(stored) == stored
    assert clean(json.loads(encode({"x": raw}))["x"]) == stored


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_json)
def test_json_says_what_was_given_in_ascii(data: object) -> None:
    text = encode(data)
    assert text.isascii() and json.loads(text) == data


def test_what_json_has_no_words_for_is_shown_by_its_text() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert encode({"at": at, "uri": "\udcff", "n": 1 << 70}) == (
        '{"at":"2026-01-02 00:00:00+00:00","uri":"\\udcff","n":1180591620717411303424}'
    )
