"""Playlists as files that rtpengine can play: one WAV of G.711 each, made at first use, the least used thrown away."""

from __future__ import annotations

import hashlib
import os
import struct
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from media.prompts import Prompt

FILES_MOST = 2000
SILENCE_S = 10
_FORMATS = {"PCMA": 6, "PCMU": 7}  # WAVE_FORMAT_ALAW, _MULAW
_A_LAW_SILENCE = b"\xd5"


class Sounds:
    """`folder` must be readable for the daemons, under the same name. Without files (`blobs`), sounds travel inside the
    request, and are bounded by what fits a datagram."""

    def __init__(self, folder: Path, blobs: bool = False) -> None:
        self._folder, self._blobs = folder, blobs
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._silence = b""

    def source(self, prompts: Sequence[Prompt], codec: str) -> tuple[dict[str, str | bytes], int]:
        """As `play media` takes it, and how long it lasts in milliseconds. `codec`: PCMA or PCMU, of the prompts.
        Raises OSError."""
        name = hashlib.sha256("".join(prompt.key for prompt in prompts).encode()).hexdigest()[:32]
        duration_ms = sum(prompt.duration_ms for prompt in prompts)
        path = self._files.get(name)
        if path is not None:
            self._files.move_to_end(name)
            return {"file": str(path)}, duration_ms
        payload = b"".join(frame for prompt in prompts for frame in prompt.frames(codec))
        return self._keep(name, wav(payload, codec)), duration_ms

    def silence(self) -> dict[str, str | bytes]:
        path = self._files.get("silence")
        if path is not None:
            self._files.move_to_end("silence")
            return {"file": str(path)}
        seconds = 1 if self._blobs else SILENCE_S
        return self._keep("silence", wav(_A_LAW_SILENCE * 8000 * seconds, "PCMA"))

    def _keep(self, name: str, file: bytes) -> dict[str, str | bytes]:
        if self._blobs:
            return {"blob": file}
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.wav"
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_bytes(file)
        scratch.chmod(0o644)
        scratch.rename(path)
        self._files[name] = path
        if len(self._files) > FILES_MOST:
            self._files.popitem(last=False)[1].unlink(missing_ok=True)
        return {"file": str(path)}


def wav(payload: bytes, codec: str) -> bytes:
    """8 kHz, mono."""
    form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, _FORMATS[codec], 1, 8000, 8000, 1, 8, 0)
    fact = struct.pack("<4sII", b"fact", 4, len(payload))
    data = struct.pack("<4sI", b"data", len(payload)) + payload + b"\0" * (len(payload) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(fact) + len(data), b"WAVE") + form + fact + data
