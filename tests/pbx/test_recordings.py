"""Who is recorded, from when to when, and what is told of it; in virtual time."""

from __future__ import annotations

import asyncio
import errno
import json
from pathlib import Path
from typing import Any

import pytest

import config.recordings
from acd.events import ItemConnected
from config.schema import Queue
from cti.errors import StateConflict, UnknownResource
from media.fake import FakeRecording
from media.plane import RecordingEvent
from pbx.call import events
from pbx.call.phone_settings import BadSetting, PhoneSettings
from pbx.recordings import BEEP, LOSSES_MOST, Recordings
from pbx.store.recordings import RecordingRow
from tests.call.office import SITE, Office, Talk

KEY = "00" * 31 + "07"
ROOM: dict[str, Any] = {"folder": "/nowhere"}


class Room:
    """An office whose calls may be recorded; the rows are written nowhere."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, recordings: dict[str, Any] | None = None,
        record: dict[str, set[str]] | None = None,
    ) -> None:  # fmt: skip
        self.office = office = Office(folder, SITE)
        changes: dict[str, Any] = {
            "recordings": config.recordings.Recordings.model_validate(ROOM | (recordings or {})),
            "queues": {"asia": Queue(record=True), "europe": Queue()},
        }
        for section, names in (record or {}).items():
            entries = getattr(office.site, section)
            changes[section] = {k: one.model_copy(update={"record": k in names}) for k, one in entries.items()}
        site = office.site.model_copy(update=changes)
        self.told: list[Any] = []
        self.recordings = Recordings(site, office.switch, self.told.append, office.counters)
        self.rows: dict[str, RecordingRow] = {}
        monkeypatch.setattr(self.recordings.files.store, "save", lambda row: self.rows.__setitem__(row.id, row))

        def emit(event: object) -> None:
            office.events.append(event)
            self.recordings.event(event)

        office.switch.emit = emit

    def talk(self, caller: str = "101", called: str = "102") -> tuple[Talk, Talk]:
        phones = [self.office.telephone(number) for number in (caller, called)]
        a = phones[0].dial(called)
        return a, phones[1].rings.answer()

    @property
    def call_id(self) -> str:
        return next(call.id for call in self.office.switch.calls())

    @property
    def running(self) -> FakeRecording:
        (one,) = self.office.plane.recordings.values()
        return one

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told]

    def opened(self) -> None:
        (number,) = self.office.plane.recordings
        self.office.plane.open_recording(number)


def test_a_phone_that_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch, record={"extensions": {"102"}})
    a, _ = room.talk()
    call_id = room.call_id
    order, port = room.running.order, room.running.port
    assert order.folder == "/nowhere" and order.path.endswith(f"/{call_id}.wav") and order.stereo
    assert order.rate_hz == 8000 and order.key == b"" and order.beep is None
    assert port is next(iter(room.office.switch.calls())).caller.audio.port  # the caller's
    room.opened()
    a.bye()
    assert room.kinds == ["RecordingStarted", "RecordingStopped"]
    assert (room.told[0].by, room.told[1].why) == ("extension 102", "call ended")
    (row,) = room.rows.values()
    assert (row.id, row.call_id, row.why) == (f"{call_id}.1", call_id, "call ended")
    assert row.ended_at is not None and len(room.recordings) == 0
    room.office.pass_time(100)
    assert room.office.leaks() == {}


def test_nobody_else_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch, record={"extensions": {"103"}})
    room.talk()
    assert room.office.plane.recordings == {}


def test_a_phones_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    settings = PhoneSettings(room.office.site)
    room.recordings.phone_records = settings.records
    settings.set("101", "record", "on")
    a, _ = room.talk()
    assert room.running and room.rows[f"{room.call_id}.1"].agent is None
    a.bye()
    settings.set("103", "record", "on")
    settings.set("103", "record", "off")
    room.talk("103", "104")
    assert room.office.plane.recordings == {}
    with pytest.raises(BadSetting):
        settings.set("101", "record", "102")


def test_a_queue_from_the_agents_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    room.talk()
    at = room.office.clock.time
    room.recordings.event(ItemConnected(at, room.call_id, "europe", "ann", 3.0))
    assert room.office.plane.recordings == {}
    room.recordings.event(ItemConnected(at, room.call_id, "asia", "ann", 3.0))
    room.recordings.event(ItemConnected(at, room.call_id, "asia", "ben", 3.0))  # given on
    (row,) = room.rows.values()
    assert (row.queue, row.agent) == ("asia", "ben") and room.running


@pytest.mark.parametrize("who", ["caller", "called"])
def test_a_transfer_is_recorded_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """The called side gives the caller on: one recording. The caller gives the called one on: his port is gone, and the
    other party is recorded from then on."""
    room = Room(tmp_path, monkeypatch, record={"extensions": {"102"}})
    carl = room.office.telephone("103")
    a, b = room.talk()
    (a if who == "caller" else b).refer("103")
    carl.rings.answer()
    if who == "called":
        assert len(room.rows) == 1
    else:
        assert next(row.why for row in room.rows.values()) in ("transferred", "call ended")
        assert sorted(row.id[-2:] for row in room.rows.values()) == [".1", ".2"]
    assert room.running.port is next(iter(room.office.switch.calls())).caller.audio.port


def test_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"path": "{from}/{agent}_{to}.{call}", "key": KEY, "sound": "mixed", "beep_every_s": 15}
    room = Room(tmp_path, monkeypatch, changes)
    room.talk()
    room.office.plane.prompts.add(BEEP)
    call = next(iter(room.office.switch.calls()))
    call.from_number = "../é /x"
    call.to_number = ""
    view = room.recordings.start(call.id, "supervisor zoe")
    order = room.running.order
    assert order.path == f"_x/none_none.{call.id}.wav.aes" == view["file"]
    assert (order.stereo, order.key, order.beep, order.beep_every_s) == (False, bytes.fromhex(KEY), BEEP, 15)
    assert view["encrypted"] and view["state"] == "recording" and KEY not in repr(order)
    room.recordings.stop(view["id"], "zoe")
    again = room.recordings.start(call.id, "zoe")
    assert again["file"] == f"_x/none_none.{call.id}-2.wav.aes" and again["id"] == f"{call.id}.2"


def test_masked_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch, {"mask_at_most_s": 60})
    a, _ = room.talk()
    view = room.recordings.start(room.call_id, "supervisor zoe")
    assert room.recordings.mask(view["id"], True, "agent ann")["masked_now"]
    room.office.pass_time(59)
    assert room.running.masked
    room.office.pass_time(1)
    assert not room.running.masked
    assert [(event.masked, event.by) for event in room.told] == [(True, "agent ann"), (False, "time")]
    room.recordings.mask(view["id"], True, "agent ann")
    room.recordings.mask(view["id"], False, "agent ann")
    room.recordings.mask(view["id"], True, "agent ann")
    assert json.loads(room.rows[view["id"]].masked)[-1] == [0.0, None]
    room.office.plane.end_recording(1, "released", length_ms=9000)
    assert json.loads(room.rows[view["id"]].masked) == [[0.0, 0.0], [0.0, 0.0], [0.0, 9.0]]
    a.bye()
    room.office.pass_time(100)
    assert room.office.leaks() == {}


def test_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    room.talk()
    room.recordings.start(room.call_id, "zoe")
    monkeypatch.setattr("pbx.recordings.log.error", lambda *_, **__: None)
    room.office.plane.end_recording(1, "failed", errno.ENOSPC, 4000)
    (failed,) = room.told
    assert isinstance(failed, events.RecordingFailed)
    assert (failed.reason, failed.duration_s) == ("No space left on device", 4.0)
    assert room.office.counters["recordings_failed"] == 1
    assert room.recordings.of_call(room.call_id) is None  # and the call goes on
    room.recordings.start(room.call_id, "zoe")


def test_the_worker_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call goes on by another one, and so does its recording, in another file."""
    room = Room(tmp_path, monkeypatch, record={"queues": set()})
    a, _ = room.talk()
    room.recordings.start(room.call_id, "zoe")
    room.opened()
    room.recordings.event(ItemConnected(room.office.clock.time, room.call_id, "asia", "ann", 3.0))
    room.office.pass_time(7)
    room.office.plane.kill()
    (row,) = room.rows.values()
    assert row.why == "media lost" and row.duration_s == pytest.approx(7)
    assert room.recordings.files._lost.get_nowait() == row  # how much its file holds is looked up
    room.office.pass_time(1)
    lost, after = room.rows.values()
    assert (after.queue, after.agent, after.ended_at) == ("asia", "ann", None)
    assert after.id == f"{room.call_id}.2" and after.file != lost.file
    assert room.running.port is next(iter(room.office.switch.calls())).caller.audio.port and not room.running.masked
    room.opened()
    assert room.kinds == ["RecordingStarted", "RecordingStopped", "RecordingStarted"]
    assert room.told[-1].by == "zoe" and room.told[-1].recording == after.id
    a.bye()
    assert room.rows[after.id].why == "call ended" and len(room.recordings) == 0
    room.office.pass_time(100)
    assert room.office.leaks() == {}


