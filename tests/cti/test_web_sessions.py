from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Web
from cti.codes import is_code, make_code
from cti.errors import CodesExhausted, SessionTooLarge, UnknownResource
from cti.models import WebSessionPost
from cti.web_sessions import SESSION_BYTES, WebSessions

NOW = 1_700_000_000.0


def post(session_id: str = "session-1", **fields: Any) -> WebSessionPost:
    return WebSessionPost.model_validate({"id": session_id, **fields})


def store(counters: Counter[str] | None = None, randoms: Any = None, **options: int) -> WebSessions:
    numbers = randoms or iter(range(1_000_000))
    return WebSessions(Web(), "FR", lambda _: next(numbers), Counter() if counters is None else counters, **options)


def test_a_post_is_found_by_id_token_and_number() -> None:
    sessions = store()
    kept = sessions.upsert(post(token="t" * 16, phone_numbers=["06 12 34 56 78", "junk"], name="Dupont"), NOW)
    assert kept.phones == ("+33612345678",)
    assert sessions.get("session-1", NOW) is kept
    assert sessions.by_token("t" * 16, NOW) is kept
    assert sessions.by_token("session-1", NOW) is None, "its own token replaces the id"
    for caller in ("0612345678", "+33612345678", "0033612345678", "33612345678"):
        assert sessions.by_phone(caller, NOW) is kept
    assert sessions.by_phone("0612345679", NOW) is None
    assert sessions.by_phone("junk", NOW) is None
    assert json.loads(kept.json)["phone_numbers"] == ["06 12 34 56 78", "junk"]


def test_present_fields_replace_null_removes_absent_stay() -> None:
    sessions = store()
    first = sessions.upsert(
        post(name="Dupont", partner="blog", basket={"amount": 10}, phone_numbers=["0612345678"]), NOW
    )
    second = sessions.upsert(post(partner=None, basket={"amount": 20.5, "currency": "EUR"}), NOW + 5)
    record = json.loads(second.json)
    assert record["name"] == "Dupont" and "partner" not in record
    assert (second.amount, second.currency) == (20.5, "EUR")
    assert second.created_at == first.created_at == NOW and second.updated_at == NOW + 5
    assert sessions.by_phone("0612345678", NOW + 5) is second
    third = sessions.upsert(post(phone_numbers=["0711111111"]), NOW + 6)
    assert sessions.by_phone("0612345678", NOW + 6) is None
    assert sessions.by_phone("0711111111", NOW + 6) is third


def test_sessions_end_two_hours_after_their_last_update() -> None:
    sessions = store()
    sessions.upsert(post(phone_numbers=["0612345678"]), NOW)
    sessions.upsert(post("session-2"), NOW + 10)
    sessions.upsert(post("session-1"), NOW + 20)
    assert sessions.get("session-1", NOW + 7219) and not sessions.get("session-2", NOW + 7219)
    assert len(sessions) == 1
    assert not sessions.by_token("session-1", NOW + 7220) and not sessions.by_phone("0612345678", NOW + 7220)
    assert len(sessions) == 0


def test_the_caller_id_of_the_latest_update_wins_and_may_have_a_shorter_life() -> None:
    sessions = store()
    one = sessions.upsert(post(phone_numbers=["0612345678"]), NOW)
    two = sessions.upsert(post("session-2", phone_numbers=["0612345678"]), NOW + 1)
    assert sessions.by_phone("0612345678", NOW + 1) is two
    one = sessions.upsert(post(name="again"), NOW + 2)
    assert sessions.by_phone("0612345678", NOW + 2) is one
    sessions.reconfigure(Web(caller_id_valid_s=60), "FR")
    assert sessions.by_phone("0612345678", NOW + 62) is None


