"""May one more call come in, may one more go out: counts what is in use, decides, never waits.

    verdict = admission.admit("carrier")      # Admit: counted until `leave()` and `free("carrier")`
    if isinstance(verdict, Refuse): ...       # answer with its status, reason and Retry-After
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from config.schema import Site
from pbx.routing.rate import Rates

RETRY_AFTER_S: Final = 30  # least Retry-After while draining: a restart takes about that long
RATE_RETRY_AFTER_S: Final = 5  # for an extension that calls too often
RETRY_SPREAD_S: Final = 30  # refused callers are told to return within so much after it, not all at once
_GOLDEN: Final = 0.6180339887498949  # multiples of it, modulo 1, are spread evenly however many they are


@dataclass(frozen=True, slots=True)
class Admit:
    """Go on. The place is taken until it is given back."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer so."""

    status: int
    reason: str
    retry_after_s: int | None = None  # Retry-After; None: without (RFC 3261 21.5.4: only this call is refused)

    @property
    def headers(self) -> str:
        return f"Retry-After: {self.retry_after_s}\r\n" if self.retry_after_s else ""


Verdict = Admit | Refuse
ADMIT: Final = Admit()


class Admission:
    """One a server; survives reloads (`reconfigure`), because live calls do."""

    __slots__ = (
        "_calls", "_counters", "_draining", "_extension_rates", "_limits", "_max_calls", "_refused", "_trunk_rates",
        "_trunks",
    )  # fmt: skip

    def __init__(self, site: Site, counters: Counter[str], *, max_calls: int | None = None) -> None:
        """`max_calls`: concurrent calls of the whole server."""
        self._counters = counters
        self._max_calls = max_calls
        self._draining = False
        self._calls = 0
        self._trunks: Counter[str] = Counter()  # calls per trunk in use, both directions
        self._refused = 0
        self.reconfigure(site)

    def reconfigure(self, site: Site) -> None:
        """Other limits. Calls above a lowered limit go on; only new ones are refused."""
        rate = site.security.per_extension
        self._extension_rates = Rates(rate.calls_per_s, rate.burst)
        self._trunk_rates = {  # a trunk may spend a second's worth at once
            name: Rates(trunk.calls_per_s, max(1.0, trunk.calls_per_s))
            for name, trunk in site.trunks.items()
            if trunk.calls_per_s is not None
        }
        self._limits = {name: trunk.max_calls for name, trunk in site.trunks.items() if trunk.max_calls is not None}

    def drain(self) -> None:
        """No new calls from now on; those in progress, and what they still need to dial, go on."""
        self._draining = True

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return self._calls

    def trunk_calls(self, trunk: str) -> int:
        """Calls in progress on one trunk, both directions."""
        return self._trunks[trunk]

    def admit(self, trunk: str | None, extension: str | None, now: float) -> Verdict:
        """A new call, from a trunk or an extension. If admitted, `leave` must follow once, and `free` for
        the trunk: the caller's leg may outlive the call, in another one."""
        if self._draining:
            return self._refuse("admission_draining", "draining", self._retry_after_s())
        if self._max_calls is not None and self._calls >= self._max_calls:
            return self._refuse("admission_full", "too many calls", self._retry_after_s())
        if trunk is not None and self._full(trunk):
            return self._refuse("admission_trunk_full", f"trunk {trunk} is full")
        if trunk is not None and (rates := self._trunk_rates.get(trunk)) is not None and not rates.take(trunk, now):
            return self._refuse("admission_trunk_rate", f"trunk {trunk} calls too often")
        if extension is not None and not self._extension_rates.take(extension, now):
            reason = f"extension {extension} calls too often"
            return self._refuse("admission_extension_rate", reason, RATE_RETRY_AFTER_S)
        self._calls += 1
        if trunk is not None:
            self._trunks[trunk] += 1
        return ADMIT

    def enter(self, trunks: Sequence[str]) -> None:
        """A call that stood already, with legs on these trunks: counted as if it had been admitted."""
        self._calls += 1
        self._trunks.update(trunks)

    def leave(self) -> None:
        """The call is over."""
        self._calls -= 1

    def seize(self, trunk: str) -> Verdict:
        """A leg of an admitted call, out by a trunk: not refused by a drain. If admitted, `free` must follow once."""
        if self._full(trunk):
            return self._refuse("admission_trunk_full", f"trunk {trunk} is full")
        self._trunks[trunk] += 1
        return ADMIT

    def free(self, trunk: str) -> None:
        """A leg on this trunk is over."""
        if self._trunks[trunk] <= 1:
            del self._trunks[trunk]
        else:
            self._trunks[trunk] -= 1

    def _full(self, trunk: str) -> bool:
        limit = self._limits.get(trunk)
        return limit is not None and self._trunks[trunk] >= limit

    def _refuse(self, counter: str, reason: str, retry_after_s: int | None = None) -> Refuse:
        self._counters[counter] += 1
        return Refuse(503, reason, retry_after_s)

    def _retry_after_s(self) -> int:
        self._refused += 1
        return RETRY_AFTER_S + int(self._refused * _GOLDEN % 1 * RETRY_SPREAD_S)
