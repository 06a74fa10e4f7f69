"""Plateau as a client of its carriers: one registration for each trunk that says `register`.

    Registration (pbx.sip.registration): what to send, when, what an answer means
    Carrier: where that goes (RFC 3263, one hop after the other), its transaction, its timer, its events
    Carriers: all of them; follows the site, and knows a carrier's calls by the contact that was registered there
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from config.schema import Site
from config.trunks import Trunk
from pbx.call import events
from pbx.call.clock import Timer
from pbx.sip.address import uri_of
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.registration import Account, Registration, State
from pbx.sip.uri import Uri, user_of

if TYPE_CHECKING:
    from pbx.call.switch import Switch

#: Have a callable called with the hops of a URI, best first; with () when it leads nowhere.
Resolve = Callable[[str, Callable[[tuple[Hop, ...]], None]], None]
Tell = Callable[[object], None]

_LINE: Final = ";line="


@dataclass(frozen=True, slots=True)
class TrunkRegistration:
    """How a trunk's registration stands, for people and programs."""

    trunk: str
    state: str  # see pbx.sip.registration
    registrar: str
    registered: bool  # the carrier has our contact, as far as we know
    expires_at: float | None  # seconds since 1970
    next_at: float | None  # when it is refreshed or tried again
    failures: int  # in a row
    last_status: int  # of the last failure; 0 after a success
    last_reason: str


def account_of(name: str, trunk: Trunk) -> Account | None:
    """What to register for a trunk; None if it doesn't say so."""
    wish, login = trunk.registration, trunk.login
    if wish is None or login is None:
        return None
    base = Uri.parse(wish.registrar or trunk.ways[0].uri)
    registrar = str(Uri(base.scheme, None, None, base.host, base.port, base.params))
    aor = str(Uri.sip(wish.user or login.username, base.host))
    password = login.password.get_secret_value()
    # The same after a restart, so that calls to the contact of the life before are known too.
    token = hmac.digest(password.encode(), f"plateau {name} {aor}".encode(), "sha256").hex()[:20]
    contact_user = wish.contact_user or str(Uri.sip(wish.user or login.username, "h").user)
    return Account(registrar, aor, login.username, password, contact_user, token, wish.every_s)


class Carrier:
    """The registration of one trunk: a user of its REGISTER transactions."""

    def __init__(self, trunk: str, account: Account, switch: Switch, resolve: Resolve, tell: Tell) -> None:
        self.trunk = trunk
        self.account = account
        token = switch.ids.token
        self.registration = Registration(account, token, lambda: int(token()[:8], 16) / 0xFFFFFFFF)
        self.hop: Hop | None = None  # where the last answer came from
        self.then: Callable[[], None] | None = None  # to be called once it is stopped
        self._switch = switch
        self._resolve = resolve
        self._tell_of = tell
        self._hops: tuple[Hop, ...] = ()  # not yet tried for this request
        self._timer: Timer | None = None
        self._told = 0  # failures that were told of
        self._registered = False  # as told

    @property
    def stopped(self) -> bool:
        return self.registration.state is State.STOPPED

    def view(self, now: float) -> TrunkRegistration:
        one = self.registration
        bound = one.bound(now)
        return TrunkRegistration(
            self.trunk, one.state.value, self.account.registrar, bound, one.bound_until if bound else None, one.due_at,
            one.failures, one.last_status, one.last_reason,
        )  # fmt: skip

    # --- inputs -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.registration.start(self._switch.clock.now())
        self._turn()

    def stop(self) -> None:
        self.registration.stop(self._switch.clock.now())
        self._turn()

    def lost(self) -> None:
        self.registration.lost(self._switch.clock.now())
        self._turn()

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status == 503 and self._hops:  # RFC 3263 4.3
            self._send_next()
            return
        if 200 <= response.status < 300:
            self.hop = hop
        self.registration.receive(response, now)
        self._turn()

    def on_failure(self, status: int, now: float) -> None:
        if self._hops:
            self._send_next()
            return
        self.registration.failed(status, "no answer" if status == 408 else "not reachable", now)
        self._turn()

    def _time(self) -> None:
        self._timer = None
        self.registration.time(self._switch.clock.now())
        self._turn()

    # --- outputs ----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Do what the registration wants now, and tell what became of it."""
        one, clock = self.registration, self._switch.clock
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if one.due_at is not None:
            self._timer = clock.after(max(0.0, one.due_at - clock.now()), self._time)
        self._tell(clock.now())
        if one.wants_to_send:
            one.wants_to_send = False
            self._resolve(one.uri, self._send_to)
        if self.stopped and self.then is not None:
            then, self.then = self.then, None
            then()

    def _send_to(self, hops: tuple[Hop, ...]) -> None:
        self._hops = hops
        if hops:
            self._send_next()
        else:
            self.registration.failed(503, "unknown host", self._switch.clock.now())
            self._turn()

    def _send_next(self) -> None:
        hop, self._hops = self._hops[0], self._hops[1:]
        switch = self._switch
        branch = switch.ids.branch()
        data = self.registration.request(switch.via(hop, branch), switch.local.sent_by(hop), hop.transport)
        switch.layer.request(data, branch, "REGISTER", hop, self, switch.clock.now())

    def _tell(self, now: float) -> None:
        """Events: registered and not any more; each failure once."""
        one = self.registration
        if one.failures == 0:
            self._told = 0
        elif one.failures != self._told and one.due_at is not None:
            self._told = one.failures
            self._switch.counters["trunk_registration_failures"] += 1
            retry_s = one.due_at - now
            self._tell_of(events.TrunkRegistrationFailed(now, self.trunk, one.last_status, one.last_reason, retry_s))
        registered = one.bound(now) and one.state is not State.REMOVING
        if registered and not self._registered:
            self._tell_of(events.TrunkRegistered(now, self.trunk, self.account.registrar, one.expires_s))
        elif self._registered and not registered:
            self._tell_of(events.TrunkUnregistered(now, self.trunk))
        self._registered = registered