def test_too_large_is_refused_and_the_old_version_stays() -> None:
    counters: Counter[str] = Counter()
    sessions = store(counters)
    old = sessions.upsert(post(form={f"field {n}": "x" * 2000 for n in range(10)}), NOW)
    with pytest.raises(SessionTooLarge, match=str(SESSION_BYTES)):
        sessions.upsert(post(pages=[{"url": "http://x/" + "y" * 1900} for _ in range(5)]), NOW)
    assert sessions.get("session-1", NOW) is old
    assert counters["web_sessions_too_large"] == 1


def test_the_store_is_bounded_in_number_and_bytes() -> None:
    counters: Counter[str] = Counter()
    sessions = store(counters, max_sessions=3)
    for n in range(5):
        sessions.upsert(post(f"session-{n}", phone_numbers=["0612345678"]), NOW + n)
    assert len(sessions) == 3 and counters["web_sessions_evicted"] == 2
    assert not sessions.get("session-1", NOW + 5) and sessions.get("session-2", NOW + 5)
    small = store(counters, max_bytes=30_000)
    for n in range(3):
        small.upsert(post(f"session-{n}", form={f"{m}": "x" * 3500 for m in range(6)}), NOW)
    assert len(small) == 1


def test_a_code_is_made_on_demand_prolonged_and_ends() -> None:
    sessions = store(randoms=iter([42, 42, 43]))
    sessions.upsert(post(), NOW)
    sessions.upsert(post("session-2"), NOW)
    code, until = sessions.code("session-1", NOW)
    assert code == make_code(42) and until == NOW + 1200
    assert sessions.code("session-1", NOW + 600) == (code, NOW + 1800), "a page loaded again shows the same code"
    assert sessions.code("session-2", NOW + 600)[0] == make_code(43), "42 was taken"
    found = sessions.by_code(code, NOW + 1799)
    assert found is not None and found.id == "session-1"
    sessions.upsert(post(name="Dupont"), NOW + 700)
    assert sessions.by_code(code, NOW + 1799), "an update keeps the code"
    assert sessions.by_code(code, NOW + 1800) is None
    assert sessions.by_code("", NOW) is None and sessions.by_code(code[:-1], NOW) is None


def test_codes_go_with_their_session_and_need_one() -> None:
    sessions = store(max_sessions=1)
    sessions.upsert(post(), NOW)
    code, _ = sessions.code("session-1", NOW)
    sessions.upsert(post("session-2"), NOW)
    assert sessions.by_code(code, NOW) is None
    with pytest.raises(UnknownResource):
        sessions.code("session-1", NOW)


def test_no_code_free() -> None:
    counters: Counter[str] = Counter()
    sessions = store(counters, randoms=iter([7] * 1000))
    for n in range(2):
        sessions.upsert(post(f"session-{n}"), NOW)
    sessions.code("session-0", NOW)
    with pytest.raises(CodesExhausted):
        sessions.code("session-1", NOW)
    assert counters["web_codes_exhausted"] == 1


steps = st.lists(
    st.tuples(
        st.sampled_from(["session-1", "session-2", "session-3", "session-4"]),
        st.sampled_from([None, ["0612345678"], ["0611111111", "0612345678"], []]),
        st.booleans(),
        st.floats(0, 4000),
    ),
    max_size=30,
)


@given(steps)
def test_indexes_agree_with_the_sessions(steps: list[tuple[str, list[str] | None, bool, float]]) -> None:
    sessions, now = store(max_sessions=3), NOW
    for session_id, phones, with_code, passed in steps:
        now += passed
        sessions.upsert(post(session_id, phone_numbers=phones), now)
        if with_code:
            assert is_code(sessions.code(session_id, now)[0])
        live = {s.id: s for s in sessions._sessions.values()}
        assert sessions._bytes == sum(len(s.json) for s in live.values())
        assert set(sessions._by_token) == set(live)
        assert {(n, i) for n, ids in sessions._by_phone.items() for i in ids} == {
            (n, s.id) for s in live.values() for n in s.phones
        }
        assert {i: c for c, (i, _) in sessions._codes.items()} == sessions._code_of
        assert set(sessions._code_of) <= set(live) and len(live) <= 3
