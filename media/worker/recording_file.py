"""What a recording looks like on disk: WAV, or the same sound enciphered. Also the reading side; no I/O but that of the
file it is given.

WAV: RIFF, PCM of 16 bits, the header written anew with each half second so that it is always true. A file ends at 4 GB.

Enciphered (NAME.wav.aes, NAME.opus.aes), all numbers little-endian:

```
 0  8  "PLATREC1"
 8  1  content: 1 PCM s16le (samples interleaved, without a WAV header), 2 Ogg/Opus
 9  1  channels           10  2  reserved, 0
12  4  samples a second   16  4  chunk: bytes of plain text in each piece but the last
20  8  key id: the first bytes of SHA-256("plateau recording key id" + key)
28 16  salt; the file's own key is HKDF-SHA256(key, salt, info="plateau recording", 32 bytes)
44     pieces: AES-256-GCM, each followed by its tag of 16 bytes;
       nonce = piece number (8 bytes) + 0 0 0 + last (0 or 1), additional data = the 44 bytes of the header
```

Only the last piece may be short, and its nonce says that it is the last: a file that was cut off by a crash is read to
where it goes, and told from one that is whole. No nonce is used twice with one key, as each piece is written once.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"PLATREC1"
PCM, OGG_OPUS = 1, 2
TAG_BYTES = 16
KEY_BYTES = 32
WAV_HEADER_BYTES = 44
LARGEST_WAV = 0xFFFF_FFFF

_HEADER = struct.Struct("<8sBBHII8s16s")
_NONCE = struct.Struct("<Q3xB")
_WAV = struct.Struct("<4sI4s4sIHHIIHH4sI")


class RecordingError(Exception):
    """Root of the errors of recorded files; one line."""


class NotARecording(RecordingError):
    """A file that begins otherwise."""


class WrongKey(RecordingError):
    """The file was enciphered with another key than the site's."""


class DamagedRecording(RecordingError):
    """A piece of the file is not what was written."""


class Header(NamedTuple):
    """Of an enciphered file."""

    content: int
    channels: int
    rate_hz: int
    chunk_bytes: int
    key_id: bytes
    salt: bytes

    def pack(self) -> bytes:
        return _HEADER.pack(
            MAGIC, self.content, self.channels, 0, self.rate_hz, self.chunk_bytes, self.key_id, self.salt
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> Header:
        """Raises NotARecording."""
        if len(data) < _HEADER.size or not data.startswith(MAGIC):
            raise NotARecording("not an enciphered recording")
        _, content, channels, _, rate_hz, chunk_bytes, key_id, salt = _HEADER.unpack_from(data)
        if content not in (PCM, OGG_OPUS) or not 0 < chunk_bytes <= 1 << 24 or not is_sound(channels, rate_hz):
            raise NotARecording("not an enciphered recording of this version")
        return cls(content, channels, rate_hz, chunk_bytes, key_id, salt)


HEADER_BYTES = _HEADER.size


def is_sound(channels: int, rate_hz: int) -> bool:
    """What a recording can be."""
    return 1 <= channels <= 2 and 8000 <= rate_hz <= 48_000


def wav_header(rate_hz: int, channels: int, data_bytes: int) -> bytes:
    """44 bytes: PCM of 16 bits."""
    return _WAV.pack(
        b"RIFF", min(data_bytes + 36, LARGEST_WAV), b"WAVE", b"fmt ", 16, 1, channels, rate_hz, rate_hz * channels * 2,
        channels * 2, 16, b"data", min(data_bytes, LARGEST_WAV),
    )  # fmt: skip


def key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"plateau recording key id" + key).digest()[:8]


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    # Here, as a worker that enciphers nothing needn't load the library.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt, b"plateau recording").derive(key))


class Encipherer:
    """Makes an enciphered file, piece by piece."""

    def __init__(self, key: bytes, content: int, channels: int, rate_hz: int, chunk_bytes: int) -> None:
        self.header = Header(content, channels, rate_hz, chunk_bytes, key_id(key), os.urandom(16)).pack()
        self._cipher = _cipher(key, self.header[28:44])
        self._number = 0

    def piece(self, plain: bytes | bytearray | memoryview, *, last: bool) -> bytes:
        """Exactly `chunk_bytes`, fewer only in the last."""
        nonce = _NONCE.pack(self._number, last)
        self._number += 1
        return self._cipher.encrypt(nonce, plain, self.header)


class Decipherer:
    """Reads an enciphered file at any place. `complete` tells whether its end is there."""

    def __init__(self, descriptor: int, key: bytes) -> None:
        """Raises NotARecording, WrongKey, DamagedRecording."""
        self._descriptor = descriptor
        raw = os.pread(descriptor, HEADER_BYTES, 0)
        self.header = Header.unpack(raw)
        self._raw = raw[:HEADER_BYTES]
        if self.header.key_id != key_id(key):
            raise WrongKey("the recording was enciphered with another key than recordings.key")
        self._cipher = _cipher(key, self.header.salt)
        stored = self.header.chunk_bytes + TAG_BYTES
        body = os.fstat(descriptor).st_size - HEADER_BYTES
        whole, rest = divmod(body, stored)
        self._pieces = whole + (rest >= TAG_BYTES)
        self.size = whole * self.header.chunk_bytes + max(0, rest - TAG_BYTES)
        self.complete = False
        if self._pieces:
            self._check_end(rest)

    def _check_end(self, rest: int) -> None:
        try:
            self.piece(self._pieces - 1, last=True)
            self.complete = True
        except DamagedRecording:
            if rest >= TAG_BYTES:  # a short piece that isn't the last was torn while it was written
                self.size -= rest - TAG_BYTES
                self._pieces -= 1

    def piece(self, number: int, *, last: bool | None = None) -> bytes:
        """Plain text of one piece. Raises DamagedRecording."""
        from cryptography.exceptions import InvalidTag

        stored = self.header.chunk_bytes + TAG_BYTES
        data = os.pread(self._descriptor, stored, HEADER_BYTES + number * stored)
        if last is None:
            last = self.complete and number == self._pieces - 1
        try:
            return self._cipher.decrypt(_NONCE.pack(number, last), data, self._raw)
        except InvalidTag:
            raise DamagedRecording(f"the recording is damaged in its piece {number + 1}") from None

    def read(self, start: int, size: int) -> bytes:
        """Up to `size` bytes of plain text from `start`: as much as the pieces they lie in hold."""
        chunk = self.header.chunk_bytes
        size = max(0, min(size, self.size - start))
        out = bytearray()
        while len(out) < size:
            number, offset = divmod(start + len(out), chunk)
            out += self.piece(number)[offset : offset + size - len(out)]
        return bytes(out)
