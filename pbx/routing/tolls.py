"""What calls out by trunks cost, and whether an account may make one more: against stolen passwords and phones that
forward (toll fraud).

    bill = tolls.admit(account, number, now)    # a Refuse, None (costs nothing and has no limit), or a Bill
    tolls.answered(bill, now) ... tolls.ended(bill, now)
    tolls.overdrawn(now)                        # accounts whose calls are to be ended, asked every few seconds

An account is whoever caused the call: who forwarded or transferred it, the extension that dialled, `trunk NAME` for
a call that came in by one, `callbacks`. What was spent today is kept by `save`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from phonenumbers import is_emergency_number

from config.numbers import normalise
from config.schema import Site
from config.tolls import TollClass, TollLimits, belongs
from pbx.routing.admission import Refuse
from pbx.routing.events import TollRefused

SETTING: Final = "spent"  # under which `save` keeps an account's day
_FREE: Final = TollClass(numbers=("any",))
_OF_CLASSES: Final = 10_000  # numbers whose class is remembered


@dataclass(slots=True, eq=False)
class Bill:
    """Of one call out, from its INVITE to its end."""

    account: str
    toll_class: str  # "": none
    per_minute: float
    per_call: float
    answered_at: float | None = None

    def cost(self, now: float) -> float:
        """Until now; nothing before the answer."""
        if self.answered_at is None:
            return 0.0
        return self.per_call + self.per_minute * max(0.0, now - self.answered_at) / 60


class Tolls:
    """One a server; survives reloads. `emit` is told of refusals; `save(account, text)` keeps what `restore` is given
    by the next server."""

    def __init__(self, site: Site, counters: Counter[str]) -> None:
        self._counters = counters
        self._spent: dict[str, float] = {}  # by account, today
        self._total = 0.0  # of them all
        self._under_way = 0.0  # what the calls under way had cost at the last look
        self._today = ""
        self._bills: dict[str, dict[int, Bill]] = {}  # by account, those under way
        self.emit: Callable[[object], None] = lambda event: None
        self.save: Callable[[str, str | None], None] = lambda account, text: None
        self.reconfigure(site)

    def reconfigure(self, site: Site) -> None:
        """Other prices and limits. Calls under way keep their price, and end when they are over a lowered limit."""
        self._tolls = site.tolls
        self._limits = {
            name: TollLimits(
                calls=phone.tolls.calls or site.tolls.calls,
                spend_per_day=phone.tolls.spend_per_day or site.tolls.spend_per_day,
            )
            for name, phone in site.extensions.items()
            if phone.tolls is not None
        }
        self._country = site.locale.country
        self._zone = ZoneInfo(site.locale.timezone)
        self._classes: dict[str, str] = {}  # of numbers asked for
        limited = (site.tolls, *self._limits.values())
        self.active = bool(site.tolls.classes) or any(one.calls is not None for one in limited)

    def restore(self, rows: Iterable[tuple[str, str, str]], now: float) -> None:
        """What the last server's accounts had spent: (account, setting, value), others' settings among them."""
        self._turn(now)
        for account, setting, value in rows:
            day, _, spent = value.partition(" ")
            if setting == SETTING and day == self._today:
                self._spent[account] = float(spent)
                self._total += float(spent)
            elif setting == SETTING:
                self.save(account, None)

    def admit(self, account: str, number: str, now: float) -> Bill | Refuse | None:
        """A call out to `number`, as the trunk is to dial it. A Bill must be `ended`. Need not be asked unless
        `active`."""
        if is_emergency_number(number, self._country):
            return None
        self._turn(now)
        name = self._class_of(number)
        price = self._tolls.classes.get(name, _FREE)
        why = self._forbidden(account, name, price) or self._exhausted(account, price, now)
        if why:
            self._counters[f"tolls_refused_{why.split()[0]}"] += 1
            self.emit(TollRefused(now, account, number, name, why))
            return Refuse(403, f"toll limit: {why}")
        bill = Bill(account, name, price.per_minute, price.per_call)
        self._begin(bill)
        return bill

    def answered(self, bill: Bill, now: float) -> None:
        """It costs from now on."""
        bill.answered_at = now

    def ended(self, bill: Bill, now: float) -> None:
        """What it cost is the account's, on the day of its end."""
        bills = self._bills.get(bill.account, {})
        if bills.pop(id(bill), None) is None:
            return
        if not bills:
            del self._bills[bill.account]
        cost = bill.cost(now)
        if cost:
            self._turn(now)
            spent = self._spent[bill.account] = self._spent.get(bill.account, 0.0) + cost
            self._total += cost
            self._under_way = max(0.0, self._under_way - cost)  # else it would count twice until the next look
            self.save(bill.account, f"{self._today} {spent:.6f}")

    def resumed(self, kept: dict[str, Any]) -> Bill:
        """The bill of a call that outlived the last server, as `asdict` gave it."""
        bill = Bill(**kept)
        self._begin(bill)
        return bill

    def overdrawn(self, now: float) -> set[str]:
        """Accounts with calls under way that have no more to spend."""
        self._turn(now)
        self._under_way = sum(bill.cost(now) for bills in self._bills.values() for bill in bills.values())
        return {account for account in self._bills if self._no_more(account, now)}

    def lift(self, account: str) -> bool:
        """Today's spending is forgiven. False if there is none."""
        spent = self._spent.pop(account, None)
        self._total -= spent or 0.0
        self.save(account, None)
        return spent is not None

    def view(self, now: float) -> list[dict[str, Any]]:
        """Of each account that has spent something or has calls under way."""
        self._turn(now)
        return [
            {
                "account": account, "spent_today": round(self._of(account, now), 4),
                "spend_per_day": self._limits_of(account).spend_per_day, "calls": len(self._bills.get(account, ())),
            }
            for account in sorted({*self._spent, *self._bills})
        ]  # fmt: skip

    def _begin(self, bill: Bill) -> None:
        self._bills.setdefault(bill.account, {})[id(bill)] = bill

    def _forbidden(self, account: str, name: str, price: TollClass) -> str:
        if price.allowed and (price.only is None or account in price.only):
            return ""
        return f"class {name} is not for {account}"

    def _exhausted(self, account: str, price: TollClass, now: float) -> str:
        limits = self._limits_of(account)
        if limits.calls is not None and len(self._bills.get(account, ())) >= limits.calls:
            return f"calls: {account} makes {limits.calls} already"
        if (price.per_minute or price.per_call) and (why := self._no_more(account, now)):
            return why
        return ""

    def _no_more(self, account: str, now: float) -> str:
        most = self._limits_of(account).spend_per_day
        if most is not None and self._of(account, now) >= most:
            return f"spending: {account} has spent {most:g} today"
        most = self._tolls.site_spend_per_day
        if most is not None and self._total + self._under_way >= most:
            return f"spending: the site has spent {most:g} today"
        return ""

    def _of(self, account: str, now: float) -> float:
        """What an account has spent today, with its calls under way."""
        bills = self._bills.get(account, {}).values()
        return self._spent.get(account, 0.0) + sum(bill.cost(now) for bill in bills)

    def _limits_of(self, account: str) -> TollLimits:
        return self._limits.get(account, self._tolls)

    def _class_of(self, number: str) -> str:
        found = self._classes.get(number)
        if found is None:
            if len(self._classes) >= _OF_CLASSES:
                self._classes.clear()
            full = normalise(number, self._country)
            found = self._classes[number] = next(
                (
                    name
                    for name, one in self._tolls.classes.items()
                    if any(belongs(full, numbers, self._country) for numbers in one.numbers)
                ),
                "",
            )
        return found

    def _turn(self, now: float) -> None:
        """Midnight, by the site's clock."""
        today = dt.datetime.fromtimestamp(now, self._zone).date().isoformat()
        if today != self._today:
            for account in self._spent:
                self.save(account, None)
            self._spent.clear()
            self._total = 0.0
            self._today = today


def kept(bill: Bill | None) -> dict[str, Any] | None:
    """A bill for the next server's `resumed`."""
    return None if bill is None else asdict(bill)
