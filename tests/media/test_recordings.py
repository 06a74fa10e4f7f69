"""The plane's table of recordings: each is told its end once."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import Counter
from dataclasses import replace

import pytest

from media import records
from media.fake import FakePlane
from media.plane import RecordingEvent, RecordingOrder
from media.recordings import WORKER_SHIFT, Recordings
from media.records import Event


def event(op: int, number: int, flags: int = 0, a: int = 0, b: int = 0, c: int = 0) -> Event:
    return Event(op, flags, 0, 3, 9, number, a, b, c, 2, 7, 1)


def make(counters: Counter[str], sent: list[bytes] | None = None) -> Recordings:
    def send(record: bytes, descriptor: int) -> None:
        if descriptor >= 0:
            os.close(descriptor)
        if sent is not None:
            sent.append(record)

    return Recordings(2, send, counters)


def test_commands_of_a_recording() -> None:
    sent: list[bytes] = []
    recordings = make(Counter(), sent)
    number = recordings.start(3, 9, RecordingOrder("/r", "one.wav"), 7, lambda _: None)
    recordings.mask(number, True)
    recordings.stop(number)
    recordings.stop(number + 1)
    assert number >> WORKER_SHIFT == 2
    assert sent == [
        records.record(3, 9, number, 7, 15), records.mask(3, 9, number, True), records.stop_recording(3, 9, number)
    ]  # fmt: skip


def test_a_recording_from_start_to_end() -> None:
    told: list[RecordingEvent] = []
    counters: Counter[str] = Counter()
    recordings = make(counters)
    number = recordings.add(3, 9, told.append)
    recordings.event(event(records.RECORDING_STARTED, number))
    recordings.event(event(records.RECORDING_MASKED, number, flags=1, a=500))
    recordings.event(event(records.RECORDING_MASKED, number, flags=0, a=900))
    recordings.event(event(records.RECORDING_ENDED, number, flags=1, a=1500, c=4))
    recordings.event(event(records.RECORDING_ENDED, number))
    assert told == [
        RecordingEvent("started", number),
        RecordingEvent("masked", number, 500),
        RecordingEvent("unmasked", number, 900),
        RecordingEvent("ended", number, 1500, "released", 0, 4, 2, (1 << 32) + 7),
    ]
    assert len(recordings) == 0
    assert counters == {"recording_packets_lost": 4, "recording_packets_late": 2}


def test_an_error_is_a_failure_whoever_stopped_it() -> None:
    told: list[RecordingEvent] = []
    recordings = make(Counter())
    recordings.event(event(records.RECORDING_ENDED, recordings.add(3, 9, told.append), flags=0, b=28))
    assert (told[0].why, told[0].error) == ("failed", 28)


async def test_without_a_descriptor_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever ordered it knows its number by then."""

    def full(*_: object) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(os, "memfd_create", full)
    told: list[RecordingEvent] = []
    recordings = make(Counter())
    number = recordings.start(3, 9, RecordingOrder("/r", "one.wav"), None, told.append)
    assert told == []
    await asyncio.sleep(0)
    assert told == [RecordingEvent("ended", number, why="failed", error=errno.EMFILE)] and len(recordings) == 0


def test_all_are_lost_with_the_worker() -> None:
    told: list[RecordingEvent] = []
    recordings = make(Counter())
    recordings.add(0, 1, told.append)
    recordings.add(1, 2, told.append)
    recordings.all_lost()
    assert [one.why for one in told] == ["lost", "lost"] and len(recordings) == 0


def test_a_callback_that_raises_is_counted() -> None:
    def bad(_: RecordingEvent) -> None:
        raise ValueError

    counters: Counter[str] = Counter()
    recordings = make(counters)
    recordings.lost(recordings.add(0, 1, bad))
    assert counters["media_callback_errors"] == 1 and len(recordings) == 0


def test_the_fake_records_too() -> None:
    plane, told = FakePlane(), list[RecordingEvent]()
    port = plane.lease()
    order = RecordingOrder("/r", "one.wav")
    first = plane.record(port, order, told.append)
    second = plane.record(port, order, told.append)
    plane.open_recording(second)
    plane.mask(second, True)
    plane.release(port)
    plane.stop_recording(second)
    assert [(one.recording_id, one.kind, one.why) for one in told] == [
        (first, "ended", "stopped"), (second, "started", ""), (second, "masked", ""), (second, "ended", "released"),
    ]  # fmt: skip
    assert plane.recordings == {}
    masked = plane.record(plane.lease(), replace(order, masked=True), told.append)
    assert plane.recordings[masked].masked and told[-1] == RecordingEvent("masked", masked)
    lost = plane.record(port, order, told.append)
    assert told[-1] == RecordingEvent("ended", lost, why="lost")


def test_two_servers_do_not_count_alike() -> None:
    """The first recordings of both may be of the same lease."""
    numbers = {make(Counter()).add(3, 9, lambda _: None) for _ in range(4)}
    assert len(numbers) > 1


def test_one_of_the_server_before_is_not_taken_for_ours() -> None:
    told: list[RecordingEvent] = []
    recordings = make(Counter())
    number = recordings.add(4, 9, told.append)
    recordings.event(event(records.RECORDING_ENDED, number))
    assert told == [] and len(recordings) == 1
