"""Packets for `rtp_load`: what phones of other codecs send, and the same sound as SRTP.

Every party of a run sends the same packets: ports share nothing, so nobody can tell, and they are made once.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.srtp import Srtp
from media.security import SUITES, SrtpKeys
from media.worker.loop import SoundEncoder, load_opus

LISTENS, G711 = -1, 0  # the streams of rtp_load that need no file
_FRAME_SAMPLES = 320  # 20 ms at 16 kHz
_SUITE = "AEAD_AES_128_GCM"
_OPUS = ("libopus.so.0", "libopus.so")


@dataclass(frozen=True, slots=True)
class Voice:
    """What a phone negotiates, and the worker's number of its codec."""

    number: int
    remote: dict[str, Any]
    units: int  # of its timestamps, in 20 ms


VOICES = {
    "PCMU": Voice(0, {"codec": "PCMU", "payload_type": 0}, 160),
    "PCMA": Voice(8, {"codec": "PCMA", "payload_type": 8}, 160),
    "G722": Voice(9, {"codec": "G722", "payload_type": 9}, 160),
    "OPUS": Voice(111, {"codec": "OPUS", "payload_type": 111, "clock_hz": 48000, "dtmf_clock_hz": 48000}, 960),
}


def speech(seconds: float) -> np.ndarray[Any, Any]:
    """Vowels of a voice at 120 Hz, four syllables a second, a breath now and then; 16 kHz. The same each time."""
    at = np.arange(round(seconds * 16000)) / 16000
    harmonics = sum(np.sin(2 * np.pi * 120 * n * at + n * n) / n for n in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 4 * at), 0, 1) * (np.sin(2 * np.pi * 0.4 * at) > -0.6)
    breath = np.random.default_rng(1).normal(0, 60, len(at))
    sound = 4000 * harmonics * syllables + breath
    return np.clip(sound, -32000, 32000).astype(np.int16)


def rtp(name: str, seconds: float) -> list[bytes]:
    """A packet each 20 ms (RFC 3550 5.1)."""
    voice, sound = VOICES[name], speech(seconds)
    load_opus(_OPUS)
    encoder, packets = SoundEncoder(voice.number), []
    for n in range(len(sound) // _FRAME_SAMPLES):
        payload = encoder.encode(sound[n * _FRAME_SAMPLES : (n + 1) * _FRAME_SAMPLES].tobytes())
        head = struct.pack(">BBHII", 0x80, voice.remote["payload_type"], n & 0xFFFF, n * voice.units, 0x5EEC)
        packets.append(head + payload)
    return packets


class Streams:
    """The files of a run, `seconds` long, and the keys of its SRTP."""

    def __init__(self, folder: Path, seconds: float) -> None:
        key_bytes, salt_bytes = SUITES[_SUITE]
        self.keys = SrtpKeys(_SUITE, *(secrets.token_bytes(key_bytes + salt_bytes) for _ in range(2)))
        self._folder, self._seconds = folder, seconds
        self._names: list[str] = []

    def number(self, name: str) -> int:
        """The stream of a codec of VOICES, or of SRTP (PCMU); made when it is first asked for."""
        if name not in self._names:
            if name == "SRTP":
                session = Srtp(_SUITE, self.keys.receive)
                packets = [session.protect(packet) for packet in rtp("PCMU", self._seconds)]
            else:
                packets = rtp(name, self._seconds)
            self._names.append(name)
            self.files[-1].write_bytes(b"".join(struct.pack(">H", len(one)) + one for one in packets))
        return self._names.index(name) + 1

    @property
    def files(self) -> list[Path]:
        return [self._folder / f"{name}.packets" for name in self._names]