def test_what_was_masked_stays_so_when_the_worker_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first packet, and not for longer than it would have been; so does the longest time."""
    room = Room(tmp_path, monkeypatch, {"mask_at_most_s": 60, "longest_s": 100})
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")
    room.recordings.mask(view["id"], True, "ann")
    room.office.pass_time(40)
    room.office.plane.kill()
    room.office.pass_time(1)
    assert room.running.order.masked and room.running.masked
    assert (room.told[-1].masked, room.told[-1].by) == (True, "ann")
    room.office.pass_time(20)
    assert not room.running.masked and room.told[-1].by == "time"
    assert json.loads(room.rows[f"{room.call_id}.2"].masked) == [[0.0, 0.0]]
    room.office.pass_time(40)
    assert room.office.plane.recordings == {} and room.rows[f"{room.call_id}.2"].why == "too long"


def test_while_there_is_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is ordered meanwhile is obeyed when there is one."""
    room = Room(tmp_path, monkeypatch)
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")
    room.office.plane.down = True
    room.office.plane.kill()
    room.office.pass_time(2)
    waiting = room.recordings.of_call(room.call_id)
    assert waiting is not None and waiting != view["id"] and waiting not in room.rows
    assert room.recordings.mask(waiting, True, "ann")["masked_now"]
    with pytest.raises(StateConflict, match="recorded already"):
        room.recordings.start(room.call_id, "zoe")
    room.office.plane.down = False
    room.office.pass_time(1)
    assert room.running.masked and room.rows[waiting].started_at == pytest.approx(room.office.clock.time, abs=1)
    room.office.plane.down = True
    room.office.plane.kill()
    third = room.recordings.of_call(room.call_id)
    assert third is not None
    room.recordings.stop(third, "zoe")
    room.office.plane.down = False
    room.office.pass_time(20)
    assert room.office.plane.recordings == {} and len(room.recordings) == 0 and third not in room.rows


