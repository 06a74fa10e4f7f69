"""Playlists as files that rtpengine can play: one WAV of G.711 each, made at first use, the least used thrown away."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from media.prompts import Prompt
from media.rtpengine.wav import wav

FILES_MOST = 2000
SILENCE_S = 10
SILENCE = "silence"  # the name of its file
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
        path = self._files.get(SILENCE)
        if path is not None:
            self._files.move_to_end(SILENCE)
            return {"file": str(path)}
        seconds = 1 if self._blobs else SILENCE_S
        return self._keep(SILENCE, wav(_A_LAW_SILENCE * 8000 * seconds, "PCMA"))

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
