"""The child's side of the pipe: JSON lines in on stdin, JSON lines out on the descriptor that was handed over.

In:  {"id": 7, "do": "call", ...}            a command
Out: {"id": 7, "ok": {...}}                  it was done
     {"id": 7, "error": "..."}               it could not be done
     {"event": "ringing", "at": 1.0, ...}    something happened
"""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

TRACE = bool(os.environ.get("SOFTPHONE_TRACE"))  # every SIP message and log line of the stack on stderr


class Channel:
    """Writes answers and events; safe from any thread, each line whole."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def _write(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BrokenPipeError:  # the parent is gone; stdin says so too and ends us
                pass

    def answer(self, command: int, result: dict[str, Any] | None = None) -> None:
        self._write({"id": command, "ok": result or {}})

    def refuse(self, command: int, error: str) -> None:
        self._write({"id": command, "error": error})

    def event(self, name: str, **facts: Any) -> None:
        self._write({"event": name, "at": time.time(), **facts})


class Lines:
    """Cuts what was read from stdin into commands."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]
