"""The gateways of trunks: which of them live, and in which order a call tries them.

              failed                    failed, enough of them
    up ------------------> suspect ------------------------------> down <---------+
     ^                        |                                      |            |
     +--------answered--------+                             answered |            | failed
     ^                                                               v            |
     +-------------------answered, enough of them---------------- returning ------+

What is told here are answers to OPTIONS and what came of calls alike. A 503 and silence are failures, any other answer
shows that somebody is there (RFC 3263 4.3). Nothing is refused because of what is known here: when all gateways of a
trunk are down, the one that failed the longest ago is tried first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from config.schema import Site
from pbx.sip.hop import Hop
from pbx.sip.next_hop import Pick, by_weight

State = Literal["up", "suspect", "down", "returning"]
Input = Literal["answered", "failed"]

#: (state, input) -> the next state, and the next when it is enough of the same.
TABLE: Final[dict[tuple[State, Input], tuple[State, State]]] = {
    ("up", "answered"): ("up", "up"),
    ("up", "failed"): ("suspect", "down"),
    ("suspect", "answered"): ("up", "up"),
    ("suspect", "failed"): ("suspect", "down"),
    ("down", "answered"): ("returning", "up"),
    ("down", "failed"): ("down", "down"),
    ("returning", "answered"): ("returning", "up"),
    ("returning", "failed"): ("down", "down"),
}
USABLE: Final = ("up", "suspect")

HURRY_S: Final = 5.0  # a gateway in doubt is asked again that soon, if it is not asked more often anyway
SETBACK_S: Final = 60.0  # how long an address that failed is tried after the others of its name
MAX_SETBACKS: Final = 1000


@dataclass(slots=True, eq=False)
class Gateway:
    """One gateway of a trunk, as it does."""

    trunk: str
    uri: str
    priority: int
    weight: int
    down_after: int
    up_after: int
    probe_s: float
    next_probe_at: float
    state: State = "up"
    since: float = 0.0  # when it came into this state; 0: with the server
    count: int = 0  # of the same input in a row
    failed_at: float = 0.0
    round_trip_s: float | None = None  # of the last answer to OPTIONS

    @property
    def usable(self) -> bool:
        return self.state in USABLE

    def input(self, what: Input, now: float) -> bool:
        """True if it became usable or unusable."""
        before, was_usable = self.state, self.usable
        step, enough = TABLE[before, what]
        # Whoever is up or down needs no count of what keeps it so.
        self.count = self.count + 1 if before in ("suspect", "returning") and step == before else 1
        self.state = enough if self.count >= (self.down_after if what == "failed" else self.up_after) else step
        if self.state != before:
            self.since = now
        if what == "failed":
            self.failed_at = now
        if self.state in ("suspect", "returning") and self.probe_s:
            self.next_probe_at = min(self.next_probe_at, now + HURRY_S)
        return self.usable != was_usable

    def view(self) -> dict[str, object]:
        """A snapshot for people and programs."""
        return {
            "uri": self.uri, "priority": self.priority, "weight": self.weight, "state": self.state,
            "since": self.since or None, "failed_at": self.failed_at or None,
            "round_trip_ms": None if self.round_trip_s is None else round(self.round_trip_s * 1000, 1),
        }  # fmt: skip


class Gateways:
    """All gateways of a site. `on_change(gateway, usable)`: one went down or came back, `usable` the trunk has now."""

    def __init__(self, on_change: Callable[[Gateway, int], None] = lambda gateway, usable: None) -> None:
        self.on_change = on_change
        self.setbacks = Setbacks()
        self._trunks: dict[str, list[Gateway]] = {}

    def reconfigure(self, site: Site, now: float) -> None:
        """A gateway that stays keeps its state. Probes are spread over their period, not sent all at once."""
        old = {(one.trunk, one.uri): one for gateways in self._trunks.values() for one in gateways}
        total = sum(len(trunk.ways) for trunk in site.trunks.values()) or 1
        self._trunks = {}
        place = 0
        for name, trunk in site.trunks.items():
            mine = self._trunks[name] = []
            for way in trunk.ways:
                one = old.get((name, way.uri))
                if one is None:
                    first = now + trunk.probe_s * place / total
                    one = Gateway(name, way.uri, 0, 0, 1, 1, trunk.probe_s, first)
                elif trunk.probe_s != one.probe_s:
                    one.next_probe_at = now + trunk.probe_s * place / total
                one.priority, one.weight, one.probe_s = way.priority, way.weight, trunk.probe_s
                one.down_after, one.up_after = trunk.down_after, trunk.up_after
                mine.append(one)
                place += 1

    def of(self, trunk: str) -> Iterable[Gateway]:
        return self._trunks.get(trunk, ())

    def order(self, trunk: str, pick: Pick) -> list[Gateway]:
        """Whom a call tries, one after the other; never empty for a trunk that has a gateway."""
        gateways = self._trunks.get(trunk, [])
        usable = [one for one in gateways if one.usable]
        return by_weight(usable, pick) if usable else sorted(gateways, key=lambda one: one.failed_at)

    def answered(self, trunk: str, uri: str, now: float, round_trip_s: float | None = None) -> None:
        """Somebody is there. `round_trip_s` only of a probe."""
        one = self._find(trunk, uri)
        if one is not None and round_trip_s is not None:
            one.round_trip_s = round_trip_s
        self._input(one, "answered", now)

    def failed(self, trunk: str, uri: str, now: float) -> None:
        """Silence on every address of it, or a 503."""
        self._input(self._find(trunk, uri), "failed", now)

    def _find(self, trunk: str, uri: str) -> Gateway | None:
        return next((one for one in self._trunks.get(trunk, ()) if one.uri == uri), None)

    def _input(self, one: Gateway | None, what: Input, now: float) -> None:
        if one is not None and one.input(what, now):
            self.on_change(one, sum(other.usable for other in self._trunks[one.trunk]))

    def due(self, now: float) -> list[Gateway]:
        """Whom to send OPTIONS now; told only once, and again a period later."""
        found = [
            one for gateways in self._trunks.values() for one in gateways if one.probe_s and one.next_probe_at <= now
        ]
        for one in found:
            one.next_probe_at = now + one.probe_s
        return found

    def count(self, *, usable: bool) -> int:
        return sum(one.usable is usable for gateways in self._trunks.values() for one in gateways)


class Setbacks:
    """Addresses that failed lately: of several that a name leads to, they are tried last."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, str, int], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def note(self, hop: Hop, now: float, *, ok: bool) -> None:
        self._until.pop(hop[:3], None)
        if not ok:
            self._until[hop[:3]] = now + SETBACK_S
            if len(self._until) > MAX_SETBACKS:
                self._until.popitem(last=False)

    def order(self, hops: tuple[Hop, ...], now: float) -> tuple[Hop, ...]:
        """The same hops, those that failed lately behind the others."""
        until = self._until
        if len(hops) < 2 or not until:
            return hops
        return tuple(sorted(hops, key=lambda hop: until.get(hop[:3], 0.0) > now))