def test_a_call_that_the_worker_takes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")
    room.office.plane.down = True
    room.office.plane.kill()
    room.office.pass_time(40)
    assert not list(room.office.switch.calls()) and len(room.recordings) == 0
    assert list(room.rows) == [view["id"]] and room.kinds == ["RecordingStopped"]


def test_workers_that_die_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One day it is enough, and that is told."""
    room = Room(tmp_path, monkeypatch)
    a, b = room.talk()
    room.recordings.start(room.call_id, "zoe")
    monkeypatch.setattr("pbx.recordings.log.error", lambda *_, **__: None)
    for _ in range(LOSSES_MOST + 1):
        assert room.running
        room.office.plane.kill()
        room.office.pass_time(1)
    assert room.office.plane.recordings == {} and len(room.rows) == LOSSES_MOST + 1
    assert isinstance(room.told[-1], events.RecordingFailed) and room.told[-1].reason == "media lost"
    assert list(room.office.switch.calls()) and a and b
    assert room.office.counters["recordings_failed"] == 1


def test_it_fails_after_the_worker_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: that ends it."""
    room = Room(tmp_path, monkeypatch)
    room.talk()
    room.recordings.start(room.call_id, "zoe")
    monkeypatch.setattr("pbx.recordings.log.error", lambda *_, **__: None)
    room.office.plane.kill()
    room.office.pass_time(1)
    room.office.plane.end_recording(2, "failed", errno.ENOSPC)
    room.office.pass_time(60)
    assert room.kinds == ["RecordingStopped", "RecordingFailed"] and len(room.rows) == 2


