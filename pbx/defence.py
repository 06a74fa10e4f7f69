"""What stands between the network and the switch, joined: bans before a message is read, the guard before it is a
transaction, the measure of our own load, and what the log says of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from config.schema import Site
from pbx.call.clock import Timer
from pbx.call.switch import Switch
from pbx.routing import events
from pbx.routing.ban import Ban, Bans
from pbx.routing.failure_log import FailureLog
from pbx.routing.guard import Guard
from pbx.routing.location import Location
from pbx.routing.overload import PERIOD_S, Overload
from pbx.routing.rate import Rates
from pbx.routing.source import Network, within
from pbx.sip import refusal
from pbx.sip.hop import Hop
from pbx.sip.source import source_of
from pbx.transport.driver import Driver

log = structlog.get_logger("pbx.defence")

TIDY_S: Final = 1.0  # how often ended bans are looked for
HOSTS_S: Final = 10.0  # how old the lists of addresses may be; they are made when somebody fails
TOLD_PER_S: Final = 1.0  # bans, in the log and as events, after the first few: forged addresses would fill both
TOLD_BURST: Final = 50


class Defence:
    """One a server; survives reloads. `hops` gives what a URI leads to; None while that is unknown."""

    def __init__(
        self, site: Site, driver: Driver, location: Location, hops: Callable[[str], Sequence[Hop] | None],
        emit: Callable[[object], None], counters: Counter[str],
    ) -> None:  # fmt: skip
        self._driver = driver
        self._location = location
        self._hops = hops
        self._emit = emit
        self._counters = counters
        self._told = Rates(TOLD_PER_S, TOLD_BURST)
        self._phones: frozenset[str] = frozenset()  # addresses that have some
        self._called: frozenset[str] = frozenset()  # sources that our own calls go to
        self._began_at = 0.0
        self._measuring: Timer | None = None
        self._tidying: Timer | None = None
        self._read(site)
        security = site.security
        self.overload = Overload(security.overload.target_delay_s, counters)
        self.bans = Bans(security.ban, self._exempt, self._has_phones, counters)
        self.guard = Guard(security, self._trusted, self._refreshes, self.bans, self.overload, counters)
        self._failures = FailureLog(self._log_failure)
        self.overload.on_change = self._overload_changed
        self.bans.on_banned = self._banned
        self.bans.on_lifted = self._lifted

    def protect(self, switch: Switch) -> None:
        """Stand in front of it."""
        self._driver.admits = self._admits
        self._driver.layer.feedback = self._feedback
        self._driver.layer.bears = self.guard.bears
        switch.judge = self.guard.judge

    def reconfigure(self, site: Site) -> None:
        self._read(site)
        self.overload.reconfigure(site.security.overload.target_delay_s)
        self.bans.reconfigure(site.security.ban, self._exempt)
        self.guard.reconfigure(site.security, self._trusted)

    def _read(self, site: Site) -> None:
        self._gateways = [way.uri for trunk in site.trunks.values() for way in trunk.ways]
        self._hosts_at = float("-inf")  # when the lists were made
        trunks: list[Network] = [network for trunk in site.trunks.values() for network in trunk.sources]
        self._trusted_networks: Sequence[Network] = (*trunks, *site.security.proxies)
        self._exempt_networks: Sequence[Network] = (*self._trusted_networks, *site.security.never_ban)

    # --- running ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Measure and tidy until `close`."""
        self._measuring = self._driver.after(PERIOD_S, self._measure, self._driver.now() + PERIOD_S)
        self._tidying = self._driver.after(TIDY_S, self._tidy)

    def close(self) -> None:
        for timer in (self._measuring, self._tidying):
            if timer is not None:
                timer.cancel()

    def _measure(self, due: float) -> None:
        now = self._driver.now()
        self._measuring = self._driver.after(PERIOD_S, self._measure, now + PERIOD_S)
        self.overload.measure(max(now - due, self._driver.waiting_s()), now)

    def _tidy(self) -> None:
        now = self._driver.now()
        self._tidying = self._driver.after(TIDY_S, self._tidy)
        self.bans.expire(now)
        self._failures.turn(now)

    def _admits(self, data: bytes, hop: Hop) -> bool:
        if not self.bans.admits(hop.host):
            return False
        if not data:  # a new connection
            return self.guard.bears(hop, self._driver.now())
        if not self.overload.active or hop.transport != "udp":
            return True
        if refusal.is_acknowledgement(data):
            return False
        self.overload.reading()
        return self.overload.severity == 0.0 or not self._sheds_unread(data, hop)

    def _sheds_unread(self, data: bytes, hop: Hop) -> bool:
        """Send a call away before it is read, if it is its turn. What is over its source's rate gets no answer."""
        layer = self._driver.layer
        call = refusal.new_call(data)
        if call is None or layer.has_invite(call.via) or not self.overload.sheds_unread():
            return False
        if self._driver.trace is not None:
            self._driver.trace("<-", data, hop)
        if self.guard.bears(hop, self._driver.now()):
            answer = refusal.refusal(call, hop, self.overload.retry_after_s())
            if answer is not None:
                self._driver.send(*answer)
        return True

    # --- who is who -------------------------------------------------------------------------------------------------

    def source_of(self, host: str) -> str:
        """Who is challenged: phones behind our proxies may come by one first, by another then."""
        return "" if self.guard.trusts(host) else source_of(host)

    def _trusted(self, host: str) -> bool:
        return within(self._trusted_networks, host)

    def _exempt(self, host: str) -> bool:
        """Who may not be banned: a carrier that we call would not be heard either, whoever forges its address."""
        self._list_hosts()
        return source_of(host) in self._called or host in self._called or within(self._exempt_networks, host)

    def _refreshes(self, hop: Hop) -> bool:
        return self._location.is_source(hop.host, hop.port)

    def _has_phones(self, host: str) -> bool:
        self._list_hosts()
        return host in self._phones

    def _list_hosts(self) -> None:
        now = self._driver.now()
        if now - self._hosts_at > HOSTS_S:
            self._hosts_at = now
            self._phones = frozenset(one.source.host for _, bindings in self._location for one in bindings)
            self._called = frozenset(source_of(hop.host) for uri in self._gateways for hop in self._hops(uri) or ())

    def _feedback(self, via: str, hop: Hop) -> str:
        return self.overload.feedback(via) if self.guard.trusts(hop.host) else via

    # --- what happened ----------------------------------------------------------------------------------------------

    def failed(self, user: str, source: Hop, method: str) -> None:
        """Somebody showed wrong credentials."""
        now = self._driver.now()
        self._failures.note(user, source, method, now)
        self.bans.failure(source.host, user, now)

    def _log_failure(self, user: str, source: Hop, method: str, count: int | None) -> None:
        # The address comes before what a stranger wrote: no user name can pass for it (docs/fail2ban).
        more = {} if count is None else {"count": count}
        log.warning("authentication failed", source=str(source), user=user, method=method, **more)

    def _is_told(self) -> bool:
        told = self._told.take("", self._driver.now())
        if not told:
            self._counters["bans_untold"] += 1
        return told

    def _banned(self, ban: Ban) -> None:
        self._driver.hang_up(lambda host: source_of(host) == ban.source)
        if not self._is_told():
            return
        log.warning(
            "source banned", source=ban.source, reason=ban.reason, for_s=round(ban.until - ban.since),
            offence=ban.offence,
        )  # fmt: skip
        self._emit(events.SourceBanned(ban.since, ban.source, ban.reason, ban.until, ban.offence))

    def _lifted(self, ban: Ban, why: str) -> None:
        if why != "lifted" and not self._is_told():
            return
        log.info("ban ended", source=ban.source, why=why)
        self._emit(events.SourceUnbanned(self._driver.now(), ban.source, why))

    def _overload_changed(self, overloaded: bool, waiting_s: float) -> None:
        now = self._driver.now()
        if overloaded:
            self._began_at = now
            log.warning("overload began", waiting_s=round(waiting_s, 3))
            self._emit(events.OverloadBegan(now, waiting_s))
        else:
            log.warning("overload ended", lasted_s=round(now - self._began_at, 1))
            self._emit(events.OverloadEnded(now, now - self._began_at))

    # --- for the API ------------------------------------------------------------------------------------------------

    def view(self) -> list[Mapping[str, Any]]:
        """The bans, the newest first."""
        return [
            {"source": ban.source, "reason": ban.reason, "since": ban.since, "until": ban.until, "offence": ban.offence}
            for ban in self.bans.list()
        ]

    def lift(self, source: str) -> bool:
        """End a ban; False if there is none."""
        return self.bans.lift(source)
