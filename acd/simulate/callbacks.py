"""What became of callbacks on a simulated day, out of the engine's events: one line for each that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acd.callback_events import CallbackAsked, CallbackClosed, CallbackDialled, CallbackReached
from acd.callbacks import CHANNEL, Ended
from acd.events import AcdEvent, ItemConnected

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
KINDS = frozenset({CallbackAsked, CallbackDialled, CallbackReached, CallbackClosed})
SOON_S = 1800.0  # who is called so long after he asked, or sooner, has been served in time


@dataclass(slots=True)
class Asked:
    """One callback."""

    which: int  # queue x 2^16 + group
    at: float
    called_s: float = math.inf  # after he asked his phone rang first; infinite: never
    reached: bool = False
    in_time: bool = False  # connected so soon as the queue's service level says, by the engine's clock
    failed: bool = False  # over without a conversation


class CallbackTally:
    """Listens to the engine. `which`: queue and group of a callback, as in the day's columns."""

    __slots__ = ("_asked", "_which")

    def __init__(self, which: Callable[[CallbackAsked], int]) -> None:
        self._which = which
        self._asked: dict[str, Asked] = {}

    def note(self, event: AcdEvent) -> None:
        if isinstance(event, CallbackAsked):
            self._asked[event.callback_id] = Asked(self._which(event), event.at)
        elif isinstance(event, CallbackDialled):
            asked = self._asked[event.callback_id]
            asked.called_s = min(asked.called_s, event.at - asked.at)
        elif isinstance(event, CallbackReached):
            self._asked[event.callback_id].reached = True
        elif isinstance(event, CallbackClosed):
            self._asked[event.callback_id].failed = event.outcome != Ended.DONE
        elif isinstance(event, ItemConnected) and event.channel == CHANNEL:
            self._asked[event.item_id.rpartition("-")[0]].in_time = event.in_time

    def columns(self, midnight: float, window: tuple[float, float]) -> CallbackColumns:
        """Of those asked for in the window (by the engine's clock)."""
        rows = [one for one in self._asked.values() if window[0] <= one.at <= window[1]]
        which = np.array([one.which for one in rows], np.int64)
        return CallbackColumns(
            which >> 16, which & 0xFFFF, np.array([one.at - midnight for one in rows]),
            np.array([one.called_s for one in rows]), np.array([one.reached for one in rows], bool),
            np.array([one.in_time for one in rows], bool), np.array([one.failed for one in rows], bool),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class CallbackColumns:
    """One row for each callback; as `Asked`."""

    queue: NDArray[np.int64]
    group: NDArray[np.int64]
    at: Floats  # asked for; seconds from midnight
    called: Floats
    reached: Flags
    in_time: Flags
    failed: Flags
