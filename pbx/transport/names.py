"""What the name service said: records by question, for as long as they are good (RFC 1035 7.4, RFC 2308, RFC 8767).

Nothing here asks; `resolver` does. The last good answer stands while the name service is away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pbx.sip.dialog import is_ip
from pbx.sip.next_hop import Question, Records, family_of

MIN_TTL_S: Final = 10.0  # enough to ask again before it is over
MAX_TTL_S: Final = 3600.0  # so that a mistake in a zone is not believed for a week
MAX_NEGATIVE_S: Final = 300.0  # RFC 2308 5 allows hours; a gateway whose name was just made is wanted sooner
RECHECK_S: Final = 30.0  # RFC 8767 5: how often a name service that gives no answer is asked again
STALE_S: Final = 86_400.0  # RFC 8767 5: how long the last good answer may stand
LIMIT: Final = 10_000  # questions


@dataclass(slots=True)
class _Entry:
    records: Records
    expires_at: float
    good_at: float  # when the name service last said so


class NameCache:
    """Answers. `hosts` are the machine's own (/etc/hosts), which need no name service; `kept` questions are
    asked again and again: their last answer stands until the next, and is never dropped to make room."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.hosts: Mapping[str, tuple[str, ...]] = {}
        self.kept: frozenset[Question] = frozenset()
        self._limit = limit
        self._entries: OrderedDict[Question, _Entry] = OrderedDict()  # the newest answer last

    def __len__(self) -> int:
        return len(self._entries)

    def records(self, question: Question, now: float) -> Records | None:
        """() when there are none; None when nobody knows, or not any more."""
        if question.name in self.hosts:  # also its NAPTR and SRV: whoever writes a host there wants that address
            return tuple(one for one in self.hosts[question.name] if family_of(one) == question.type)
        entry = self._entries.get(question)
        if entry is None or (entry.expires_at <= now and question not in self.kept):
            return None
        return entry.records

    def ends_within(self, question: Question, margin_s: float, now: float) -> bool:
        """Whether to ask again so that nobody waits."""
        if question.name in self.hosts:
            return False
        entry = self._entries.get(question)
        return entry is None or entry.expires_at <= now + margin_s

    def answered(self, question: Question, records: Records, ttl_s: float, now: float) -> None:
        """The name service said so; no records: the time to live is the SOA's (RFC 2308 5)."""
        ttl_s = max(MIN_TTL_S, min(ttl_s, MAX_TTL_S if records else MAX_NEGATIVE_S))
        self._put(question, _Entry(records, now + ttl_s, now))

    def failed(self, question: Question, now: float) -> bool:
        """No answer came; True if the last good one goes on standing."""
        entry = self._entries.get(question)
        if entry is not None and entry.records and now - entry.good_at < STALE_S:
            entry.expires_at = max(entry.expires_at, now + RECHECK_S)
            return True
        self._put(question, _Entry((), now + RECHECK_S, 0.0))
        return False

    def _put(self, question: Question, entry: _Entry) -> None:
        self._entries[question] = entry
        self._entries.move_to_end(question)
        if len(self._entries) > self._limit:
            oldest = next((one for one in self._entries if one not in self.kept), question)
            del self._entries[oldest]


def hosts_in(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The names of a hosts file (`ADDRESS NAME NAME # remark`) and their addresses."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if is_ip(address):
            for name in names:
                key = name.lower().removesuffix(".")
                found[key] = (*found.get(key, ()), address)
    return found
