"""Recordings after the call: converted, taken up after a crash, deleted in time. Real files, a real converter."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from config.schema import Queue, Site
from media.recorded import OPUS
from media.worker.recording_file import wav_header
from pbx import recording_files
from pbx.recording_files import DAY_S, RecordingFiles
from pbx.store import latest
from pbx.store.journal import Journal
from pbx.store.recordings import RecordingRow

NOW = 1_800_000_000.0
ROW = RecordingRow("c1.1", "c1", None, "asia", None, NOW, NOW + 1, 1.0, "d/c1.wav", "opus", 0, "[]", 32_044, "stopped")


class Kept:
    """Files and rows of a site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kept"
        self.counters: Counter[str] = Counter()
        self.events: list[object] = []
        self.site = Site.model_validate(
            {
                "site": "s", "listen": {"sip": "udp:127.0.0.1:5060"},
                "records": {"url": f"sqlite:///{folder}/plateau.db"},
                "recordings": {"folder": str(self.folder), "keep_days": 30},
                "queues": {"asia": Queue(keep_recordings_days=5).model_dump(exclude_none=True), "europe": {}},
            }
        )  # fmt: skip

    def files(self) -> RecordingFiles:
        return RecordingFiles(self.site, lambda: NOW, self.events.append, self.counters)

    def store(self, name: str = "d/c1.wav", seconds: float = 1.0) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_header(8000, 2, 0) + bytes(round(32_000 * seconds)))
        return path


@pytest.fixture
async def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kept]:
    monkeypatch.setattr(latest, "GATHER_S", 0.005)
    monkeypatch.setattr(recording_files, "STILL_S", 0.2)
    made = Kept(tmp_path)
    journal = Journal(made.site.records.url, 100, Counter())
    await journal.open()
    yield made
    await journal.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_recording_becomes_opus(kept: Kept) -> None:
    path, files = kept.store(), kept.files()
    await files.open()
    files.finished(ROW)
    await until(lambda: kept.counters["recordings_converted"])
    row = await files.store.get("c1.1")
    assert row is not None and row.file == "d/c1.opus" and not row.unfinished and not path.exists()
    assert row.size_bytes == (kept.folder / "d/c1.opus").stat().st_size
    with files.read(row) as recorded:
        assert recorded.media_type == OPUS
    await files.close()


async def test_a_restart_takes_it_up(kept: Kept) -> None:
    """The server ended while it converted; and one that was killed while it recorded."""
    kept.store()
    left = kept.store("d/c3.wav", 2.5)
    files = kept.files()
    await files.open()
    await files.close()
    files = kept.files()
    await files.store.open()
    running = ROW._replace(ended_at=None, duration_s=0.0, size_bytes=0, why=None)
    files.store.save(ROW)
    files.store.save(running._replace(id="c3.1", file="d/c3.wav", format="wav"))
    files.store.save(running._replace(id="c4.1", file="d/none.wav"))
    await files.store.close()
    files = kept.files()
    await files.open()
    await until(lambda: kept.counters["recordings_converted"] and kept.counters["recordings_cut_off"] == 2)
    cut, lost = await files.store.get("c3.1"), await files.store.get("c4.1")
    assert cut is not None and lost is not None
    assert (cut.duration_s, cut.why, cut.size_bytes) == (2.5, "server died", left.stat().st_size)
    assert (lost.duration_s, lost.size_bytes) == (0.0, 0)
    await files.close()


async def test_whoever_wrote_it_died(kept: Kept) -> None:
    """How long the sound is, and how much, is as the file says."""
    files = kept.files()
    kept.store(seconds=2.5)
    await files.open()
    files.lost(ROW._replace(id="c2.1", file="d/none.wav", size_bytes=0))
    files.lost(ROW._replace(ended_at=NOW + 9, duration_s=9.0, size_bytes=0, why="media lost"))
    await until(lambda: kept.counters["recordings_converted"])
    row, nothing = await files.store.get("c1.1"), await files.store.get("c2.1")
    assert row is not None and nothing is not None
    assert (row.duration_s, row.ended_at, row.why) == (2.5, NOW + 9, "media lost")
    assert row.size_bytes == (kept.folder / "d/c1.opus").stat().st_size
    assert nothing.size_bytes == 0
    await files.close()


async def test_what_is_ordered_while_it_is_taken_up(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A legal hold stays, and what was deleted does."""
    kept.store()
    kept.store("d/c2.wav")
    files = kept.files()
    monkeypatch.setattr(files, "_grows", lambda row: not kept.counters["go"])
    await files.store.open()
    left = [ROW._replace(ended_at=None, size_bytes=0), ROW._replace(id="c2.1", file="d/c2.wav", size_bytes=0)]
    for row in left:
        files.store.save(row)
    await files.store.close()
    await files.open()
    files.store.save(left[0]._replace(legal_hold=1))
    await files.delete(left[1], "zoe")
    kept.counters["go"] = 1
    kept.store("d/c3.wav")
    files.lost(ROW._replace(id="c3.1", file="d/c3.wav", size_bytes=0))  # its turn is after theirs
    await until(lambda: kept.counters["recordings_converted"] == 2)
    held, gone = await files.store.get("c1.1"), await files.store.get("c2.1")
    assert held is not None and held.legal_hold and held.file == "d/c1.opus"
    assert gone is not None and gone.deleted_at is not None
    await files.close()


async def test_what_can_not_be_converted_stays(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(recording_files.log, "error", lambda text, **more: said.append(more["reason"]))
    path, files = kept.store(), kept.files()
    path.write_bytes(b"no sound")
    await files.open()
    files.finished(ROW)
    await until(lambda: kept.counters["recordings_unconverted"])
    assert path.exists() and "is not a recording" in said[0]
    await files.close()


async def test_deleted_in_time(kept: Kept) -> None:
    files = kept.files()
    await files.store.open()
    ages = {"asia": 6.0, "europe": 31.0, "hold": 31.0, "young": 29.0}
    for name, days in ages.items():
        kept.store(f"{name}/x.wav")
        queue = name if name in ("asia", "europe") else None
        files.store.save(
            ROW._replace(
                id=name, queue=queue, started_at=NOW - days * DAY_S, file=f"{name}/x.wav", format="wav",
                legal_hold=int(name == "hold"),
            )
        )  # fmt: skip
    await files.store.close()
    files = kept.files()
    await files.store.open()
    assert await files.retain() == 2
    assert sorted(os.listdir(kept.folder)) == ["hold", "young"]
    row = await files.store.get("asia")
    assert row is not None and row.deleted_at == NOW
    await files.store.close()
    assert await kept.files().retain() == 0
    assert [type(event).__name__ for event in kept.events] == ["RecordingDeleted"] * 2
    assert kept.counters["recordings_deleted"] == 2
