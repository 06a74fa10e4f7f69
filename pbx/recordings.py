"""Calls that are recorded: by the site's rules, by flows, on demand. One recording a call at a time, on the caller's
port, so that it survives whatever happens on the other side.

    CallAnswered  -> trunk or called number says so     ItemConnected -> the queue says so; queue and agent are noted
    CallConnected -> a phone or the trunk called does   CallEnded     -> it ends with the caller's port

Media or server died, the call lives: another recording goes on, once the caller has a port, masked if that was.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from acd.events import ItemConnected
from config.numbers import normalise
from config.schema import Site
from cti.errors import StateConflict, UnknownResource
from media.plane import MediaPort, RecordingEvent, RecordingOrder
from media.recorded import RecordedFile
from media.worker.recording_file import RecordingError, WrongKey
from pbx.call import events
from pbx.call.call import Call
from pbx.call.clock import Timer
from pbx.call.switch import Switch
from pbx.recording_files import RecordingFiles
from pbx.store.recordings import RecordingRow

BEEP: Final = "tone:beep"
_WIDE: Final = frozenset({"G722", "OPUS", "L16"})  # codecs with more than telephone sound: recorded at 16 kHz
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9+_-]+")
AGAIN_S: Final = 0.1  # between looks for the port of a call that has lost its own
GIVE_UP_S: Final = 15.0  # by then the call has a port, or is over (pbx/call/reanchor.py)
LOSSES_MOST: Final = 5  # of one call: media that die again and again would make files without end
_WHY: Final = {"released": "call ended", "lost": "media lost", "stopped": "stopped", "failed": "failed"}

log = structlog.get_logger("pbx.recordings")


@dataclass(slots=True)
class _Running:
    """A recording from its order to its end."""

    row: RecordingRow
    by: str
    until: float  # it lasts no longer
    port: MediaPort | None = None  # None: it is to begin when the call has one; there is no row and no file yet
    number: int = 0  # in the media plane
    losses: int = 0  # recordings of the call that were lost one after the other before this one
    masked_at: float | None = None
    masked_by: str = ""
    masked_from_s: float | None = None
    spans: list[tuple[float, float]] = field(default_factory=list)
    why: str = ""  # it was stopped
    timers: dict[str, Timer] = field(default_factory=dict)


class Recordings:
    """One a server; survives reloads. What programs ask for raises UnknownResource or StateConflict."""

    FOLLOWS = (
        events.CallAnswered, events.CallConnected, events.CallEnded, events.CallRevived, events.CallTransferred,
        events.LegMoved, ItemConnected,
    )  # fmt: skip

    def __init__(
        self, site: Site, switch: Switch, emit: Callable[[object], None], counters: Counter[str]
    ) -> None:
        self._site, self._switch, self._emit, self._counters = site, switch, emit, counters
        self._clock = switch.clock
        self._since = self._clock.now()
        self.files = RecordingFiles(site, self._clock.now, emit, counters)
        self._of_call: dict[str, _Running] = {}
        self._running: dict[str, _Running] = {}  # by id
        self.phone_records: Callable[[str], bool] = self._by_site  # an extension's conversations are recorded
        self._counts: dict[str, int] = {}  # recordings that a live call had

    def __len__(self) -> int:
        return len(self._running)

    def reconfigure(self, site: Site) -> None:
        """Recordings that run go on as they began; those to come are as the site says now."""
        self._site = self.files.site = site
        self.files.make_folder()

    # --- rules ------------------------------------------------------------------------------------------------------

    def event(self, event: object) -> None:
        """An event of a kind that it follows."""
        kind = type(event)
        if kind is events.CallEnded:
            self._counts.pop(event.call_id, None)  # type: ignore[attr-defined]
            return
        if kind is ItemConnected:
            self._item_connected(event)  # type: ignore[arg-type]
        elif kind is events.CallAnswered or kind is events.CallConnected:
            call = self._switch.call(event.call_id)  # type: ignore[attr-defined]
            if call is not None:
                self._by_rule(call, event)
        elif kind is events.CallRevived:
            self._revived(event)  # type: ignore[arg-type]
        elif kind is events.LegMoved or kind is events.CallTransferred:
            self._moved(event)  # type: ignore[arg-type]

    def _by_rule(self, call: Call, event: object) -> None:
        agent = getattr(event, "agent", None)
        if agent is not None:
            self._note(call.id, agent=agent)
        running = self._of_call.get(call.id)
        if running is None:
            if by := self._rule(call):
                self._begin(call, by, agent=agent)
        elif running.port not in (None, call.caller.audio.port):  # a transfer made another leg the caller's
            self._stop(running, "transferred")
            self._begin(call, running.by, queue=running.row.queue, agent=agent)

    def _by_site(self, extension: str) -> bool:
        phone = self._site.extensions.get(extension)
        return phone is not None and phone.record

    def _rule(self, call: Call) -> str:
        """Who wants this call recorded, as it is now; "" nobody."""
        site = self._site
        talks = None if call.connected is None else call.connected.winner
        for leg in (call.caller, talks):
            if leg is None:
                continue
            if leg.trunk is not None and leg.trunk in site.trunks and site.trunks[leg.trunk].record:
                return f"trunk {leg.trunk}"
            if talks is not None and leg.extension is not None and self.phone_records(leg.extension):
                return f"extension {leg.extension}"
        if site.recordings.numbers:
            country = site.locale.country
            called = normalise(call.to_number, country)
            if any(normalise(number, country) == called for number in site.recordings.numbers):
                return f"number {call.to_number}"
        return ""

    def _item_connected(self, event: ItemConnected) -> None:
        queue, call = self._site.queues.get(event.queue), self._switch.call(event.item_id)
        self._note(event.item_id, queue=event.queue, agent=event.agent)
        if queue is not None and queue.record and call is not None and call.id not in self._of_call:
            self._begin(call, f"queue {event.queue}", queue=event.queue, agent=event.agent)

    def _moved(self, event: events.LegMoved | events.CallTransferred) -> None:
        other = event.from_call_id if isinstance(event, events.LegMoved) else event.other_call_id
        if other is not None and other != event.call_id:
            self._note(event.call_id, linked_call_id=other)
            self._note(other, linked_call_id=event.call_id)

    def _note(self, call_id: str, **changes: str) -> None:
        running = self._of_call.get(call_id)
        if running is not None:
            running.row = running.row._replace(**changes)  # type: ignore[arg-type]
            if running.port is not None:
                self.files.store.save(running.row)

    # --- a recording ------------------------------------------------------------------------------------------------

    def _begin(self, call: Call, by: str, *, queue: str | None = None, agent: str | None = None) -> _Running | None:
        """None if it can't be recorded: no folder, no port."""
        settings, port = self._site.recordings, call.caller.audio.port
        if settings.folder is None or port is None or call.ended:
            self._counters["recordings_impossible"] += 1
            return None
        running = self._make(call, by, self._clock.now() + settings.longest_s, queue, agent)
        self._order(running, call, port, settings.folder)
        return running

    def _make(self, call: Call, by: str, until: float, queue: str | None, agent: str | None) -> _Running:
        """Known from now on, and to be ordered."""
        settings, now = self._site.recordings, self._clock.now()
        number = self._counts[call.id] = self._counts.get(call.id, self._before(call)) + 1
        key = self.files.key
        path = self._path(call, number, queue or "", agent or "") + (".wav.aes" if key else ".wav")
        row = RecordingRow(
            f"{call.id}.{number}", call.id, None, queue, agent, now, None, 0.0, path, settings.format,
            int(bool(key)), "[]", 0, None,
        )  # fmt: skip
        running = self._of_call[call.id] = self._running[row.id] = _Running(row, by, until)
        running.timers["end"] = self._clock.after(max(0.0, until - now), self._too_long, row.id)
        return running

    def _order(self, running: _Running, call: Call, port: MediaPort, folder: str) -> None:
        """The media plane makes it."""
        settings, key = self._site.recordings, self.files.key
        running.port = port
        running.row = row = running.row._replace(started_at=self._clock.now())
        self.files.store.save(row)
        plane = self._switch.plane
        beep = BEEP if settings.beep_every_s and plane.has_prompt(BEEP) else None
        rate_hz = 16_000 if call.caller.audio.codec in _WIDE else 8000
        order = RecordingOrder(
            folder, row.file, settings.sound == "stereo", rate_hz, key,
            settings.min_free_mb * 1_000_000, beep, settings.beep_every_s, settings.keys == "hidden",
            running.masked_at is not None,
        )  # fmt: skip
        running.number = plane.record(port, order, lambda told: self._told(row.id, told))

    def _before(self, call: Call) -> int:
        """A call that outlived a server may have recordings that we don't know: later numbers than those."""
        return 0 if call.started_at >= self._since else int(self._clock.now() - call.started_at)

    def _path(self, call: Call, number: int, queue: str, agent: str) -> str:
        at = dt.datetime.fromtimestamp(self._clock.now(), ZoneInfo(self._site.locale.timezone))
        values = {
            "call": call.id if number == 1 else f"{call.id}-{number}", "date": f"{at:%Y-%m-%d}", "time": f"{at:%H%M%S}",
            "queue": queue, "agent": agent, "from": call.from_number, "to": call.to_number,
            "direction": call.direction,
        }  # fmt: skip
        safe = {name: _UNSAFE.sub("_", value)[:64] or "none" for name, value in values.items()}
        return self._site.recordings.path.format_map(safe)

    def _told(self, recording_id: str, told: RecordingEvent) -> None:
        """The media plane tells of a recording."""
        running = self._running.get(recording_id)
        if running is None:
            return
        row, now = running.row, self._clock.now()
        if told.kind == "started":
            self._counters["recordings_started"] += 1
            self._emit(events.RecordingStarted(now, row.call_id, row.id, running.by))
        elif told.kind == "lost":
            self._lost(running)
        elif told.kind == "ended":
            self._ended(running, told)
        else:
            masked, offset_s = told.kind == "masked", told.at_ms / 1000
            if masked and running.masked_at is None:  # as the recording was that it goes on from
                self._mask_since(running, now, running.by)
            self._mark(running, masked, offset_s)
            self._emit(events.RecordingMasked(now, row.call_id, row.id, masked, offset_s, running.masked_by))

    def _mark(self, running: _Running, masked: bool, offset_s: float) -> None:
        """Begin or end a masked span."""
        if masked and running.masked_from_s is None:
            running.masked_from_s = offset_s
            self._save_masked(running, (offset_s, None))
        elif not masked and running.masked_from_s is not None:
            running.spans.append((running.masked_from_s, offset_s))
            running.masked_from_s = None
            self._save_masked(running)

    def _save_masked(self, running: _Running, *now: tuple[float, None]) -> None:
        running.row = running.row._replace(masked=json.dumps([*running.spans, *now]))
        self.files.store.save(running.row)

    def _ended(self, running: _Running, told: RecordingEvent) -> None:
        if told.why == "lost":
            self._lost(running)
        row, now = running.row, self._clock.now()
        for timer in running.timers.values():
            timer.cancel()
        del self._running[row.id]
        if self._of_call.get(row.call_id) is running:
            del self._of_call[row.call_id]
        duration_s = told.at_ms / 1000 if told.at_ms or told.why != "lost" else now - row.started_at
        self._mark(running, False, duration_s)
        reason = os.strerror(told.error) if told.error else ""
        why = reason or running.why or _WHY.get(told.why, told.why)
        if told.packets_lost:
            why += f"; {told.packets_lost} packets lost, the disk was too slow"
        if running.port is not None:
            over = self.files.lost if told.why == "lost" and not told.size_bytes else self.files.finished
            over(running.row._replace(duration_s=duration_s, ended_at=now, size_bytes=told.size_bytes, why=why))
        if told.why == "failed":
            self._counters["recordings_failed"] += 1
            log.error("a recording failed, its call goes on", recording=row.id, reason=why)
            self._emit(events.RecordingFailed(now, row.call_id, row.id, duration_s, why))
        elif running.port is not None:
            self._emit(events.RecordingStopped(now, row.call_id, row.id, duration_s, why))

    def _too_long(self, recording_id: str) -> None:
        running = self._running.get(recording_id)
        if running is not None:
            self._stop(running, "too long")

    def _stop(self, running: _Running, why: str) -> None:
        running.why = running.why or why
        if running.port is None:
            self._ended(running, RecordingEvent("ended", 0, why="stopped"))
        else:
            self._switch.plane.stop_recording(running.number)

    def _mask(self, running: _Running, masked: bool, by: str) -> None:
        self._mask_since(running, self._clock.now() if masked else None, by)
        self._switch.plane.mask(running.number, masked)

    def _mask_since(self, running: _Running, at: float | None, by: str) -> None:
        """Note it, and that it ends by itself."""
        running.masked_at, running.masked_by = at, by
        timer = running.timers.pop("mask", None)
        if timer is not None:
            timer.cancel()
        if at is not None:
            left_s = max(0.0, at + self._site.recordings.mask_at_most_s - self._clock.now())
            running.timers["mask"] = self._clock.after(left_s, self._unmask, running.row.id)

    def _unmask(self, recording_id: str) -> None:
        running = self._running.get(recording_id)
        if running is not None:
            self._mask(running, False, "time")

    # --- media or server died, the call lives -------------------------------------------------------------------------

    def _lost(self, running: _Running) -> None:
        """Nobody stopped it."""
        row, call = running.row, self._switch.call(running.row.call_id)
        if call is not None and not call.ended and self._of_call.get(call.id) is running and not running.why:
            after = self._go_on(call, row, running.by, running.until, running.masked_at, running.masked_by)
            after.losses = running.losses + 1

    def _revived(self, event: events.CallRevived) -> None:
        """A worker that outlived the server records on until this takes its place, to mask and stop it."""
        call, row = self._switch.call(event.call_id), self.files.left.pop(event.call_id, None)
        if call is not None and row is not None:
            begun, by = row.started_at, f"as {row.id}"
            spans = json.loads(row.masked)
            masked_at = begun + spans[-1][0] if spans and spans[-1][1] is None else None
            self._go_on(call, row, by, begun + self._site.recordings.longest_s, masked_at, by)

    def _go_on(
        self, call: Call, row: RecordingRow, by: str, until: float, masked_at: float | None, masked_by: str
    ) -> _Running:
        """Another recording of the call, as the one of that row was."""
        running = self._make(call, by, until, row.queue, row.agent)
        running.row = running.row._replace(linked_call_id=row.linked_call_id, legal_hold=row.legal_hold)
        if masked_at is not None:
            self._mask_since(running, masked_at, masked_by)
        self._look(running, self._clock.now() + GIVE_UP_S)
        return running

    def _look(self, running: _Running, give_up_at: float) -> None:
        running.timers["port"] = self._clock.after(AGAIN_S, self._again, running.row.id, give_up_at)

    def _again(self, recording_id: str, give_up_at: float) -> None:
        """Begin, if the call has a port again."""
        running = self._running[recording_id]
        call, folder = self._switch.call(running.row.call_id), self._site.recordings.folder
        if call is None or call.ended:
            self._stop(running, "call ended")
        elif folder is None or running.losses > LOSSES_MOST or self._clock.now() >= give_up_at:
            running.why = "media lost"
            self._ended(running, RecordingEvent("ended", 0, why="failed"))
        elif call.caller.audio.port is None:
            self._look(running, give_up_at)
        else:
            self._order(running, call, call.caller.audio.port, folder)

    # --- on demand --------------------------------------------------------------------------------------------------

    def flow(self, call: Call, what: str) -> None:
        """The verb `record` of a flow."""
        running = self._of_call.get(call.id)
        if what == "start":
            if running is None:
                self._begin(call, "flow")
        elif running is None:
            self._counters["recordings_not_running"] += 1
        elif what == "stop":
            self._stop(running, "stopped")
        else:
            self._mask(running, what == "mask", "flow")

    def start(self, call_id: str, by: str) -> dict[str, Any]:
        """Record a live call from now on."""
        call = self._switch.call(call_id)
        if call is None:
            raise UnknownResource("no such live call")
        if call_id in self._of_call:
            raise StateConflict("the call is recorded already", "recording")
        running = self._begin(call, by)
        if running is None:
            raise StateConflict("the call can't be recorded: it has no sound yet, or the site no folder", "impossible")
        return self._view(running.row)

    def stop(self, recording_id: str, by: str) -> dict[str, Any]:
        running = self._live(recording_id)
        self._stop(running, f"stopped by {by}")
        return self._view(running.row)

    def mask(self, recording_id: str, masked: bool, by: str) -> dict[str, Any]:
        running = self._live(recording_id)
        self._mask(running, masked, by)
        return self._view(running.row)

    def of_call(self, call_id: str) -> str | None:
        """The id of the recording that runs."""
        running = self._of_call.get(call_id)
        return None if running is None else running.row.id

    def _live(self, recording_id: str) -> _Running:
        running = self._running.get(recording_id)
        if running is None:
            raise StateConflict("no such recording runs", "over")
        return running

    # --- kept -------------------------------------------------------------------------------------------------------

    async def find(
        self, limit: int, *, call_id: str | None = None, queue: str | None = None, agent: str | None = None
    ) -> list[dict[str, Any]]:
        rows = await self.files.store.find(limit, call_id=call_id, queue=queue, agent=agent)
        return [self._view(row) for row in rows]

    async def get(self, recording_id: str) -> dict[str, Any]:
        return self._view(await self._row(recording_id))

    async def read(self, recording_id: str) -> RecordedFile:
        """Open its sound."""
        row = await self._row(recording_id)
        if row.deleted_at is not None:
            raise UnknownResource("the recording was deleted")
        try:
            return await asyncio.to_thread(self.files.read, row)
        except WrongKey as error:
            raise StateConflict(str(error), "key") from None
        except RecordingError as error:
            raise UnknownResource(str(error)) from None

    async def delete(self, recording_id: str, by: str) -> dict[str, Any]:
        row = await self._row(recording_id)
        if row.id in self._running:
            raise StateConflict("the recording runs", "recording")
        if row.legal_hold:
            raise StateConflict("the recording is on legal hold", "legal_hold")
        return self._view(row if row.deleted_at is not None else await self.files.delete(row, by))

    async def erase(self, number: str, by: str) -> dict[str, Any]:
        """Delete all recordings of a person's calls but those that run or are on legal hold, which are named."""
        erased: dict[str, Any] = {"deleted": [], "running": [], "legal_hold": []}
        for row in await self.files.store.of_person(number, self._site.locale.country):
            if row.id not in self._running and not row.legal_hold:
                await self.files.delete(row, by)
            kind = "running" if row.id in self._running else "legal_hold" if row.legal_hold else "deleted"
            erased[kind].append(row.id)
        erased["running"] += [
            running.row.id for running in self._running.values() if self._is_of(running.row.call_id, number)
        ]
        return erased

    def _is_of(self, call_id: str, number: str) -> bool:
        call, country = self._switch.call(call_id), self._site.locale.country
        ends = () if call is None else (call.from_number, call.to_number)
        return normalise(number, country) in (normalise(end, country) for end in ends)

    async def hold(self, recording_id: str, on: bool) -> dict[str, Any]:
        """Legal hold: neither the retention job nor anybody deletes it."""
        row = (await self._row(recording_id))._replace(legal_hold=int(on))
        if row.id in self._running:
            self._running[row.id].row = row
        self.files.store.save(row)
        return self._view(row)

    async def _row(self, recording_id: str) -> RecordingRow:
        running = self._running.get(recording_id)
        row = running.row if running is not None else await self.files.store.get(recording_id)
        if row is None:
            raise UnknownResource("no such recording")
        return row

    def _view(self, row: RecordingRow) -> dict[str, Any]:
        running = self._running.get(row.id)
        view = row._asdict()
        view |= {
            "encrypted": bool(row.encrypted), "legal_hold": bool(row.legal_hold), "masked": json.loads(row.masked),
            "state": "recording" if running is not None else "deleted" if row.deleted_at is not None else "kept",
            "masked_now": running is not None and "mask" in running.timers,
        }  # fmt: skip
        return view
