"""Recordings as others get them: deciphered, as WAV or Ogg/Opus, any part of it."""

from __future__ import annotations

import os
from types import TracebackType

from media.worker.recording_file import (
    MAGIC,
    OGG_OPUS,
    WAV_HEADER_BYTES,
    Decipherer,
    NotARecording,
    RecordingError,
    WrongKey,
    is_sound,
    wav_header,
)

WAV, OPUS = "audio/wav", "audio/ogg"


class RecordedFile:
    """An open recording. `size` and `read` are of what it is deciphered; `pcm` of the sound in a WAV file.

    Raises RecordingError with one line: no such file, not a recording, enciphered and no key, another key.
    """

    def __init__(self, path: str, key: bytes = b"") -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise RecordingError(f"{path}: {os.strerror(error.errno or 0)}") from None
        try:
            self._head = b""
            self._cipher: Decipherer | None = None
            self._read_head(path, key)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _read_head(self, path: str, key: bytes) -> None:
        start = os.pread(self._descriptor, WAV_HEADER_BYTES, 0)
        self.complete = True
        if start.startswith(MAGIC):
            if not key:
                raise WrongKey(f"{path} is enciphered, and the site has no recordings.key")
            self._cipher = cipher = Decipherer(self._descriptor, key)
            self.complete = cipher.complete
            self.channels, self.rate_hz = cipher.header.channels, cipher.header.rate_hz
            self.media_type = OPUS if cipher.header.content == OGG_OPUS else WAV
            if self.media_type == WAV:
                self._head = wav_header(self.rate_hz, self.channels, cipher.size)
            self.size = len(self._head) + cipher.size
            return
        self.size = os.fstat(self._descriptor).st_size
        if start[:4] == b"RIFF" and start[8:16] == b"WAVEfmt " and len(start) == WAV_HEADER_BYTES:
            self.channels = int.from_bytes(start[22:24], "little")
            self.rate_hz = int.from_bytes(start[24:28], "little")
            if not is_sound(self.channels, self.rate_hz):
                raise NotARecording(f"{path} has a damaged header")
            # A crash may have cut between sound and header: what is there counts.
            self._head = wav_header(self.rate_hz, self.channels, self.size - WAV_HEADER_BYTES)
            self.media_type = WAV
        elif start[:4] == b"OggS":
            self.channels, self.rate_hz, self.media_type = 0, 48_000, OPUS
        else:
            raise NotARecording(f"{path} is not a recording")

    def __enter__(self) -> RecordedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start`; fewer only at the end. Raises DamagedRecording, OSError."""
        head = self._head[start : start + size]
        start, size = start + len(head), size - len(head)
        if self._cipher is not None:
            return head + self._cipher.read(start - len(self._head), size)
        return head + os.pread(self._descriptor, size, start)

    @property
    def duration_s(self) -> float:
        """Of a WAV file."""
        return (self.size - WAV_HEADER_BYTES) / (self.rate_hz * self.channels * 2)
