"""Prompts as WAV files of G.711: 8 kHz, mono."""

from __future__ import annotations

import struct
from pathlib import Path

FORMATS = {"PCMA": 6, "PCMU": 7}  # WAVE_FORMAT_ALAW, _MULAW
_HEADER_BYTES = 58


def wav(payload: bytes, codec: str) -> bytes:
    form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, FORMATS[codec], 1, 8000, 8000, 1, 8, 0)
    fact = struct.pack("<4sII", b"fact", 4, len(payload))
    data = struct.pack("<4sI", b"data", len(payload)) + payload + b"\0" * (len(payload) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(fact) + len(data), b"WAVE") + form + fact + data


def read_wav(file: Path) -> tuple[str, bytes]:
    """Codec and payload of what `wav` made; nothing if it is not there any more."""
    try:
        data = file.read_bytes()
    except OSError:
        return "PCMA", b""
    codec = next((name for name, number in FORMATS.items() if data[20:22] == number.to_bytes(2, "little")), "PCMA")
    return codec, data[_HEADER_BYTES : _HEADER_BYTES + int.from_bytes(data[54:58], "little")]
