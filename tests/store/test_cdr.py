"""Call records from the events of typical calls, folded without a database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.events import (
    ItemAbandoned,
    ItemConnected,
    ItemOverflowed,
    ItemQueued,
    ItemReserved,
    ReservationEnded,
    WorkNoted,
)
from pbx.call.events import (
    CallAnswered,
    CallAttributesSet,
    CallConnected,
    CallEnded,
    CallStarted,
    CallTransferred,
    LegEnded,
    LegQuality,
    LegStarted,
)
from pbx.store import cdr as cdr_module
from pbx.store.batch import Batch, Batcher, replay
from pbx.store.cdr import CdrFold, CdrRow, Note
from pbx.store.rows import JournalRow
from pbx.store.tables import cdr as cdr_table


def fold(*events: Any) -> list[CdrRow]:
    batcher = Batcher(0, CdrFold())
    batch = batcher.begin()
    for event in events:
        batcher.add(batch, event)
    batcher.finish(batch)
    return batch.cdrs


def started(at: float = 100.0) -> CallStarted:
    return CallStarted(at, "c1", "inbound", "+33612345678", "+33140000001", "carrier", "ivr welcome", "x@192.0.2.1")


def ended(at: float, cause: str = "caller hung up", status: int = 200) -> CallEnded:
    return CallEnded(at, "c1", cause, status, 500, 400, 3, 2.5)


def test_columns_are_those_of_the_table() -> None:
    assert CdrRow._fields == tuple(cdr_table.columns.keys())


def test_answered_by_an_agent_after_a_queue() -> None:
    (record,) = fold(
        started(100),
        CallAnswered(101, "c1"),
        CallAttributesSet(102, "c1", {"web_session": "w9", "basket": 2300, "destination": "asia"}),
        ItemQueued(110, "c1", "asia", {"basket": 2300}, 2300.0),
        ItemReserved(130, "c1", "asia", "alice", 1, 20.0, "longest idle"),
        LegStarted(130.5, "c1", 2, "sip:alice@192.0.2.5", "alice"),
        CallConnected(135, "c1", 2, "alice"),
        ItemConnected(135, "c1", "asia", "alice", 25.0),
        LegEnded(200, "c1", 2, 200, "caller hung up"),
        ended(200),
    )
    assert record == CdrRow(
        10, "c1", 100.0, 101.0, 135.0, 200.0, "inbound", "+33612345678", "+33140000001", "carrier", "ivr welcome",
        "asia", "alice", 25.0, 65.0, "caller hung up", 200, "w9", 2300.0, 500, 400, 3, 2.5,
    )  # fmt: skip


def test_internal_call_without_queue() -> None:
    (record,) = fold(
        CallStarted(10, "c1", "internal", "101", "102", None, "extension 102", "x"),
        LegStarted(10, "c1", 2, "sip:102@192.0.2.5", None),
        CallAnswered(14, "c1"),
        CallConnected(14, "c1", 2, None),
        ended(20, "callee hung up"),
    )
    assert (record.queue, record.agent, record.trunk, record.waited_s, record.talked_s) == (None, None, None, 0, 6)


def test_refused() -> None:
    (record,) = fold(started(10), ended(10.1, "busy", 486))
    assert (record.answered_at, record.connected_at, record.status, record.cause) == (None, None, 486, "busy")
    assert (record.waited_s, record.talked_s) == (0, 0)


@pytest.mark.parametrize("abandon_first", [True, False])
def test_abandoned_in_queue_whichever_event_comes_first(abandon_first: bool) -> None:
    tail = [ItemAbandoned(140, "c1", "asia", 30.0), ended(140, "abandoned")]
    waiting = [started(), CallAnswered(101, "c1"), ItemQueued(110, "c1", "asia", {}, 0.0)]
    (record,) = fold(*waiting, *(tail if abandon_first else reversed(tail)))
    assert (record.queue, record.agent, record.waited_s, record.talked_s) == ("asia", None, 30, 0)


def test_no_answer_then_another_agent() -> None:
    (record,) = fold(
        started(100),
        CallAnswered(100, "c1"),
        ItemQueued(100, "c1", "asia", {}, 0.0),
        ItemReserved(105, "c1", "asia", "alice", 1, 5.0, ""),
        LegStarted(105, "c1", 2, "sip:alice@192.0.2.5", "alice"),
        LegEnded(125, "c1", 2, 487, "no answer"),
        ReservationEnded(125, "c1", "asia", "alice", 1, "no_answer"),
        ItemReserved(126, "c1", "asia", "bob", 2, 26.0, ""),
        LegStarted(126, "c1", 3, "sip:bob@192.0.2.6", "bob"),
        ItemConnected(130, "c1", "asia", "bob", 30.0),
        CallConnected(130, "c1", 3, "bob"),
        LegEnded(131, "c1", 2, 487, "late"),
        ended(160),
    )
    assert (record.agent, record.connected_at, record.waited_s, record.talked_s) == ("bob", 130, 30, 30)


def test_overflow_adds_the_waits_and_names_the_last_queue() -> None:
    (record,) = fold(
        started(100),
        ItemQueued(100, "c1", "asia", {}, 0.0),
        ItemOverflowed(160, "c1", "asia", 60.0, "queue general", "max_wait"),
        ItemQueued(160, "c1", "general", {}, 0.0),
        ItemConnected(170, "c1", "general", "bob", 10.0),
        CallConnected(170, "c1", 2, "bob"),
        ended(180),
    )
    assert (record.queue, record.agent, record.waited_s, record.talked_s) == ("general", "bob", 70, 10)


def test_second_conversation_is_added() -> None:
    (record,) = fold(
        started(100),
        CallConnected(110, "c1", 2, "alice"),
        LegEnded(120, "c1", 2, 200, "transferred"),
        CallConnected(130, "c1", 3, None),
        CallConnected(140, "c1", 4, "bob"),
        ended(150),
    )
    assert (record.connected_at, record.agent, record.talked_s) == (110, "bob", 30)


def test_events_of_unknown_or_finished_calls_change_nothing() -> None:
    strays = [CallAnswered(1, "c1"), ended(2)]
    records = fold(*strays, started(3), started(4), ended(5), ended(6), CallConnected(7, "c1", 2, None))
    assert [(record.started_at, record.ended_at) for record in records] == [(3, 5)]


@pytest.mark.parametrize(
    ("basket", "stored"),
    [("99.5", 99.5), ("much", None), (float("nan"), None), (float("inf"), None), (10**400, None), (None, None)],
)
def test_basket_is_a_number_or_nothing(basket: Any, stored: float | None) -> None:
    (record,) = fold(started(), CallAttributesSet(101, "c1", {"basket": basket}), ended(102))
    assert record.basket == stored


def test_text_of_a_peer_can_be_stored() -> None:
    (record,) = fold(CallStarted(1, "c1", "inbound", "a\0b", "\udcff", None, "x", ""), ended(2))
    assert (record.from_number, record.to_number) == ("a\ufffdb", "\ufffd")


def test_calls_whose_end_was_missed_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdr_module, "MAX_OPEN_CALLS", 2)
    batcher = Batcher(0, CdrFold())
    batch = batcher.begin()
    for number in range(4):
        batcher.add(batch, CallStarted(number, f"c{number}", "inbound", "", "", None, "", ""))
        batcher.add(batch, CallAnswered(number + 0.5, f"c{number}"))
    batcher.finish(batch)
    assert [(r.call_id, r.cause, r.ended_at, r.status) for r in batch.cdrs] == [
        ("c0", "end not recorded", 0.5, 200),
        ("c1", "end not recorded", 1.5, 200),
    ]
    assert (batch.seq, batch.open_from) == (10, 5)
    batch = batcher.begin()
    batcher.add(batch, CallStarted(8 * 86_400, "late", "inbound", "", "", None, "", ""))
    batcher.finish(batch)
    assert [record.call_id for record in batch.cdrs] == ["c2", "c3"]


CALLS = st.sampled_from(["c1", "c2", "c3"])
QUEUES = st.sampled_from(["asia", "europe"])
AGENTS = st.sampled_from(["alice", "bob"])
LEGS = st.integers(2, 3)
VALUES = st.one_of(st.text(max_size=5), st.integers(), st.floats())
EVENTS = st.one_of(
    st.builds(CallStarted, st.just(0.0), CALLS, st.text(max_size=3), st.text(max_size=3), st.text(max_size=3),
              st.none() | st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)),
    st.builds(CallAnswered, st.just(0.0), CALLS),
    st.builds(CallConnected, st.just(0.0), CALLS, LEGS, st.none() | AGENTS),
    st.builds(LegEnded, st.just(0.0), CALLS, LEGS, st.integers(200, 699), st.text(max_size=3)),
    st.builds(CallAttributesSet, st.just(0.0), CALLS,
              st.dictionaries(st.sampled_from(["basket", "web_session", "x"]), VALUES)),
    st.builds(ItemQueued, st.just(0.0), CALLS, QUEUES, st.just({}), st.just(0.0)),
    st.builds(ItemConnected, st.just(0.0), CALLS, QUEUES, AGENTS, st.floats()),
    st.builds(ItemAbandoned, st.just(0.0), CALLS, QUEUES, st.floats()),
    st.builds(ItemOverflowed, st.just(0.0), CALLS, QUEUES, st.floats(), st.none()),
    st.builds(WorkNoted, st.just(0.0), CALLS, QUEUES, st.just("ann"), st.sampled_from(("sold", "lost", "\0"))),
    st.builds(CallEnded, st.just(0.0), CALLS, st.text(max_size=3), st.integers(200, 699), st.integers(), st.integers(),
              st.integers(), st.floats()),
)  # fmt: skip


def mend(records: list[CdrRow], notes: list[Note]) -> None:
    """As the database does."""
    for note in notes:
        records[:] = [
            record._replace(disposition=note.disposition)
            if record.call_id == note.call_id and record.seq < note.seq else record
            for record in records
        ]  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.tuples(st.floats(0, 50), EVENTS), max_size=40), st.integers(1, 9), st.integers(0, 40))
def test_rebuild_equals_the_incremental_projection(
    history: list[tuple[float, Any]], batch_size: int, stop_after: int
) -> None:
    """Over any history, in batches, with one restart in the middle."""
    journal: list[JournalRow] = []
    incremental: list[CdrRow] = []

    def write(batch: Batch) -> None:
        journal.extend(JournalRow(*row[:-1], json.loads(row[-1])) for row in batch.rows)
        incremental.extend(batch.cdrs)
        mend(incremental, batch.notes)

    fold_, at = CdrFold(), 1000.0
    batcher = Batcher(0, fold_)
    batch: Batch | None = None
    for count, (pause, event) in enumerate(history):
        at += pause
        stamped = type(event)(at, *(getattr(event, name) for name in list(event.__slots__)[1:]))
        batch = batch or batcher.begin()
        batcher.add(batch, stamped)
        if len(batch.rows) >= batch_size or count == stop_after:
            batcher.finish(batch)
            write(batch)
            open_from, seq, batch = batch.open_from, batch.seq, None
        if count == stop_after:
            restored = CdrFold()
            assert replay(restored, (row for row in journal if row.seq >= open_from), seq) == ([], [])
            assert restored.open == fold_.open
            fold_ = restored
            batcher = Batcher(seq, fold_)
            write(batcher.close_open_calls(list(fold_.open), at, "server stopped"))
            assert not fold_.open
    if batch is not None:
        batcher.finish(batch)
        write(batch)
    rebuilt = CdrFold()
    records, notes = replay(rebuilt, journal, 0)
    mend(records, notes)
    assert records == incremental
    assert rebuilt.open == fold_.open
    assert [row.seq for row in journal] == list(range(1, len(journal) + 1))


def test_transfers_are_counted_and_who_talks_now_is_known() -> None:
    (record,) = fold(
        started(100),
        CallConnected(110, "c1", 2, "alice"),
        CallTransferred(120, "c1", "blind", "101", "extension 103", None, "alice", None),
        LegEnded(120, "c1", 2, 200, "transferred"),
        CallConnected(120, "c1", 3, None),
        CallTransferred(130, "c1", "attended", "103", "extension 102", "c2", None, "bob"),
        ended(140),
    )
    assert (record.transfers, record.transferred_to, record.agent) == (2, "extension 102", "bob")
    assert record.talked_s == 30


def test_how_the_legs_sounded() -> None:
    """Of the called legs the last one counts."""

    def quality(at: float, leg: int, lost: int, mos: float | None) -> LegQuality:
        return LegQuality(at, "c1", leg, "PCMA", 3000, 3000, lost, 1.5, 40.0 + leg, mos, 0, 0.0, None)

    (record,) = fold(
        started(100), quality(120, 2, 90, 2.5), quality(200, 3, 5, 4.1), quality(200, 1, 3, 4.3), ended(200)
    )  # fmt: skip
    assert (record.caller_rtt_ms, record.caller_mos) == (41.0, 4.3)
    assert (record.callee_lost, record.callee_jitter_ms, record.callee_rtt_ms, record.callee_mos) == (5, 1.5, 43.0, 4.1)
    (without,) = fold(started(100), quality(200, 1, 0, None), ended(200))
    assert without.caller_mos is None and without.callee_mos is None


def test_the_last_disposition_is_kept_also_one_that_comes_after_the_call() -> None:
    batcher = Batcher(0, CdrFold())
    batch = batcher.begin()
    for event in (started(100), WorkNoted(130, "c1", "asia", "alice", "lost"), ended(160),
                  WorkNoted(170, "c1", "asia", "alice", "sold", "lost"),
                  WorkNoted(171, "chat-1", "asia", "bob", "lost")):  # fmt: skip
        batcher.add(batch, event)
    assert [record.disposition for record in batch.cdrs] == ["lost"]
    assert batch.notes == [Note("sold", "c1", 4), Note("lost", "chat-1", 5)]
