"""What the guard did, in the past tense. `at` is seconds since 1970 (UTC)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceBanned:
    """An address is not listened to from now on."""

    at: float
    source: str  # an IPv4 address or an IPv6 /64
    reason: str
    until: float
    offence: int  # 1: the first time


@dataclass(frozen=True, slots=True)
class SourceUnbanned:
    """It is listened to again."""

    at: float
    source: str
    why: str  # expired, lifted, never_ban (a reload), displaced (too many bans)


@dataclass(frozen=True, slots=True)
class OverloadBegan:
    """Requests wait too long; new calls are shed."""

    at: float
    waiting_s: float


@dataclass(frozen=True, slots=True)
class OverloadEnded:
    """Nothing has been shed for a while."""

    at: float
    lasted_s: float


@dataclass(frozen=True, slots=True)
class TollRefused:
    """A call out by a trunk that an account may not make."""

    at: float
    account: str  # an extension, `trunk NAME`, `callbacks`
    number: str  # as the trunk would have dialled it
    toll_class: str  # "": none
    reason: str


@dataclass(frozen=True, slots=True)
class TollLimitReached:
    """An account has no more to spend today: its calls under way that cost something are ended."""

    at: float
    account: str
    calls: int
