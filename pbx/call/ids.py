"""Identifiers nobody can guess: tags, branches, Call-IDs (RFC 3261 19.3: at least 32 bits of randomness)."""

from __future__ import annotations

import os

_BATCH_BYTES = 4096


class Ids:
    """Random tokens, cut from one large read of the system's randomness at a time."""

    def __init__(self) -> None:
        self._pool = ""
        self._at = 0

    def token(self) -> str:
        """16 hexadecimal digits, 64 random bits."""
        if self._at >= len(self._pool):
            self._pool = os.urandom(_BATCH_BYTES).hex()
            self._at = 0
        at = self._at
        self._at = at + 16
        return self._pool[at : at + 16]

    def branch(self) -> str:
        return "z9hG4bK" + self.token()

    def call_id(self, now: float) -> str:
        """19 hexadecimal digits: the milliseconds since 1970, then 32 random bits. They grow with time, so that the
        journal's index by call is appended to."""
        return f"{int(now * 1000):011x}{self.token()[:8]}"

    def number(self) -> int:
        """32 random bits, for a session id."""
        return int(self.token()[:8], 16)
