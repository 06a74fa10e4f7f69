"""Which registered phones answer: when each is asked with OPTIONS, and what follows from its answers.

Phones are asked in a ring, one after the other at an even pace, so that 20,000 of them cost the same every second. A
phone is unreachable when every contact of it kept silent FAILURES times in a row; one answer brings it back.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

FAILURES: Final = 2
HURRY_S: Final = 10.0  # a phone that kept silent is asked again that soon, if its turn does not come before


@dataclass(slots=True)
class Contact:
    """What is known of one contact."""

    failures: int = 0  # in a row
    round_trip_s: float | None = None  # of its last answer
    answered_at: float | None = None


@dataclass(slots=True)
class _Phone:
    period_s: float
    reachable: bool = True
    hurried: bool = False
    contacts: dict[str, Contact] = field(default_factory=dict)


@dataclass(slots=True)
class _Ring:
    """Phones with the same period; who is asked goes to the end."""

    phones: OrderedDict[str, None]
    turned_at: float
    turns: float = 0.0  # of phones, owed since then


class Reachability:
    """`on_change(phone, reachable)`: a phone that was asked fell silent, or answers again. Bounded by the site's
    registrations, of which each is told here."""

    def __init__(self, on_change: Callable[[str, bool], None] = lambda phone, reachable: None) -> None:
        self.on_change = on_change
        self._phones: dict[str, _Phone] = {}
        self._rings: dict[float, _Ring] = {}  # by period
        self._hurried: deque[tuple[float, str]] = deque()

    def __len__(self) -> int:
        return len(self._phones)

    def watch(self, phone: str, period_s: float, now: float) -> None:
        """Ask a phone every so often from now on; 0: not any more. What is known of it is kept."""
        known = self._phones.get(phone)
        if known is not None and known.period_s != period_s:
            self._rings[known.period_s].phones.pop(phone, None)
            known.period_s = period_s
        if not period_s:
            self.forget(phone)
            return
        if known is None:
            self._phones[phone] = _Phone(period_s)
        ring = self._rings.get(period_s)
        if ring is None:
            ring = self._rings[period_s] = _Ring(OrderedDict(), now)
        ring.phones.setdefault(phone)

    def forget(self, phone: str) -> None:
        """It is registered no more."""
        known = self._phones.pop(phone, None)
        if known is not None and (ring := self._rings.get(known.period_s)) is not None:
            ring.phones.pop(phone, None)
            if not ring.phones:
                del self._rings[known.period_s]

    def due(self, now: float) -> list[str]:
        """Whom to ask now."""
        due: list[str] = []
        for period_s, ring in self._rings.items():
            count = len(ring.phones)
            ring.turns = min(ring.turns + count * (now - ring.turned_at) / period_s, count)
            ring.turned_at = now
            whole = int(ring.turns + 1e-6)  # sums of fractions fall short by a little
            ring.turns -= whole
            for _ in range(whole):
                phone, _none = ring.phones.popitem(last=False)
                ring.phones[phone] = None
                due.append(phone)
        while self._hurried and self._hurried[0][0] <= now:
            _, phone = self._hurried.popleft()
            known = self._phones.get(phone)
            if known is not None and known.hurried:
                known.hurried = False
                due.append(phone)
        return due

    def keep(self, phone: str, contacts: Collection[str]) -> None:
        """The contacts that a phone has now; others are forgotten."""
        known = self._phones.get(phone)
        if known is not None and not known.contacts.keys() <= set(contacts):
            known.contacts = {uri: one for uri, one in known.contacts.items() if uri in contacts}

    def heard(self, phone: str, contact: str, round_trip_s: float | None, now: float) -> None:
        """A contact answered, or (None) kept silent."""
        known = self._phones.get(phone)
        if known is None:
            return
        one = known.contacts.setdefault(contact, Contact())
        if round_trip_s is not None:
            one.failures, one.round_trip_s, one.answered_at = 0, round_trip_s, now
        else:
            one.failures += 1
            if one.failures < FAILURES and not known.hurried and known.period_s > HURRY_S:
                known.hurried = True
                self._hurried.append((now + HURRY_S, phone))
        reachable = any(other.failures < FAILURES for other in known.contacts.values())
        if reachable != known.reachable:
            known.reachable = reachable
            self.on_change(phone, reachable)

    def reachable(self, phone: str) -> bool:
        """True also for a phone that is not asked."""
        known = self._phones.get(phone)
        return known is None or known.reachable

    def contact(self, phone: str, contact: str) -> Contact | None:
        """What is known of a contact."""
        known = self._phones.get(phone)
        return None if known is None else known.contacts.get(contact)

    def unreachable(self) -> int:
        """How many phones do not answer."""
        return sum(not known.reachable for known in self._phones.values())