def test_a_file_that_takes_its_time_after_the_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rtpengine: what was captured is made a file while the next recording runs."""
    room = Room(tmp_path, monkeypatch)
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")
    first = room.running
    room.office.plane.recordings.clear()
    first.on_event(RecordingEvent("lost", 1))
    room.office.pass_time(1)
    assert room.recordings.of_call(room.call_id) == f"{room.call_id}.2"
    first.on_event(RecordingEvent("ended", 1, 5000, "lost", size_bytes=80_000))
    row = room.rows[view["id"]]
    assert (row.why, row.duration_s, row.size_bytes) == ("media lost", 5.0, 80_000)
    room.office.pass_time(1)
    assert room.recordings.of_call(room.call_id) == f"{room.call_id}.2" and len(room.rows) == 2


@pytest.mark.parametrize(("spans", "masked"), [([], False), ([[1, 2]], False), ([[1, 2], [30, None]], True)])
def test_the_server_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spans: list[list[float | None]], masked: bool
) -> None:
    """The next one takes the recording's place: it can be masked and stopped again, and its limits hold."""
    room = Room(tmp_path, monkeypatch, {"mask_at_most_s": 60, "longest_s": 200})
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")
    began = room.rows[view["id"]]._replace(masked=json.dumps(spans), queue="asia", agent="ann", legal_hold=1)
    room.office.pass_time(50)
    after = Recordings(room.recordings.files.site, room.office.switch, room.told.append, room.office.counters)
    monkeypatch.setattr(after.files.store, "save", lambda row: room.rows.__setitem__(row.id, row))
    after.files.left = {began.call_id: began}
    room.told.clear()
    after.event(events.CallRevived(room.office.clock.time, room.call_id))
    room.office.pass_time(1)
    again = after.of_call(room.call_id)
    assert again == f"{room.call_id}.51"
    row = room.rows[again]
    assert (row.queue, row.agent, row.legal_hold) == ("asia", "ann", 1)
    assert room.running.masked is masked
    room.opened()
    assert room.told[-1].by == f"as {began.id}"
    room.office.pass_time(38)
    assert room.running.masked is masked
    room.office.pass_time(2)
    assert not room.running.masked
    room.office.pass_time(110)
    assert room.office.plane.recordings == {} and room.rows[again].why == "too long"


def test_a_mask_that_the_dead_server_did_not_write_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker knew it."""
    room = Room(tmp_path, monkeypatch, {"mask_at_most_s": 60})
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")
    began = room.rows[view["id"]]
    room.office.plane.mask(1, True)
    after = Recordings(room.recordings.files.site, room.office.switch, room.told.append, room.office.counters)
    monkeypatch.setattr(after.files.store, "save", lambda row: None)
    after.files.left = {began.call_id: began}
    after.event(events.CallRevived(room.office.clock.time, room.call_id))
    room.office.pass_time(59)
    assert room.running.masked
    room.office.pass_time(2)
    assert not room.running.masked


def test_a_call_that_was_not_recorded_is_not_after_the_server_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path, monkeypatch)
    room.talk()
    room.recordings.event(events.CallRevived(room.office.clock.time, room.call_id))
    room.office.pass_time(5)
    assert room.office.plane.recordings == {} and room.rows == {}


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    room.talk()
    room.recordings.start(room.call_id, "zoe")
    room.running.on_event(RecordingEvent("ended", 1, 5000, "stopped", packets_lost=7))
    (row,) = room.rows.values()
    assert row.why == "stopped; 7 packets lost, the disk was too slow"


def test_a_call_that_outlived_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its earlier recordings have numbers that we don't know."""
    room = Room(tmp_path, monkeypatch)
    room.talk()
    room.office.pass_time(40)
    after = Recordings(room.recordings.files.site, room.office.switch, room.told.append, room.office.counters)
    monkeypatch.setattr(after.files.store, "save", lambda row: None)
    ids = []
    for _ in range(2):
        view = after.start(room.call_id, "zoe")
        after.stop(view["id"], "zoe")
        ids.append(view["id"])
    assert ids == [f"{room.call_id}.41", f"{room.call_id}.42"]


