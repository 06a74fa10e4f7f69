"""Failed inputs, written down; the run goes on."""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.budget import TooSlow, checked


class Findings:
    """Runs the target and writes the first input of each kind of failure: one for each place where it was raised.
    `is_slow` has the last word on an input that took too long."""

    def __init__(
        self,
        folder: Path,
        target: Callable[[bytes], None],
        limit_s: float,
        is_slow: Callable[[bytes], bool] = lambda data: True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.target = target
        self.limit_s = limit_s
        self.is_slow = is_slow
        self.known: set[str] = set()

    def __call__(self, data: bytes) -> None:
        try:
            checked(self.target, data, self.limit_s)
        except TooSlow as error:
            if self.is_slow(data):
                self._write(data, error)
        except Exception as error:
            self._write(data, error)

    def _write(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__} " + " ".join(f"{frame.name}:{frame.lineno}" for frame in frames[-3:])
        if place in self.known:
            return
        self.known.add(place)
        name = hashlib.sha256(place.encode()).hexdigest()[:12]
        (self.folder / name).write_bytes(data)
        (self.folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)))
        sys.stderr.write(f"FOUND {place}: {error!r:.200} -> {self.folder / name}\n")
