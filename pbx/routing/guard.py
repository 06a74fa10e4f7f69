"""The first look at a request outside dialogs: is it a scanner's, does its source ask too much, are we overloaded?

    a trunk's or proxy's address ----------------------------------------+
    a scanner's fingerprint -----> dropped, its source banned            |
    over the source's rate ------> 503 with Retry-After, a few; the rest dropped
    asks for one user after the other, proves to be none ---> banned     v
                                                              overload: shed in the order of `overload.py`

Nothing here asks who exists: what is answered, and who is banned, is the same for users that are and that are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config.security import Security
from pbx.routing.admission import ADMIT, Admit, Refuse
from pbx.routing.ban import Bans
from pbx.routing.overload import Kind, Overload
from pbx.routing.rate import Rates
from pbx.routing.scanner import Scanners
from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.source import source_of

ANSWERS_PER_S: Final = 1.0  # 503 to a source over its rate, after the first few
ANSWERS_BURST: Final = 10
RETRY_AFTER_S: Final = 10
MAX_SOURCES: Final = 10_000  # in each of two generations

_AUTHENTICATED: Final = frozenset(("INVITE", "REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER"))


@dataclass(frozen=True, slots=True)
class Drop:
    """Say nothing."""


DROP: Final = Drop()
Verdict = Admit | Refuse | Drop


class Source:
    """What is remembered of one source."""

    __slots__ = ("key", "names", "trusted")

    def __init__(self, key: str, trusted: bool) -> None:
        self.key = key
        self.trusted = trusted  # a trunk's address or a proxy's
        self.names: dict[str, float] = {}  # users asked for without proof -> when


class Guard:
    """One a server; survives reloads (`reconfigure`). `trusted(host)`: a trunk's address or a proxy's;
    `refreshes(hop)`: a phone is registered from exactly there."""

    __slots__ = (
        "_answers", "_bans", "_counters", "_current", "_overload", "_policy", "_previous", "_rates", "_refreshes",
        "_scanners", "_trusted",
    )  # fmt: skip

    def __init__(
        self, policy: Security, trusted: Callable[[str], bool], refreshes: Callable[[Hop], bool], bans: Bans,
        overload: Overload, counters: Counter[str],
    ) -> None:  # fmt: skip
        self._bans = bans
        self._overload = overload
        self._counters = counters
        self._refreshes = refreshes
        rate = policy.per_source
        self._rates = Rates(rate.requests_per_s, rate.burst, MAX_SOURCES)
        self._answers = Rates(ANSWERS_PER_S, ANSWERS_BURST, MAX_SOURCES)
        self._current: dict[str, Source] = {}  # by host
        self._previous: dict[str, Source] = {}
        self.reconfigure(policy, trusted)

    def reconfigure(self, policy: Security, trusted: Callable[[str], bool]) -> None:
        """Other rules; who is trusted is found out anew."""
        self._policy = policy
        self._trusted = trusted
        self._scanners = Scanners(policy.scanners)
        self._rates.reconfigure(policy.per_source.requests_per_s, policy.per_source.burst)
        self._current, self._previous = {}, {}

    def trusts(self, host: str) -> bool:
        """Whether an address is a trunk's or a proxy's."""
        return (self._current.get(host) or self._meet(host)).trusted

    def bears(self, hop: Hop, now: float) -> bool:
        """Whether a source may do one more of what costs as much as a request: connect, or write what can't be read."""
        source = self._current.get(hop.host) or self._meet(hop.host)
        if source.trusted or self._rates.take(source.key, now):
            return True
        self._counters["source_rate_dropped"] += 1
        return False

    def judge(self, request: Request, hop: Hop, now: float) -> Verdict:
        """Whether to go on with a request that is no retransmission and belongs to no dialog."""
        source = self._current.get(hop.host) or self._meet(hop.host)
        if not source.trusted:
            if (mark := self._scanners.match(request)) is not None:
                self._counters["scanner_requests"] += 1
                self._bans.offence(hop.host, f"scanner: {mark}", now)
                return DROP
            if not self._rates.take(source.key, now):
                return self._too_many(source, now)
            if request.get("Authorization") is None:
                if request.method in _AUTHENTICATED and self._asks_around(source, request, hop.host, now):
                    return DROP
            elif source.names:
                source.names.pop(_name(request), None)
        if self._overload.severity > 0.0 and self._overload.sheds(self._kind(request, hop)):
            # A proxy that is told by `oc` how much to send must not stay away altogether (RFC 3261 21.5.4).
            told = source.trusted and ";oc" in request.via
            return Refuse(503, "overloaded", None if told else self._overload.retry_after_s())
        return ADMIT

    def _too_many(self, source: Source, now: float) -> Verdict:
        if self._answers.take(source.key, now):
            self._counters["source_rate_refused"] += 1
            return Refuse(503, "too many requests", RETRY_AFTER_S)
        self._counters["source_rate_dropped"] += 1
        return DROP

    def _asks_around(self, source: Source, request: Request, host: str, now: float) -> bool:
        """Note a request that will be challenged; True if its source asked for too many users. One that is answered
        with credentials is forgotten, whatever they are worth: wrong ones are counted elsewhere."""
        names = source.names
        names[_name(request)] = now
        policy = self._policy.ban
        limit = policy.names
        if len(names) <= limit:
            return False
        limit = int(limit * self._bans.patience(host))
        source.names = names = {name: at for name, at in names.items() if now - at < policy.within_s}
        if len(names) <= limit:
            return False
        source.names = {}
        self._counters["sources_asking_around"] += 1
        return self._bans.offence(host, f"asked for {limit} users, proved to be none", now)

    def _kind(self, request: Request, hop: Hop) -> Kind:
        if request.method == "INVITE":
            return Kind.CALL
        if request.method == "REGISTER" and self._refreshes(hop):
            return Kind.REFRESH
        return Kind.OTHER

    def _meet(self, host: str) -> Source:
        """The record of a source not met in this generation. Addresses of one IPv6 network share theirs."""
        key = source_of(host)
        source = self._current.get(key) or self._previous.get(key) or Source(key, self._trusted(host))
        if len(self._current) >= MAX_SOURCES:
            self._previous = self._current
            self._current = {}
        self._current[host] = self._current[key] = source
        return source


def _name(request: Request) -> str:
    """Whom a request claims to be, as text that stays the same when it comes again with credentials."""
    text = request.get("To" if request.method == "REGISTER" else "From") or ""
    return text.partition(";tag=")[0][:200]
