"""Recordings after the call: Ogg/Opus made of them, files deleted when their time is over, what a dead server left.

One conversion at a time, in a process of low priority; the WAV file stays until its successor is whole, and after a
restart what is not finished is taken up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from config.schema import Site
from media.recorded import RecordedFile
from media.worker.recording_file import RecordingError
from pbx.call import events
from pbx.store.errors import StoreError
from pbx.store.recordings import MOST, RecordingRow, RecordingStore

WAITING_MOST: Final = 10_000  # for the converter; what is more is converted after the next start
RETENTION_S: Final = 3600.0
DAY_S: Final = 86_400.0
STILL_S: Final = 3.0  # a file that was not written to for so long is written to no more
_SLOWEST: Final = 4.0  # a conversion that takes as many times its sound's length (and a minute) hangs
_ROOT: Final = str(Path(__file__).resolve().parents[1])

log = structlog.get_logger("pbx.recordings")


def key_of(site: Site) -> bytes:
    """That recordings are enciphered with; empty: none."""
    key = site.recordings.key
    return b"" if key is None else bytes.fromhex(key.get_secret_value())


class RecordingFiles:
    """The files below the site's folder and their rows."""

    def __init__(
        self, site: Site, now: Callable[[], float], emit: Callable[[object], None], counters: Counter[str]
    ) -> None:
        self.site, self._now, self._emit, self._counters = site, now, emit, counters
        self.makes: Callable[[str], bool] = lambda path: False  # the file is still to be made (media/rtpengine)
        self.left: dict[str, RecordingRow] = {}  # the one of each call that ran when the last server ended
        self.store = RecordingStore(site.records.url, counters)
        self._waiting: asyncio.Queue[str] = asyncio.Queue(WAITING_MOST)
        self._lost: asyncio.Queue[RecordingRow] = asyncio.Queue(WAITING_MOST)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def key(self) -> bytes:
        return key_of(self.site)

    def path(self, row: RecordingRow) -> str:
        return os.path.join(self.site.recordings.folder or "", row.file)

    def make_folder(self) -> None:
        """The site's folder, for its owner alone. A failure is told by each recording."""
        folder = self.site.recordings.folder
        if folder is not None:
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            except OSError as error:
                log.error("recordings can't be kept", folder=folder, reason=error.strerror)

    async def open(self) -> None:
        """Take up what the last server left. Raises DatabaseUnreachable."""
        self.make_folder()
        left = await self.store.open()
        self.left = {row.call_id: row for row in sorted(left, key=lambda row: row.started_at) if row.ended_at is None}
        self._tasks = [
            asyncio.create_task(self._take_up(left), name="recordings left"),
            asyncio.create_task(self._convert_all(), name="recordings converter"),
            asyncio.create_task(self._retain_for_ever(), name="recordings retention"),
        ]

    async def close(self) -> None:
        """A conversion under way is begun anew by the next server."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []
        await self.store.close()

    def finished(self, row: RecordingRow) -> None:
        """A recording is over: keep its row, and see that its file becomes what it is to be."""
        self.store.save(row)
        if row.unfinished and row.size_bytes:
            try:
                self._waiting.put_nowait(row.id)
            except asyncio.QueueFull:
                self._counters["recordings_conversion_put_off"] += 1

    def lost(self, row: RecordingRow) -> None:
        """A recording is over, but whoever wrote its file died: how much that holds is found out."""
        self.store.save(row)
        try:
            self._lost.put_nowait(row)
        except asyncio.QueueFull:
            self._counters["recordings_conversion_put_off"] += 1

    def read(self, row: RecordingRow) -> RecordedFile:
        """Blocks. Raises RecordingError."""
        return RecordedFile(self.path(row), self.key)

    async def delete(self, row: RecordingRow, by: str) -> RecordingRow:
        """The file goes, the row stays and says when."""
        await asyncio.to_thread(self._unlink, self.path(row))
        row = row._replace(deleted_at=self._now(), size_bytes=0)
        self.store.save(row)
        self._counters["recordings_deleted"] += 1
        self._emit(events.RecordingDeleted(self._now(), row.call_id, row.id, by))
        return row

    async def retain(self) -> int:
        """Delete what is too old; how many. Raises StoreError."""
        site, now = self.site, self._now()
        keep = {name: queue.keep_recordings_days for name, queue in site.queues.items()}
        own = {name: now - days * DAY_S for name, days in keep.items() if days is not None}
        days = site.recordings.keep_days
        before = 0.0 if days is None else now - days * DAY_S
        deleted = 0
        while rows := await self.store.expired(before, own):
            for row in rows:
                await self.delete(row, "retention")
            deleted += len(rows)
            if len(rows) < MOST:
                break
        return deleted

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _take_up(self, left: list[RecordingRow]) -> None:
        for row in left:
            await self._take_up_one(row)
        while True:
            await self._take_up_one(await self._lost.get())

    async def _take_up_one(self, row: RecordingRow) -> None:
        while not row.size_bytes and await asyncio.to_thread(self._grows, row):  # noqa: ASYNC110
            await asyncio.sleep(STILL_S)  # a media worker that outlived the server
        found = await asyncio.to_thread(self._as_found, row)
        with contextlib.suppress(StoreError):
            row = await self.store.get(row.id) or row  # somebody may have deleted it meanwhile, or put it on legal hold
        if row.deleted_at is None:
            self.finished(found._replace(legal_hold=row.legal_hold))

    def _grows(self, row: RecordingRow) -> bool:
        if self.makes(row.file):
            return True
        try:
            return abs(time.time() - os.stat(self.path(row)).st_mtime) < STILL_S
        except OSError:
            return False

    async def _retain_for_ever(self) -> None:
        while True:
            try:
                if deleted := await self.retain():
                    log.info("recordings deleted, their time is over", files=deleted)
            except (StoreError, OSError) as error:
                self._counters["recordings_retention_failures"] += 1
                log.error("recordings can't be deleted", reason=str(error))
            await asyncio.sleep(RETENTION_S)

    def _as_found(self, row: RecordingRow) -> RecordingRow:
        """What is there of a recording that was not finished."""
        path, target = self.path(row), self.path(_converted(row))
        if row.ended_at is not None and not os.path.exists(path) and os.path.exists(target):
            return _converted(row)._replace(size_bytes=os.stat(target).st_size)  # only its row was not yet written
        if row.ended_at is not None and (row.size_bytes or not os.path.exists(path)):
            return row
        try:
            with self.read(row) as recorded:
                duration_s = recorded.duration_s
            size, ended_at = os.stat(path).st_size, os.stat(path).st_mtime
        except (RecordingError, OSError):
            duration_s, size, ended_at = 0.0, 0, row.started_at
        self._counters["recordings_cut_off"] += 1
        row = row._replace(duration_s=round(duration_s, 3), size_bytes=size)
        return row if row.ended_at is not None else row._replace(ended_at=ended_at, why="server died")

    async def _convert_all(self) -> None:
        while True:
            recording_id = await self._waiting.get()
            try:
                row = await self.store.get(recording_id)
                if row is not None and row.unfinished:
                    await self._convert(row)
            except (StoreError, OSError) as error:
                self._counters["recordings_unconverted"] += 1
                log.error("a recording stays WAV", recording=recording_id, reason=str(error))

    async def _convert(self, row: RecordingRow) -> None:
        new = _converted(row)
        order = {"source": self.path(row), "target": self.path(new), "key": self.key.hex() if row.encrypted else ""}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "media.convert_recording", stdin=pipe, stdout=pipe, stderr=pipe,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))},
        )  # fmt: skip
        try:
            async with asyncio.timeout(60 + _SLOWEST * row.duration_s):
                out, said = await process.communicate(json.dumps(order).encode())
        except TimeoutError:
            out, said = b"", b"it took too long"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            self._counters["recordings_unconverted"] += 1
            log.error("a recording stays WAV", recording=row.id, reason=said.decode("utf-8", "replace").strip()[-300:])
            return
        row = await self.store.get(row.id) or row  # somebody may have put it on legal hold meanwhile
        if row.deleted_at is not None:
            await asyncio.to_thread(self._unlink, self.path(new))
            return
        self.store.save(_converted(row)._replace(size_bytes=int(out)))
        await asyncio.to_thread(self._unlink, self.path(row))
        self._counters["recordings_converted"] += 1

    def _unlink(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        folder = os.path.dirname(path)
        if folder != self.site.recordings.folder:
            with contextlib.suppress(OSError):  # the day's folder, with its last file
                os.rmdir(folder)


def _converted(row: RecordingRow) -> RecordingRow:
    return row._replace(file=row.file.replace(".wav", ".opus"))
