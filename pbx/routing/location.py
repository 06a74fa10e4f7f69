"""The location service: which contacts an AOR has now (RFC 3261 10, 6 "Location Service").

`pbx.sip.registrar` writes it, calls read it. One deadline, the earliest, is given to the owner's timer:

    heap of (when, AOR), one live entry an AOR; an entry may be too early (the AOR was refreshed since), never too late
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from pbx.sip.binding import Binding, Change

#: A hard bound on contacts of one AOR, whatever the registrar's policy is.
MAX_CONTACTS = 50


#: The flows of one device (RFC 5626), one to be tried after the other: the newest of the highest q first. Mostly one.
Device = tuple[Binding, ...]


class Location:
    """Bindings by AOR. `on_change(aor, registered)` is called when an AOR gets its first contact or loses its last,
    `on_write(aor)` after every change, refreshes included."""

    def __init__(
        self,
        on_change: Callable[[str, bool], None] = lambda aor, registered: None,
        on_write: Callable[[str], None] = lambda aor: None,
    ) -> None:
        self.on_change = on_change
        self.on_write = on_write
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}  # AOR -> the time of its live entry in the heap
        self._aors_by_source: dict[tuple[str, int], set[str]] = {}

    def __len__(self) -> int:
        """How many AORs are registered."""
        return len(self._bindings)

    def __iter__(self) -> Iterator[tuple[str, tuple[Binding, ...]]]:
        """(AOR, bindings) of all, expired ones included until `expire` has run."""
        return iter(list(self._bindings.items()))

    def contacts(self, aor: str, now: float) -> list[Binding]:
        """The live bindings of an AOR: highest q first, of equal ones the oldest first."""
        return [one for one in self._bindings.get(aor, ()) if one.expires_at > now]

    def devices(self, aor: str, now: float, instance: str | None = None) -> list[Device]:
        """The devices of an AOR, each to be rung once: highest q first, of equal ones the oldest first. With an
        `instance` (the `gr` of a GRUU, RFC 5627) only that device."""
        found: dict[object, list[Binding]] = {}
        for one in self.contacts(aor, now):
            if instance is not None and one.instance != f"<{instance}>":
                continue
            found.setdefault(one.instance if one.reg_id else one, []).append(one)
        return [tuple(sorted(flows[::-1], key=_by_preference)) for flows in found.values()]

    def bindings(self, aor: str) -> tuple[Binding, ...]:
        """All bindings of an AOR, expired ones included until `expire` has run."""
        return self._bindings.get(aor, ())

    def is_registered(self, aor: str, now: float) -> bool:
        return any(one.expires_at > now for one in self._bindings.get(aor, ()))

    def replace(self, aor: str, bindings: Sequence[Binding], now: float) -> None:
        """The AOR has these bindings from now on (none: it is not registered). Keeps at most the last MAX_CONTACTS."""
        before = self._bindings.get(aor, ())
        after = tuple(bindings)
        if len(after) > 1:
            after = tuple(sorted(after[-MAX_CONTACTS:], key=_by_preference))
        if [one.source for one in before] != [one.source for one in after]:
            self._index(aor, before, after)
        if not after:
            if before:
                del self._bindings[aor]
                del self._due[aor]
                self.on_write(aor)
                self.on_change(aor, False)
            return
        self._bindings[aor] = after
        self._schedule(aor, min([one.expires_at for one in after]))
        self.on_write(aor)
        if not before:
            self.on_change(aor, True)

    def remove(self, aor: str, now: float) -> list[Change]:
        """Drop all bindings of an AOR, as when its extension was deleted."""
        gone = [Change("removed", aor, one) for one in self._bindings.get(aor, ())]
        self.replace(aor, (), now)
        return gone

    def drop_source(self, source: tuple[str, str, int], now: float) -> list[Change]:
        """A connection (transport, host, port) closed: contacts that are reached only through it are gone."""
        changes: list[Change] = []
        for aor in sorted(self._aors_by_source.get(source[1:], ())):
            old = self._bindings[aor]
            kept = [one for one in old if one.hop[:3] != source]
            changes += [Change("removed", aor, one) for one in old if one.hop[:3] == source]
            if len(kept) < len(old):
                self.replace(aor, kept, now)
        return changes

    def aor_of_source(self, host: str, port: int, transport: str = "") -> str | None:
        """Who registered from this address: None if nobody or several did. With a `transport`, by that one: who came by
        a connection is not known by a datagram, whose address may be forged."""
        aors = self._aors_by_source.get((host, port))
        if aors is None or len(aors) != 1:
            return None
        aor = next(iter(aors))
        if transport and (transport, host, port) not in [one.source[:3] for one in self._bindings[aor]]:
            return None
        return aor

    def is_source(self, host: str, port: int) -> bool:
        """Whether somebody is registered from this address."""
        return (host, port) in self._aors_by_source

    def next_deadline(self) -> float | None:
        """When `expire` is to be called next; it may then find nothing to do."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def expire(self, now: float) -> list[Change]:
        """Remove what has expired."""
        changes: list[Change] = []
        while self._heap and self._heap[0][0] <= now:
            when, aor = heapq.heappop(self._heap)
            if self._due.get(aor) != when:
                continue  # an entry of the past
            old = self._bindings[aor]
            kept = [one for one in old if one.expires_at > now]
            self._due[aor] = float("inf")  # its entry has left the heap
            changes += [Change("expired", aor, one) for one in old if one.expires_at <= now]
            if len(kept) == len(old):
                self._schedule(aor, min([one.expires_at for one in kept]))
            else:
                self.replace(aor, kept, now)
        return changes

    def _schedule(self, aor: str, when: float) -> None:
        # A later deadline needs no entry of its own: the earlier one will find out. So refreshes don't fill the heap.
        due = self._due.get(aor)
        if due is None or when < due:
            self._due[aor] = when
            heapq.heappush(self._heap, (when, aor))

    def _index(self, aor: str, before: Sequence[Binding], after: Sequence[Binding]) -> None:
        old = {one.source[1:3] for one in before}
        new = {one.source[1:3] for one in after}
        for source in old - new:
            aors = self._aors_by_source[source]
            aors.discard(aor)
            if not aors:
                del self._aors_by_source[source]
        for source in new - old:
            self._aors_by_source.setdefault(source, set()).add(aor)


def _by_preference(binding: Binding) -> float:
    return -binding.q