def test_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch, {"longest_s": 30})
    room.talk()
    room.recordings.start(room.call_id, "zoe")
    room.office.pass_time(30)
    assert [row.why for row in room.rows.values()] == ["too long"]


def test_what_makes_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    with pytest.raises(UnknownResource):
        room.recordings.start("none", "zoe")
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")
    with pytest.raises(StateConflict, match="recorded already"):
        room.recordings.start(room.call_id, "zoe")
    room.recordings.stop(view["id"], "zoe")
    for again in (room.recordings.stop, lambda id_, by: room.recordings.mask(id_, True, by)):
        with pytest.raises(StateConflict):
            again(view["id"], "zoe")
    nowhere = Room(tmp_path, monkeypatch, {"folder": None})
    nowhere.talk()
    with pytest.raises(StateConflict, match="no folder"):
        nowhere.recordings.start(nowhere.call_id, "zoe")


def test_a_flow_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    room.talk()
    call = next(iter(room.office.switch.calls()))
    room.recordings.flow(call, "mask")
    assert room.office.counters["recordings_not_running"] == 1
    for what in ("start", "start", "mask"):
        room.recordings.flow(call, what)
    assert room.running.masked
    room.recordings.flow(call, "unmask")
    assert not room.running.masked
    room.recordings.flow(call, "stop")
    assert room.office.plane.recordings == {}


def test_legal_hold_and_deletion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch, {"folder": str(tmp_path / "kept")})
    room.talk()
    view = room.recordings.start(room.call_id, "zoe")

    async def get(recording_id: str) -> RecordingRow | None:
        return room.rows.get(recording_id)

    monkeypatch.setattr(room.recordings.files.store, "get", get)

    async def scene() -> None:
        with pytest.raises(StateConflict, match="runs"):
            await room.recordings.delete(view["id"], "zoe")
        assert (await room.recordings.hold(view["id"], True))["legal_hold"]
        room.recordings.stop(view["id"], "zoe")
        path = tmp_path / "kept" / view["file"]
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        with pytest.raises(StateConflict, match="legal hold"):
            await room.recordings.delete(view["id"], "zoe")
        await room.recordings.hold(view["id"], False)
        assert (await room.recordings.delete(view["id"], "zoe"))["state"] == "deleted"
        assert not path.parent.exists() and (tmp_path / "kept").exists()
        assert isinstance(room.told[-1], events.RecordingDeleted)
        with pytest.raises(UnknownResource, match="deleted"):
            await room.recordings.read(view["id"])
        with pytest.raises(UnknownResource):
            await room.recordings.get("none")

    asyncio.run(scene())


def test_a_person_who_asks_to_be_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch, {"folder": str(tmp_path / "kept")})
    room.talk()
    live = room.recordings.start(room.call_id, "zoe")
    caller = room.office.switch.call(room.call_id)
    assert caller is not None
    old = room.rows[live["id"]]._replace(ended_at=5.0, file="d/old.wav")
    found = [old._replace(id="old"), old._replace(id="held", legal_hold=1)]
    path = tmp_path / "kept" / "d" / "old.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")

    async def of_person(number: str, country: str) -> list[RecordingRow]:
        return found if number == caller.from_number else []

    monkeypatch.setattr(room.recordings.files.store, "of_person", of_person)

    async def scene() -> None:
        assert await room.recordings.erase("0699999999", "zoe") == {"deleted": [], "running": [], "legal_hold": []}
        assert path.exists()
        erased = await room.recordings.erase(caller.from_number, "zoe")
        assert erased == {"deleted": ["old"], "running": [live["id"]], "legal_hold": ["held"]}
        assert not path.exists()

    asyncio.run(scene())


def test_an_event_of_a_recording_that_is_over_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, monkeypatch)
    room.talk()
    room.recordings.start(room.call_id, "zoe")
    on_event = room.running.on_event
    room.recordings.stop(f"{room.call_id}.1", "zoe")
    told = len(room.told)
    on_event(RecordingEvent("ended", 1))
    assert len(room.told) == told