class Carriers:
    """The registrations of a site; `tell` hears their events. `configure` after each reload, `stop` before the end."""

    def __init__(self, switch: Switch, resolve: Resolve, tell: Tell) -> None:
        self._switch = switch
        self._resolve = resolve
        self._tell = tell
        self._carriers: dict[str, Carrier] = {}
        self._leaving: set[Carrier] = set()
        self._by_line: dict[str, Carrier] = {}
        self._by_user: dict[str, list[Carrier]] = {}
        self._stopping = False

    def configure(self, site: Site) -> None:
        """What is new is registered, what is gone is taken away, what changed is both, one after the other."""
        wanted = {name: account for name, trunk in site.trunks.items() if (account := account_of(name, trunk))}
        for name, carrier in list(self._carriers.items()):
            if wanted.get(name) != carrier.account:
                del self._carriers[name]
                self._leave(carrier)
        for name, account in wanted.items():
            if name not in self._carriers:
                self._carriers[name] = Carrier(name, account, self._switch, self._resolve, self._tell)
        self._by_line = {one.account.line: one for one in self._carriers.values()}
        self._by_user = {}
        for one in self._carriers.values():
            self._by_user.setdefault(one.account.contact_user, []).append(one)
        self._start_new()

    def _start_new(self) -> None:
        leaving = {one.trunk for one in self._leaving}
        for one in list(self._carriers.values()):
            if one.stopped and one.trunk not in leaving and not self._stopping:
                one.start()

    def _leave(self, carrier: Carrier) -> None:
        """A contact may be the same before and after, so the removal ends before its successor begins."""
        self._leaving.add(carrier)

        def gone() -> None:
            self._leaving.discard(carrier)
            self._start_new()

        carrier.then = gone
        carrier.stop()

    def stop(self) -> None:
        """Take every contact away; `stopped` tells when that is done."""
        self._stopping = True
        for carrier in self._carriers.values():
            carrier.stop()

    @property
    def stopped(self) -> bool:
        return not self._leaving and all(one.stopped for one in self._carriers.values())

    @property
    def registered(self) -> int:
        """How many trunks are registered."""
        now = self._switch.clock.now()
        return sum(one.registration.bound(now) for one in self._carriers.values())

    def __len__(self) -> int:
        return len(self._carriers)

    def views(self) -> list[TrunkRegistration]:
        now = self._switch.clock.now()
        return [one.view(now) for one in self._carriers.values()]

    def connection_lost(self, hop: Hop) -> None:
        """Who was registered by this connection registers anew: calls to us may have no other way."""
        for one in self._carriers.values():
            if one.hop is not None and one.hop.reliable and one.hop[:3] == hop[:3]:
                one.lost()

    def service_route(self, trunk: str) -> tuple[str, ...]:
        """The Route of calls out by a trunk (RFC 3608)."""
        one = self._carriers.get(trunk)
        return one.registration.service_route if one is not None else ()

    def identify(self, request: Request, source: Hop) -> tuple[str, str] | None:
        """(trunk, number dialled) of a call to a contact that we registered. The contact's token is known to that
        carrier alone. Some carriers forget the parameters of a contact; then its user has to come from the registrar's
        own address."""
        if not self._carriers:
            return None
        carrier = self._of(request.uri, source)
        if carrier is None:
            return None
        user = user_of(request.uri)
        return carrier.trunk, _called_number(request) if user == carrier.account.contact_user else user

    def _of(self, uri: str, source: Hop) -> Carrier | None:
        at = uri.find(_LINE)
        if at >= 0:
            line = uri[at + len(_LINE) :].partition(";")[0].partition("?")[0]
            return self._by_line.get(line)
        for one in self._by_user.get(user_of(uri), ()):
            if one.hop is not None and one.hop.host == source.host:
                return one
        return None


def _called_number(request: Request) -> str:
    """A call to our contact was made to another number: the one that P-Called-Party-ID (RFC 7315 4.2) or To says."""
    for name in ("P-Called-Party-ID", "To"):
        try:
            if user := user_of(uri_of(request.get(name) or "")):
                return user
        except SipError:
            continue
    return user_of(request.uri)
