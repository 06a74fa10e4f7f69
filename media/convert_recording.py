"""`python -m media.convert_recording`: one WAV recording to Ogg/Opus, enciphered if it was. A process of its own, with
what the machine has left (nice 19); the order is JSON on stdin, so that the key is in no list of processes.

The new file appears whole or not at all; the caller deletes the old one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator

import av
import numpy as np

from media.recorded import WAV, RecordedFile
from media.worker.recording_file import OGG_OPUS, WAV_HEADER_BYTES, Encipherer, RecordingError

BITRATE = 16_000  # for each channel
STEP_BYTES = 1 << 20
CHUNK_BYTES = 1 << 16
NICE = 19


class _Out(io.RawIOBase):
    """Where the muxer writes: a file, enciphered in pieces if there is a key. It never goes back."""

    def __init__(self, descriptor: int, key: bytes, channels: int) -> None:
        self._descriptor = descriptor
        self._pending = bytearray()
        self._cipher = Encipherer(key, OGG_OPUS, channels, 48_000, CHUNK_BYTES) if key else None
        if self._cipher is not None:
            self._store(self._cipher.header)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raw = bytes(data)  # type: ignore[call-overload]
        if self._cipher is None:
            self._store(raw)
            return len(raw)
        self._pending += raw
        while len(self._pending) > CHUNK_BYTES:  # the last piece is kept for `finish`
            self._store(self._cipher.piece(self._pending[:CHUNK_BYTES], last=False))
            del self._pending[:CHUNK_BYTES]
        return len(raw)

    def finish(self) -> None:
        if self._cipher is not None:
            if len(self._pending) == CHUNK_BYTES:
                self._store(self._cipher.piece(self._pending, last=False))
                self._pending.clear()
            self._store(self._cipher.piece(self._pending, last=True))
        os.fsync(self._descriptor)

    def _store(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


def convert(source: str, target: str, key: bytes = b"") -> int:
    """Returns the new file's size in bytes. Raises RecordingError, OSError, av.FFmpegError."""
    part = f"{target}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    with RecordedFile(source, key) as recorded:
        if recorded.media_type != WAV:
            raise RecordingError(f"{source} is not a WAV recording")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(part, flags, 0o600)
        try:
            out = _Out(descriptor, key, recorded.channels)
            _encode(recorded, out)
            out.finish()
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
    os.replace(part, target)
    return size


def _encode(recorded: RecordedFile, out: _Out) -> None:
    layout = "stereo" if recorded.channels == 2 else "mono"
    with av.open(out, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout=layout)
        stream.bit_rate = BITRATE * recorded.channels
        resampler = av.AudioResampler(format="s16", layout=layout, rate=48_000)
        for frame in _frames(recorded, layout):
            for ready in resampler.resample(frame):
                container.mux(stream.encode(ready))
        for ready in resampler.resample(None):
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))


def _frames(recorded: RecordedFile, layout: str) -> Iterator[av.AudioFrame]:
    at = WAV_HEADER_BYTES
    frame_bytes = 2 * recorded.channels
    done = 0
    while data := recorded.read(at, STEP_BYTES):
        at += len(data)
        samples = np.frombuffer(data[: len(data) // frame_bytes * frame_bytes], "<i2").reshape(1, -1)
        if samples.size == 0:
            return
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = recorded.rate_hz
        frame.pts = done
        done += samples.size // recorded.channels
        yield frame


def main() -> None:
    os.nice(NICE)
    order = json.load(sys.stdin)
    try:
        size = convert(order["source"], order["target"], bytes.fromhex(order["key"]))
    except (RecordingError, OSError, av.FFmpegError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{size}\n")


if __name__ == "__main__":
    main()
