"""What `plateau recording` does: read rows and files of a site, beside a running server or without one."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from config.schema import Site
from media.recorded import OPUS, RecordedFile
from pbx.store.recordings import RecordingRow, RecordingStore

STEP_BYTES = 1 << 20


class NoSuchRecording(Exception):
    """No row has this id, or its file was deleted: one line."""


async def row_of(site: Site, recording_id: str) -> RecordingRow:
    """Raises NoSuchRecording, StoreError."""
    row = await RecordingStore(site.records.url).get(recording_id)
    if row is None:
        raise NoSuchRecording(f"no recording {recording_id}")
    if row.deleted_at is not None:
        raise NoSuchRecording(f"recording {recording_id} was deleted")
    return row


def opened(site: Site, row: RecordingRow) -> RecordedFile:
    """Raises RecordingError: no such file, another key."""
    key = site.recordings.key
    path = Path(site.recordings.folder or ".") / row.file
    return RecordedFile(str(path), b"" if key is None else bytes.fromhex(key.get_secret_value()))


def file_name(recording_id: str, recorded: RecordedFile) -> str:
    return f"{recording_id}{'.opus' if recorded.media_type == OPUS else '.wav'}"


def export(recorded: RecordedFile, to: BinaryIO) -> int:
    """The deciphered file; its bytes. Raises RecordingError, OSError."""
    at = 0
    while data := recorded.read(at, STEP_BYTES):
        to.write(data)
        at += len(data)
    return at
