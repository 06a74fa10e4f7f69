"""What calls out by trunks cost, and whether an account may make one more: against stolen passwords and phones that
forward (toll fraud).

    bill = tolls.admit(account, number, now)    # a Refuse, None (costs nothing and has no limit), or a Bill
    tolls.answered(bill, now) ... tolls.ended(bill, now)
    tolls.overdrawn(now)                        # accounts whose calls are to be ended, asked every few seconds

An account is whoever caused the call: who forwarded or transferred it, the extension that dialled, `trunk NAME` for
a call that came in by one, `callbacks`. What was spent today is kept by `save`, and when `overdrawn` was last asked:
calls of a server that was killed, which nobody goes on with, cost until then.
"""

from __future__ import annotations

import datetime as dt
import math
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
_ALL: Final = ""  # in an account's place: when calls under way were last looked at


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
        self._last_look = 0.0  # of the last server
        self._settled: dict[str, list[str]] = {}  # by account, today, the legs whose bills were `settle`d
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

    def restore(self, rows: Iterable[tuple[str, str, str]], now: float) -> dict[str, float]:
        """What the last server's accounts had spent: (account, setting, value), others' settings among them. Returns
        what counts as spent by accounts whose row is garbled: if the sum can't be read, all that they may spend."""
        self._turn(now)
        garbled: dict[str, float] = {}
        for account, value in [(account, str(value)) for account, setting, value in rows if setting == SETTING]:
            day, _, rest = value.partition(" ")
            text, *legs = rest.split(" ")
            if account == _ALL:
                looked = _number(day)
                self._last_look = now if looked is None else min(looked, now)
            elif _is_day(day) and day != self._today:
                self.save(account, None)
            else:
                read = _number(text)
                spent = (self._limits_of(account).spend_per_day or 0.0) if read is None else read
                self._spent[account], self._settled[account] = spent, legs
                self._total += spent
                if read is None or not _is_day(day):
                    garbled[account] = spent
                    self._keep(account)
        self._counters["tolls_rows_garbled"] += len(garbled)
        return garbled

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
        self.begin(bill)
        return bill

    def begin(self, bill: Bill) -> None:
        """It is under way, as far as it has come: of a call that outlived the last server, too."""
        self._bills.setdefault(bill.account, {})[id(bill)] = bill

    def answered(self, bill: Bill, now: float) -> None:
        """It costs from now on."""
        bill.answered_at = now

    def ended(self, bill: Bill, now: float) -> None:
        """What it cost is the account's, on the day of its end."""
        if self._close(bill, now):
            self._charge(bill, now, now)

    def lost(self, bill: Bill, now: float) -> None:
        """Of a call of the last server that was gone on with, though nobody was there any more."""
        if self._close(bill, now):
            self._charge(bill, self._last_look, now)

    def settle(self, leg: str, bill: Bill, now: float) -> None:
        """Of a call of the last server that nobody goes on with. Counts once for each `leg`, however often a server is
        killed before it can forget that leg."""
        settled = self._settled.setdefault(bill.account, [])
        if leg not in settled:
            settled.append(leg)
            self._charge(bill, self._last_look, now)

    def overdrawn(self, now: float) -> set[str]:
        """Accounts with calls under way that have no more to spend."""
        self._turn(now)
        self._under_way = sum(bill.cost(now) for bills in self._bills.values() for bill in bills.values())
        if self._under_way:
            self.save(_ALL, f"{now:.3f}")
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

    def _close(self, bill: Bill, now: float) -> bool:
        """False if it is no longer under way."""
        bills = self._bills.get(bill.account, {})
        if bills.pop(id(bill), None) is None:
            return False
        if not bills:
            del self._bills[bill.account]
        self._under_way = max(0.0, self._under_way - bill.cost(now))  # else it would count twice until the next look
        return True

    def _charge(self, bill: Bill, end: float, now: float) -> None:
        cost = bill.cost(end)
        self._turn(now)
        if cost and self._day_of(min(now, max(end, bill.answered_at or 0.0))) == self._today:
            self._spent[bill.account] = self._spent.get(bill.account, 0.0) + cost
            self._total += cost
            self._keep(bill.account)

    def _keep(self, account: str) -> None:
        day = f"{self._today} {self._spent[account]:.6f}"
        self.save(account, " ".join([day, *self._settled.get(account, ())]))

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
        today = self._day_of(now)
        if today != self._today:
            for account in self._spent:
                self.save(account, None)
            self._spent.clear()
            self._settled.clear()
            self._total = 0.0
            self._today = today

    def _day_of(self, at: float) -> str:
        return dt.datetime.fromtimestamp(at, self._zone).date().isoformat()


def _number(text: str) -> float | None:
    """None if it is none, or below 0, or not finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def kept(bill: Bill | None) -> dict[str, Any] | None:
    """A bill as JSON has it, for the next server."""
    return None if bill is None else asdict(bill)


def bill_of(kept: dict[str, Any]) -> Bill:
    """Raises KeyError, TypeError or ValueError for what is none."""
    bill = Bill(**kept)
    if None in [_number(str(one)) for one in (bill.per_minute, bill.per_call, bill.answered_at or 0.0)]:
        raise ValueError("a bill that makes no sense")
    return bill
