"""From events to batches: numbers the rows, makes their JSON, folds the call records. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import intervals
from .cdr import CdrFold, CdrRow, Note, OpenCall, closing_row
from .rows import JournalRow, RowMaker, encode


@dataclass(slots=True)
class Batch:
    """What goes into one transaction."""

    seq: int  # the checkpoint once it is written: its last row, or where a replay stands
    open_from: int = 1
    rows: list[tuple[int, float, str, str | None, str]] = field(default_factory=list)  # as tables.journal
    cdrs: list[CdrRow] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)  # of `cdrs` and earlier ones
    intervals: list[intervals.Interval] = field(default_factory=list)


class Batcher:
    """Turns events into the rows of a batch. Its fold is ahead of the database by the batch at work."""

    def __init__(self, seq: int, fold: CdrFold) -> None:
        self._seq = seq
        self._fold = fold
        self._rows = RowMaker()

    def begin(self) -> Batch:
        return Batch(self._seq)

    def add(self, batch: Batch, event: Any) -> None:
        """Raises what `RowMaker.read` and `encode` raise; nothing is added then."""
        row = self._rows.read(self._seq + 1, event)
        self._add(batch, row, encode(row.data))

    def finish(self, batch: Batch) -> None:
        """Closes calls whose end was missed; then the batch is complete."""
        at = batch.rows[-1][1] if batch.rows else 0.0
        for call in self._fold.overdue(at):
            self._close(batch, call, call.last_at, "end not recorded")
        batch.seq = self._seq
        batch.open_from = self._fold.open_from(self._seq)

    def close_open_calls(self, call_ids: Iterable[str], at: float, cause: str) -> Batch:
        """A batch that ends these open calls."""
        batch = self.begin()
        for call_id in call_ids:
            call = self._fold.open[call_id]
            self._close(batch, call, max(at, call.last_at), cause)
        self.finish(batch)
        return batch

    def _close(self, batch: Batch, call: OpenCall, at: float, cause: str) -> None:
        row = closing_row(self._seq + 1, call, at, cause)
        self._add(batch, row, encode(row.data))

    def _add(self, batch: Batch, row: JournalRow, data: str) -> None:
        self._seq = row.seq
        batch.rows.append((row.seq, row.at, row.kind, row.call_id, data))
        record = self._fold.take(row)
        if record is not None:
            batch.cdrs.append(record)
        elif (note := self._fold.late_note(row)) is not None:
            batch.notes.append(note)
        elif row.kind in intervals.KINDS and (interval := intervals.read(row)) is not None:
            batch.intervals.append(interval)


def replay(fold: CdrFold, rows: Iterable[JournalRow], after: int) -> tuple[list[CdrRow], list[Note]]:
    """Folds rows read back from the journal; the records that closed after number `after`, and what was noted of
    closed ones."""
    records, notes = list[CdrRow](), list[Note]()
    for row in rows:
        record, note = fold.take(row), fold.late_note(row)
        if row.seq > after:
            records += [record] if record is not None else []
            notes += [note] if note is not None else []
    return records, notes
