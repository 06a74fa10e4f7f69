"""What happened in the flows, in the past tense. Journalled, counted and shown; nobody acts on them but the reader.

`at` is seconds since 1970 (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class IvrStateEntered:
    """A caller came to a state of a flow."""

    at: float
    call_id: str
    flow: str
    state: str


@dataclass(frozen=True, slots=True)
class IvrDigits:
    """Keys were used: a menu's key, right or wrong; what a gather collected, enough or not (`#` if that alone)."""

    at: float
    call_id: str
    flow: str
    state: str
    digits: str
    matched: bool = True  # False: a key that the menu has not; too few


@dataclass(frozen=True, slots=True)
class IvrNoInput:
    """A menu or a gather waited for keys in vain: its time was up."""

    at: float
    call_id: str
    flow: str
    state: str


@dataclass(frozen=True, slots=True)
class IvrEnded:
    """The flow is over for this call."""

    at: float
    call_id: str
    flow: str
    outcome: str  # where to ("queue asia", "extension 101", "ivr other") or why not ("hang up", "caller hung up" ...)
    hung_up_by: str = ""  # "caller" (or the call was lost, drained), "flow"; "" if the call goes on


@dataclass(frozen=True, slots=True)
class IvrInterval:
    """The figures of a state in a quarter of an hour that is over."""

    topic: ClassVar[str] = "statistics"
    at: float
    flow: str
    state: str
    start: int  # seconds since 1970, a multiple of 900
    figures: list[int]  # the columns of `cti.ivr_statistics.COLUMNS`
