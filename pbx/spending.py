"""Toll limits joined to the calls they end, to what is kept, and to the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from config.schema import Site
from pbx.call.clock import Clock
from pbx.call.switch import Switch
from pbx.routing.events import TollLimitReached, TollRefused
from pbx.routing.tolls import SETTING, Tolls

log = structlog.get_logger("pbx.spending")

LOOK_S: Final = 5.0  # how often what calls under way cost is looked at
LOG_EVERY_S: Final = 60.0  # refusals of one account


class Spending:
    """One a server; survives reloads. `save(account, setting, value)` keeps a setting."""

    def __init__(
        self, site: Site, clock: Clock, emit: Callable[[object], None], counters: Counter[str]
    ) -> None:  # fmt: skip
        self.tolls = Tolls(site, counters)
        self.reconfigure = self.tolls.reconfigure
        self._clock = clock
        self._emit = emit
        self._counters = counters
        self._told: dict[str, float] = {}  # when a refusal of an account was last logged
        self.tolls.emit = self._refused

    def keep(self, rows: Iterable[tuple[str, str, str]], save: Callable[[str, str, str | None], None]) -> None:
        """What the last server kept; and where to keep it from now on."""
        self.tolls.save = lambda account, value: save(account, SETTING, value)
        for account, spent in self.tolls.restore(rows, self._clock.now()).items():
            log.error("what an account has spent today is garbled in the records", account=account, counts_as=spent)

    def look(self, switch: Switch) -> None:
        """End the calls of who has no more to spend."""
        if not self.tolls.active:
            return
        now = self._clock.now()
        over = self.tolls.overdrawn(now)
        if not over:
            return
        legs = [leg for call in switch.calls() for leg in call.legs() if leg.bill is not None and leg.bill.cost(now)]
        ended = Counter[str]()
        for leg in legs:
            if leg.bill is not None and leg.bill.account in over and leg.call is not None:
                ended[leg.bill.account] += 1
                leg.call.leg_lost(leg, "toll limit")
        for account, calls in ended.items():
            self._counters["tolls_calls_ended"] += calls
            self._emit(TollLimitReached(now, account, calls))
            log.warning("toll limit reached: calls ended", account=account, calls=calls)

    def view(self) -> list[dict[str, Any]]:
        """Of each account, what it spends."""
        return self.tolls.view(self._clock.now())

    def lift(self, account: str) -> bool:
        """Forgive what an account has spent today. False if it is nothing."""
        log.warning("today's spending forgiven", account=account)
        return self.tolls.lift(account)

    def _refused(self, event: object) -> None:
        assert isinstance(event, TollRefused)
        self._emit(event)
        if event.at - self._told.get(event.account, 0.0) >= LOG_EVERY_S:
            self._told[event.account] = event.at  # accounts are the site's: there are no more than it has names
            log.warning("call out refused", account=event.account, number=event.number, reason=event.reason)
