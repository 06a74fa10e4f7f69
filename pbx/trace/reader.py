"""Those who read the ring: from the oldest entry on, in small steps, each at his own pace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pbx.trace.captured import Captured, Ours, call_id_of
from pbx.trace.filters import Filter
from pbx.trace.ladder import Ladder, LadderMaker
from pbx.trace.ring import Ring

STEP: Final = 64  # entries looked at in one go: well under a millisecond, then calls have their turn


class Reader:
    """Gives the messages that its filter lets through. `behind` says whether there is more to read at once."""

    def __init__(self, ring: Ring, ours: Ours, wanted: Filter | None = None, *, first: int = 0) -> None:
        """`first`: the sequence to begin with."""
        self._ring = ring
        self._ours = ours
        self._wanted = wanted
        self.next = max(first, ring.oldest)
        self.missed = 0  # entries that were gone before they could be read

    @property
    def behind(self) -> bool:
        return self.next < self._ring.next

    def step(self) -> Iterator[Captured]:
        """The messages among the next few entries. To be gone through before anything else happens."""
        entries = self._ring.read(self.next, STEP)
        if not entries:
            return
        self.missed += entries[0].sequence - self.next
        self.next = entries[-1].sequence + 1
        for entry in entries:
            if entry.hop is not None:
                message = Captured.of(entry, self._ring, self._ours(entry.hop))
                if self._wanted is None or self._wanted.matches(message):
                    yield message


class LadderReader:
    """Looks for one call in all that the ring holds; `ladder` is what it found."""

    def __init__(self, ring: Ring, ours: Ours, call_id: str) -> None:
        self._ring = ring
        self._ours = ours
        self._call_id = call_id
        self._legs = frozenset(ring.legs(call_id))
        self._maker = LadderMaker(call_id)
        self._next = 0
        self._end = ring.next

    def step(self) -> bool:
        """Look at the next few entries; False when there are none left."""
        entries = self._ring.read(self._next, STEP)
        for entry in entries:
            if entry.hop is None:
                if self._call_id in (getattr(entry.what, "call_id", None), getattr(entry.what, "item_id", None)):
                    self._maker.event(entry.what)
            elif call_id_of(entry.what) in self._legs:
                self._maker.message(Captured.of(entry, self._ring, self._ours(entry.hop)))
        self._next = entries[-1].sequence + 1 if entries else self._end
        return self._next < self._end

    def ladder(self) -> Ladder:
        return self._maker.ladder()
