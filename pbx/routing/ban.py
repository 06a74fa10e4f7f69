"""Which sources are not listened to, and for how long.

    wrong password -----> strikes, halved every `within_s` ----> `after` of them: banned for `for_s`
    scanner, many names --------------------------------------> banned at once
    banned again -----------------------------------------------> twice as long, `at_most_s` at most; an offence is half
                                                                  forgotten after a day

An address where phones are registered (an office behind one address) is borne `registered_factor` times as long, and is
never banned for what a single forged datagram can say. Failures against a user who was tried from more than `after`
addresses count threefold: a guesser with many addresses is found out sooner at each.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from config.security import Ban as Policy
from pbx.sip.source import source_of

MAX_BANS: Final = 10_000
MAX_SUSPECTS: Final = 10_000  # sources, and users, whose failures are remembered
FORGET_S: Final = 86_400.0  # half-life of an offence
HUNTED_WEIGHT: Final = 3.0  # of a failure against a user whom many try

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ban:
    """A source that is not listened to."""

    source: str  # an IPv4 address or an IPv6 /64
    reason: str
    since: float
    until: float
    offence: int  # 1: the first time


class Fading:
    """A number that halves every `half_life_s`."""

    __slots__ = ("at", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.at = 0.0

    def add(self, amount: float, half_life_s: float, now: float) -> float:
        """What there is now, with `amount` more."""
        age_s = now - self.at
        self.value = self.value * 0.5 ** (age_s / half_life_s) + amount if age_s > 0 else self.value + amount
        self.at = now
        return self.value


class _Hunted:
    """A user, real or not, whose password was not known."""

    __slots__ = ("last", "sources")

    def __init__(self) -> None:
        self.sources = Fading()  # changes of the source that tries
        self.last = ""


class _Suspect:
    __slots__ = ("offences", "strikes")

    def __init__(self) -> None:
        self.strikes = Fading()
        self.offences = Fading()


class Bans:
    """One a server; survives reloads (`reconfigure`).

    `exempt(host)`: never banned. `registered(host)`: phones are registered from there. `on_banned(ban)` and
    `on_lifted(ban, why)` are told of changes.
    """

    __slots__ = (
        "_banned", "_counters", "_exempt", "_policy", "_registered", "_suspects", "_users", "on_banned", "on_lifted",
    )  # fmt: skip

    def __init__(
        self, policy: Policy, exempt: Callable[[str], bool], registered: Callable[[str], bool], counters: Counter[str]
    ) -> None:
        self._counters = counters
        self._registered = registered
        self._banned: dict[str, Ban] = {}
        self._suspects: OrderedDict[str, _Suspect] = OrderedDict()
        self._users: OrderedDict[str, _Hunted] = OrderedDict()
        self.on_banned: Callable[[Ban], None] = lambda ban: None
        self.on_lifted: Callable[[Ban, str], None] = lambda ban, why: None
        self._policy = policy
        self._exempt = exempt

    def reconfigure(self, policy: Policy, exempt: Callable[[str], bool]) -> None:
        """Other rules. Bans stay, but of those who may no longer be banned."""
        self._policy = policy
        self._exempt = exempt
        for source in [source for source in self._banned if exempt(source)]:
            self._end(source, "never_ban")

    def __len__(self) -> int:
        return len(self._banned)

    def list(self) -> list[Ban]:
        """All bans, the newest first."""
        return sorted(self._banned.values(), key=lambda ban: -ban.since)

    def admits(self, host: str) -> bool:
        """Whether to listen to an address: asked for each datagram, before it is read."""
        if not self._banned or source_of(host) not in self._banned:
            return True
        self._counters["ban_drops"] += 1
        return False

    def failure(self, host: str, user: str, now: float) -> None:
        """Wrong credentials for `user`, real or not, came from `host`."""
        if self._exempt(host):
            return
        policy = self._policy
        hunted = self._recall(self._users, user, _Hunted)
        source = source_of(host)
        sources = hunted.sources.add(float(hunted.last != source), policy.within_s, now)
        hunted.last = source
        weight = HUNTED_WEIGHT if sources > policy.after else 1.0
        strikes = self._suspect(host).strikes.add(weight, policy.within_s, now)
        if strikes > policy.after * self.patience(host) - 0.5:  # half: a failure takes its time and fades a little
            self._ban(host, f"wrong passwords, last for {user}", now)

    def patience(self, host: str) -> float:
        """How many times as much as a stranger this address is borne."""
        return self._policy.registered_factor if self._registered(host) else 1.0

    def offence(self, host: str, reason: str, now: float, *, forgeable: bool = True) -> bool:
        """Ban at once for something that no phone does; False if nothing came of it. `forgeable`: a single datagram can
        say so in anybody's name."""
        if self._exempt(host) or (forgeable and (self._registered(host) or len(self._banned) >= MAX_BANS)):
            return False  # forged ones displace nobody
        self._ban(host, reason, now)
        return True

    def lift(self, source: str, why: str = "lifted") -> bool:
        """End a ban by hand, and forget what led to it; False if there is none."""
        source = source if source in self._banned else source_of(source)
        self._suspects.pop(source, None)
        return self._end(source, why)

    def expire(self, now: float) -> None:
        """End what has lasted long enough; to be called now and then."""
        for source in [ban.source for ban in self._banned.values() if ban.until <= now]:
            self._end(source, "expired")

    def _ban(self, host: str, reason: str, now: float) -> None:
        source = source_of(host)
        if source in self._banned:
            return
        if len(self._banned) >= MAX_BANS:
            self._end(min(self._banned.values(), key=lambda ban: ban.until).source, "displaced")
        suspect = self._suspect(host)
        suspect.strikes = Fading()
        offence = max(1, round(suspect.offences.add(1.0, FORGET_S, now)))
        policy = self._policy
        for_s = min(policy.at_most_s, policy.for_s * 2.0 ** min(offence - 1, 30))
        ban = self._banned[source] = Ban(source, reason, now, now + for_s, offence)
        self._counters["bans"] += 1
        self.on_banned(ban)

    def _end(self, source: str, why: str) -> bool:
        ban = self._banned.pop(source, None)
        if ban is None:
            return False
        self._counters[f"bans_{why}"] += 1
        self.on_lifted(ban, why)
        return True

    def _suspect(self, host: str) -> _Suspect:
        return self._recall(self._suspects, source_of(host), _Suspect)

    @staticmethod
    def _recall(table: OrderedDict[str, _T], key: str, make: Callable[[], _T]) -> _T:
        found = table.get(key)
        if found is None:
            found = table[key] = make()
            if len(table) > MAX_SUSPECTS:
                table.popitem(last=False)
        else:
            table.move_to_end(key)
        return found
