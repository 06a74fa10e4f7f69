from __future__ import annotations

import timeit
from collections import Counter
from typing import TYPE_CHECKING

from pbx.call import events
from pbx.trace.reader import STEP, Reader
from pbx.trace.ring import MAX_LEGS, MESSAGE_COST_BYTES, Ring
from tests.trace.conftest import CARRIER, START, Recorder, ours, request

if TYPE_CHECKING:
    import pytest


def ended(at: float, call_id: str) -> events.CallEnded:
    return events.CallEnded(at, call_id, "caller hung up", 200, 0, 0, 0, 0.0)


def leg(at: float, call_id: str, number: int) -> events.LegStarted:
    return events.LegStarted(at, call_id, number, "sip:x@192.0.2.9", None, f"leg-{number}@{call_id}")


def test_entries_are_numbered_in_order(recorded: Recorder) -> None:
    entries = list(recorded.ring)
    assert [entry.sequence for entry in entries] == list(range(len(recorded.ring)))
    assert entries == recorded.ring.read(0, 1000)
    assert entries[0].what.startswith(b"INVITE") and entries[0].at == START + 0.01
    assert {type(e.what).__name__ for e in entries if e.hop is None} == {
        "CallStarted", "LegStarted", "CallConnected", "CallEnded",
    }  # fmt: skip


def test_it_keeps_to_its_bytes() -> None:
    message = request("OPTIONS", "x")
    recorder = Recorder(max_bytes=10 * (len(message) + MESSAGE_COST_BYTES))
    for _ in range(50):
        recorder.got(message)
        assert recorder.ring.bytes <= recorder.ring.max_bytes
    assert len(recorder.ring) == 10 and recorder.ring.oldest == 40
    assert [entry.sequence for entry in recorder.ring.read(0, 3)] == [40, 41, 42]
    recorder.got(b"x" * 100_000)
    assert len(recorder.ring) == 0 and recorder.ring.bytes == 0, "larger than all of it: not kept"


def test_it_keeps_to_its_age(recorder: Recorder) -> None:
    recorder.got(request("OPTIONS", "old"))
    recorder.now += 400
    recorder.got(request("OPTIONS", "new"))
    recorder.now += 300
    recorder.ring.trim()
    assert [message.sip_call_id for message in recorder.all()] == ["new"]
    recorder.ring.resize(1 << 20, 100.0)
    assert recorder.all() == [] and recorder.ring.bytes == 0


def test_a_long_call_keeps_its_call_ids_until_its_end_is_forgotten(recorded: Recorder) -> None:
    ring = recorded.ring
    assert ring.legs("c1") == [b"in@carrier", b"out@plateau"] and ring.call_of(b"out@plateau") == "c1"
    recorded.now += 590
    ring.trim()
    assert [message.title for message in recorded.all()] == ["BYE", "200 OK (BYE)"]
    assert {message.call_id for message in recorded.all()} == {"c1"}
    recorded.now += 700
    ring.trim()
    assert ring.legs("c1") == [] and ring.call_of(b"in@carrier") is None and ring.bytes == 0


def test_call_ids_are_bounded(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.trace.ring.MAX_CALLS", 2)
    for number in range(3):
        recorder.ring.event(leg(recorder.now, f"c{number}", 2))
    assert recorder.ring.legs("c1") and recorder.ring.legs("c2") == []
    assert recorder.counters["trace_calls_unknown"] == 1
    for number in range(3, 200):
        recorder.ring.event(leg(recorder.now, "c1", number))
    assert len(recorder.ring.legs("c1")) == MAX_LEGS


def test_events_of_no_call_are_not_kept(recorder: Recorder) -> None:
    recorder.ring.event(events.Registered(START, "101", "sip:x", 60))
    assert len(recorder.ring) == 0


def test_nothing_is_left_after_many_calls(recorder: Recorder) -> None:
    for number in range(500):
        recorder.ring.event(leg(recorder.now, f"c{number}", 2))
        recorder.ring.event(ended(recorder.now, f"c{number}"))
    recorder.now += 1000
    recorder.ring.trim()
    assert (recorder.ring._legs, recorder.ring._call_of, recorder.ring.bytes) == ({}, {}, 0)


def test_a_reader_goes_at_his_own_pace(recorder: Recorder) -> None:
    for _ in range(STEP + 10):
        recorder.got(request("OPTIONS", "x"))
    reader = Reader(recorder.ring, ours)
    assert len(list(reader.step())) == STEP and reader.behind
    assert len(list(reader.step())) == 10 and not reader.behind
    assert list(reader.step()) == []
    recorder.got(request("OPTIONS", "y"))
    assert [message.sip_call_id for message in reader.step()] == ["y"] and reader.missed == 0


def test_a_reader_who_is_too_slow_learns_what_he_missed() -> None:
    message = request("OPTIONS", "x")
    recorder = Recorder(max_bytes=10 * (len(message) + MESSAGE_COST_BYTES))
    reader = Reader(recorder.ring, ours)
    for _ in range(25):
        recorder.got(message)
    assert len(list(reader.step())) == 10 and reader.missed == 15


def test_a_message_costs_the_call_path_next_to_nothing() -> None:
    ring = Ring(32 << 20, 600.0, lambda: START, Counter())
    data = request("INVITE", "x")
    best = min(timeit.repeat(lambda: ring.message("<-", data, CARRIER), number=20_000, repeat=5)) / 20_000
    assert best < 5e-6, f"{best * 1e6:.2f} us"  # about 0.4 us on an idle machine; a test machine is not
