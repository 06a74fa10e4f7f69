"""What happened between calls and web sessions, in the past tense. `at` is seconds since 1970 (UTC)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebSessionMatched:
    """A call was joined to a visit on the web site (or to a better one than before)."""

    at: float
    call_id: str
    session_id: str
    method: str  # token, code, caller_id
    confidence: float  # 0 to 1
