"""The recordings that run in one worker: which port each belongs to, who is told of it."""

from __future__ import annotations

import asyncio
import errno
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

from media import records
from media.plane import RecordingEvent, RecordingOrder
from media.records import Event

log = structlog.get_logger("media")

EVENTS_OF_RECORDINGS: Final = (records.RECORDING_STARTED, records.RECORDING_MASKED, records.RECORDING_ENDED)
_WHY: Final = ("stopped", "released", "failed")  # the event's flags

WORKER_SHIFT: Final = 24  # a recording's id says which worker makes it
_MOST: Final = (1 << WORKER_SHIFT) - 1

Send = Callable[[bytes, int], None]  # a record and the descriptor that goes with it, or -1
OnEvent = Callable[[RecordingEvent], None]


class Recordings:
    """An entry for each recording from its command to the event that ends it."""

    def __init__(self, worker: int, send: Send, counters: Counter[str]) -> None:
        self._base = worker << WORKER_SHIFT
        self._send, self._counters = send, counters
        self._running: dict[int, tuple[int, int, OnEvent]] = {}  # port's index and generation
        self._last = random.randrange(_MOST)  # those of the server before may end after ours have begun

    def __len__(self) -> int:
        return len(self._running)

    def add(self, index: int, generation: int, on_event: OnEvent) -> int:
        """A new recording's id, which is never 0."""
        self._last = self._last % _MOST + 1
        self._running[self._base | self._last] = index, generation, on_event
        return self._base | self._last

    def start(
        self, index: int, generation: int, order: RecordingOrder, beep_slot: int | None, on_event: OnEvent
    ) -> int:
        """Tell the worker, and return the recording's id. What fails is told by `on_event`, a moment later."""
        recording_id = self.add(index, generation, on_event)
        try:
            descriptor = os.memfd_create("recording", os.MFD_CLOEXEC)
        except OSError as error:
            failed = RecordingEvent("ended", recording_id, why="failed", error=error.errno or errno.EMFILE)
            asyncio.get_running_loop().call_soon(self._end, failed)
            return recording_id
        os.write(descriptor, records.recording_order(order))
        every_s = 0 if beep_slot is None else order.beep_every_s
        self._send(records.record(index, generation, recording_id, beep_slot or 0, every_s, order.masked), descriptor)
        return recording_id

    def mask(self, recording_id: int, masked: bool) -> None:
        """Nothing happens if it is over."""
        if recording_id in self._running:
            index, generation, _ = self._running[recording_id]
            self._send(records.mask(index, generation, recording_id, masked), -1)

    def stop(self, recording_id: int) -> None:
        """Likewise."""
        if recording_id in self._running:
            index, generation, _ = self._running[recording_id]
            self._send(records.stop_recording(index, generation, recording_id), -1)

    def event(self, event: Event) -> None:
        """The worker tells of a recording."""
        number = event.argument
        if self._running.get(number, (None, None))[:2] != (event.port, event.generation):
            return  # over, or begun by the server before this one
        if event.op == records.RECORDING_STARTED:
            self._tell(RecordingEvent("started", number))
        elif event.op == records.RECORDING_MASKED:
            self._tell(RecordingEvent("masked" if event.flags else "unmasked", number, event.a))
        else:
            why = "failed" if event.b else _WHY[min(event.flags, 2)]
            self._counters["recording_packets_lost"] += event.c
            self._counters["recording_packets_late"] += event.d
            self._end(
                RecordingEvent("ended", number, event.a, why, event.b, event.c, event.d, event.e | event.f << 32)
            )

    def lost(self, recording_id: int) -> None:
        """There is no worker, or no such port."""
        self._end(RecordingEvent("ended", recording_id, why="lost"))

    def all_lost(self) -> None:
        """The worker died."""
        for recording_id in list(self._running):
            self.lost(recording_id)

    def _end(self, event: RecordingEvent) -> None:
        self._tell(event)
        self._running.pop(event.recording_id, None)

    def _tell(self, event: RecordingEvent) -> None:
        entry = self._running.get(event.recording_id)
        if entry is None:
            return
        try:
            entry[2](event)
        except Exception:
            self._counters["media_callback_errors"] += 1
            log.exception("a media callback failed")
