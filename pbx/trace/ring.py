"""The ring: the last SIP messages and what happened to calls, in order, bounded in bytes and in age.

Adding costs well under a microsecond: a reference to the bytes and the hop is kept, nothing is parsed or copied.
Whoever looks (a terminal, a page, the exporter to Homer) reads by number, at his own pace; the ring never waits and
never tells anybody: who is too slow finds that what he wanted is gone, and how much it was.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

from pbx.sip.hop import Hop

MESSAGE_COST_BYTES: Final = 400  # of an entry besides the message: tuple, time, hop with its address, bytes header
EVENT_COST_BYTES: Final = 500
MAX_CALLS: Final = 200_000  # calls whose Call-IDs are known, live ones included
MAX_LEGS: Final = 64  # Call-IDs of one call


_Kind = tuple[Callable[[Any], str | None], bool]  # of events: whose call they are of, whether they begin a leg


def _nothing(_event: object) -> None:
    return None


class Entry(NamedTuple):
    """A message, or something that happened to a call."""

    sequence: int
    at: float  # seconds since 1970
    direction: str  # "<-" received, "->" sent; "" for an event
    what: Any  # bytes of a message, or the event
    hop: Hop | None  # None for an event


class Ring:
    """`message` is the driver's hook, `event` takes every domain event. `trim` is to be called every few seconds."""

    def __init__(self, max_bytes: int, max_age_s: float, now: Callable[[], float], counters: Counter[str]) -> None:
        self.max_bytes = max_bytes
        self.max_age_s = max_age_s
        self.next = 0  # sequence of the entry to come
        self.bytes = 0
        self._now = now
        self._counters = counters
        self._entries: deque[tuple[float, str, Any, Hop | None]] = deque()
        self._kinds: dict[type, _Kind] = {}
        self._legs: dict[str, list[bytes]] = {}  # call -> its SIP Call-IDs, the caller's first
        self._call_of: dict[bytes, str] = {}  # SIP Call-ID -> call

    def __len__(self) -> int:
        return len(self._entries)

    # --- writing ----------------------------------------------------------------------------------------------------

    def message(self, direction: str, data: bytes, hop: Hop) -> None:
        """Every SIP message, as it came or goes. On the hot path."""
        self._entries.append((self._now(), direction, data, hop))
        self.next += 1
        self.bytes += len(data) + MESSAGE_COST_BYTES
        if self.bytes > self.max_bytes:
            self._make_room()

    def event(self, event: Any) -> None:
        """Every domain event; those of no call are not kept."""
        call_id_of, begins_leg = self._kinds.get(type(event)) or self._kind(type(event))
        call_id = call_id_of(event)
        if not call_id:
            return
        if begins_leg and event.sip_call_id:
            self._learn(call_id, event.sip_call_id.encode("utf-8", "surrogateescape"))
        self._entries.append((event.at, "", event, None))
        self.next += 1
        self.bytes += EVENT_COST_BYTES
        if self.bytes > self.max_bytes:
            self._make_room()

    def _kind(self, kind: type) -> _Kind:
        """Found once: to ask an event for what it has not costs more than all the rest."""
        names = {field.name for field in fields(kind)}
        id_name = next((name for name in ("call_id", "item_id") if name in names), None)
        found = _nothing if id_name is None else attrgetter(id_name), "sip_call_id" in names
        self._kinds[kind] = found
        return found

    def _learn(self, call_id: str, sip_call_id: bytes) -> None:
        legs = self._legs.get(call_id)
        if legs is None:
            if len(self._legs) >= MAX_CALLS:
                self._counters["trace_calls_unknown"] += 1
                return
            legs = self._legs[call_id] = []
        if len(legs) < MAX_LEGS:
            legs.append(sip_call_id)
            self._call_of[sip_call_id] = call_id

    def _make_room(self) -> None:
        while self.bytes > self.max_bytes and self._entries:
            self._drop_oldest()

    def trim(self) -> None:
        """Forget what is too old."""
        horizon = self._now() - self.max_age_s
        while self._entries and self._entries[0][0] < horizon:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, direction, what, _ = self._entries.popleft()
        if direction:
            self.bytes -= len(what) + MESSAGE_COST_BYTES
            return
        self.bytes -= EVENT_COST_BYTES
        if type(what).__name__ == "CallEnded":  # the last that is said of a call: nothing of it will be asked for
            for sip_call_id in self._legs.pop(what.call_id, ()):
                if self._call_of.get(sip_call_id) == what.call_id:
                    del self._call_of[sip_call_id]

    def resize(self, max_bytes: int, max_age_s: float) -> None:
        """Other bounds, from a reload of the site."""
        self.max_bytes, self.max_age_s = max_bytes, max_age_s
        self._make_room()
        self.trim()

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def oldest(self) -> int:
        """The sequence of the oldest entry still held (the next one, if none is)."""
        return self.next - len(self._entries)

    def read(self, since: int, limit: int) -> list[Entry]:
        """At most `limit` entries from sequence `since` on, or from the oldest held if that is later."""
        entries, oldest = self._entries, self.oldest
        first = max(since, oldest)
        return [Entry(n, *entries[n - oldest]) for n in range(first, min(first + limit, self.next))]

    def __iter__(self) -> Iterator[Entry]:
        """All that is held. The ring may not change meanwhile."""
        for sequence, entry in enumerate(self._entries, self.oldest):
            yield Entry(sequence, *entry)

    def call_of(self, sip_call_id: bytes) -> str | None:
        """The call that a SIP Call-ID belongs to."""
        return self._call_of.get(sip_call_id)

    def legs(self, call_id: str) -> list[bytes]:
        """The SIP Call-IDs of a call, the caller's first; none if the call isn't known (any more)."""
        return list(self._legs.get(call_id, ()))
