"""The worker's recorder thread: takes half seconds of sound from the native side and writes them to files.

Whatever the disk does, only this thread waits for it. It holds the GIL between native calls; the loop never needs it.
No part of the path below the site's folder may be a symbolic link.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from typing import Any, Final

from media.worker.loop import RecordingThread
from media.worker.recording_file import LARGEST_WAV, PCM, WAV_HEADER_BYTES, Encipherer, wav_header

PERIOD_S: Final = 0.2
CHUNKS_A_SECOND: Final = 2  # what a crash may lose is this, the period, and what waits for late packets: under a second
ROOM_CHUNKS: Final = 4  # the file system is asked for its free space once in so many


class RecordedFile:
    """One file that grows."""

    def __init__(self, order: dict[str, Any]) -> None:
        """Raises OSError: the folder is not there, the name is taken, or it is a link."""
        self.stereo = bool(order["stereo"])
        self.rate_hz = 16000 if order["rate_hz"] == 16000 else 8000
        channels = 2 if self.stereo else 1
        self.samples = self.rate_hz // CHUNKS_A_SECOND
        self.buffer = bytearray(self.samples * channels * 2)
        self._frame_bytes = channels * 2
        self._least_free_bytes = int(order["least_free_bytes"])
        self._key = bytes.fromhex(order["key"])
        self._chunks = 0
        self._data_bytes = 0
        self._encipherer: Encipherer | None = None
        self._descriptor = open_below(order["folder"], order["path"])
        try:
            self._check_room()
            if self._key:
                self._encipherer = Encipherer(self._key, PCM, channels, self.rate_hz, len(self.buffer))
                self.size_bytes = self._write(self._encipherer.header, 0)
            else:
                self.size_bytes = self._write(wav_header(self.rate_hz, channels, 0), 0)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, samples: int, *, last: bool) -> None:
        """What the buffer holds. Raises OSError."""
        plain = memoryview(self.buffer)[: samples * self._frame_bytes]
        self._chunks += 1
        if self._chunks % ROOM_CHUNKS == 0:
            self._check_room()
        if self._encipherer is not None:
            self.size_bytes += self._write(self._encipherer.piece(plain, last=last), self.size_bytes)
            return
        if self._data_bytes + len(plain) > LARGEST_WAV - WAV_HEADER_BYTES:
            raise OSError(errno.EFBIG, "the recording is too long")
        self.size_bytes += self._write(plain, self.size_bytes)
        self._data_bytes += len(plain)
        self._write(wav_header(self.rate_hz, self._frame_bytes // 2, self._data_bytes), 0)

    def close(self) -> None:
        """Raises OSError: some file systems say only now that they are full."""
        os.close(self._descriptor)

    def _write(self, data: bytes | memoryview, at: int) -> int:
        done = 0
        while done < len(data):
            done += os.pwrite(self._descriptor, data[done:], at + done)
        return done

    def _check_room(self) -> None:
        if os.fstat(self._descriptor).st_nlink == 0:
            raise OSError(errno.ENOENT, "the file is gone")
        if self._least_free_bytes:
            room = os.fstatvfs(self._descriptor)
            if room.f_bavail * room.f_frsize < self._least_free_bytes:
                raise OSError(errno.ENOSPC, "the file system has less free than the site wants")


def open_below(folder: str, path: str) -> int:
    """Create a file below a folder, with the folders between, following no link. Raises OSError."""
    *folders, name = path.split("/")
    if not name or any(part in ("", ".", "..") for part in (*folders, name)):
        raise OSError(errno.EINVAL, "not a path below the folder")
    at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o700, dir_fd=at)
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=at)
    finally:
        os.close(at)


class RecorderThread:
    """Between `start` and `finish` it serves whatever the loop records."""

    def __init__(self) -> None:
        self.recordings = RecordingThread()
        self._files: dict[int, RecordedFile | None] = {}  # by slot; None: failed, to be closed
        self._failed_bytes: dict[int, int] = {}  # what they hold all the same
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, limit_s: float = 5.0) -> None:
        """After the loop has ended: write what is left. A disk that hangs is given up after the limit."""
        self._end.set()
        self._thread.join(limit_s)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the loop's own precedence is not for files
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
        while not self._end.is_set():
            started = time.monotonic()
            self._round()
            self._end.wait(max(0.01, PERIOD_S - (time.monotonic() - started)))
        self._round()

    def _round(self) -> None:
        for slot, descriptor, _ in self.recordings.fresh():
            self._open(slot, descriptor)
        for slot in list(self._files):
            self._serve(slot)

    def _open(self, slot: int, descriptor: int) -> None:
        self._files[slot] = None
        try:
            order = json.loads(os.pread(descriptor, 1 << 16, 0))
            file = RecordedFile(order)
        except OSError as error:
            self.recordings.fail(slot, error.errno or errno.EIO)
            return
        except Exception:  # an order that can't be read, no memory, no library: this recording, not the others
            self.recordings.fail(slot, errno.EINVAL)
            return
        self._files[slot] = file
        self.recordings.open(slot, file.rate_hz, file.stereo, bool(order.get("hide_keys")))

    def _serve(self, slot: int) -> None:
        file = self._files[slot]
        stopping = self.recordings.stopping(slot)
        if file is not None:
            try:
                self._write(slot, file, stopping)
                if stopping:
                    file.close()
            except OSError as error:
                self.recordings.fail(slot, error.errno or errno.EIO)
                self._files[slot] = None
                self._failed_bytes[slot] = file.size_bytes
                with contextlib.suppress(OSError):
                    file.close()
        if stopping:
            del self._files[slot]
            held = self._failed_bytes.pop(slot, 0) if file is None else file.size_bytes
            self.recordings.close(slot, held)

    def _write(self, slot: int, file: RecordedFile, stopping: bool) -> None:
        while True:
            samples = self.recordings.take(slot, file.buffer, file.samples, stopping)
            short = samples < file.samples
            if stopping or samples:
                file.write(samples, last=short)
            if short:
                return
