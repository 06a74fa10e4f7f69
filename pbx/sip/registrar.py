"""The registrar (RFC 3261 10.3): takes a REGISTER, says what to answer and changes the store of bindings.

    To and Request-URI ours? --no--> 404        Contact absent ------> 200, the bindings as they are
    Require understood? -----no--> 420          `*` and Expires 0 ---> all removed
    credentials good? -------no--> 401, 403     otherwise -----------> each contact added, refreshed or removed;
    the user's own AOR? -----no--> 403                                  all of them or none (10.3 step 7)
    a flow, and a proxy between
    that keeps none? --------yes-> 439 (RFC 5626 6)

The AOR is known by its user part: extensions and trunk logins of a site have unique names, and phones register them at
whatever name or address of ours they were given. Nothing is told about who exists before a right password was shown.

Phones call by the way they register, unless a Service-Route (RFC 3608) tells them the site's proxies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Protocol

from pbx.sip.address import uri_of
from pbx.sip.binding import Binding, Change, Contact, hop_by_path, hop_for, read_contact, read_path, same_device
from pbx.sip.digest import DigestServer, Outcome
from pbx.sip.errors import BadMessage, SipError
from pbx.sip.grammar import split_values
from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.uri import host_port_of, user_of

SUPPORTED: Final = frozenset({"path", "outbound", "gruu"})
MAX_CONTACTS: Final = 10  # of one request
#: How often a phone is to show that its flow lives (RFC 5626 4.4, 5.4): most NATs forget a UDP flow after 30 s.
FLOW_TIMER_S: Final = {"udp": 25}
STREAM_FLOW_TIMER_S: Final = 120
_MAX_DELTA_S: Final = (1 << 32) - 1  # RFC 3261 20.19
_OB = re.compile(r";ob(?:[;=?>]|\Z)", re.IGNORECASE)
_URN = re.compile(r"<(urn:[\w:.-]{1,100})>", re.ASCII)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

AtLimit = Literal["replace oldest", "refuse"]


class Bindings(Protocol):
    """The store of bindings; pbx.routing.location has it."""

    def contacts(self, aor: str, now: float) -> Sequence[Binding]: ...

    def replace(self, aor: str, bindings: Sequence[Binding], now: float) -> None: ...


class Reply(NamedTuple):
    """The response to give: `headers` are whole lines ending in CRLF."""

    status: int
    headers: str = ""
    reason: str | None = None  # None: the usual one
    changes: tuple[Change, ...] = ()


class _Wish(NamedTuple):
    """One Contact of the request, and for how long."""

    contact: Contact
    expires_s: int


class _Flow(NamedTuple):
    """What a request says about how its contacts are reached."""

    source: Hop
    path: tuple[str, ...]
    outbound: bool  # the contact is a flow of its device (RFC 5626)

    def hop(self, uri: str, before: Sequence[Binding]) -> Hop:
        """Where requests to a contact go; `before` is what it replaces: a refresh goes where it went."""
        if self.path:
            return hop_by_path(self.path[0], self.source)
        if before and before[0].contact == uri and before[0].source == self.source and not before[0].path:
            return before[0].hop
        return hop_for(uri, self.source)


class _Refused(SipError):
    """Ends the processing with a status and header lines."""

    def __init__(self, status: int, reason: str = "", headers: str = "") -> None:
        super().__init__(reason, status)
        self.headers = headers


class Registrar:
    """One registrar for one realm.

    `max_contacts_of(user)` is None for who may not register. `is_local(host)` says whether a host (lower case, IPv6
    without brackets) is ours; without it any is. `on_auth_failure(user, source)` is told of wrong passwords and of
    registrations for somebody else. `at_limit`: what happens to one contact too many. `outbound`: whether flows of a
    device are kept apart (RFC 5626). `service_route`: URIs with `;lr`, through which phones are to send their requests.
    """

    def __init__(
        self,
        store: Bindings,
        digest: DigestServer,
        max_contacts_of: Callable[[str], int | None],
        *,
        is_local: Callable[[str], bool] | None = None,
        on_auth_failure: Callable[[str, Hop], None] = lambda user, source: None,
        counters: Counter[str] | None = None,
        min_expires_s: int = 60,
        max_expires_s: int = 3600,
        default_expires_s: int = 3600,
        at_limit: AtLimit = "replace oldest",
        outbound: bool = True,
        service_route: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._digest = digest
        self._max_contacts_of = max_contacts_of
        self._is_local = is_local
        self._on_auth_failure = on_auth_failure
        self._counters: Counter[str] = Counter() if counters is None else counters
        self._min_expires_s = min_expires_s
        self._max_expires_s = max_expires_s
        self._default_expires_s = default_expires_s
        self._at_limit = at_limit
        self._outbound = outbound
        self._service_route = "".join([f"Service-Route: <{uri}>\r\n" for uri in service_route])

    def register(self, request: Request, source: Hop, now: float) -> Reply:
        """Answer a REGISTER. Either all of its changes are made or none."""
        try:
            aor = self._aor(request)
            self._check_require(request)
            limit = self._authorise(request, aor, source, now)
            return self._update(request, aor, limit, source, now)
        except _Refused as refused:
            return Reply(refused.status or 400, refused.headers, refused.reason or None)
        except SipError as error:
            return Reply(error.status or 400, "", error.reason)

    def _aor(self, request: Request) -> str:
        """The user part of To (10.3 steps 1 and 5)."""
        to = uri_of(request.get("To") or "")
        if to[:4].lower() != "sip:" and to[:5].lower() != "sips:":
            raise _Refused(404)
        if self._is_local is not None:
            for uri in (to, request.uri):
                if not self._is_local(host_port_of(uri)[0].lower()):
                    raise _Refused(404)
        user = user_of(to)
        if not user:
            raise _Refused(404)
        return user

    def _check_require(self, request: Request) -> None:
        """Step 2."""
        if request.get("Require") is None:
            return
        unknown = [option for option in request.values("Require") if option.lower() not in SUPPORTED]
        if unknown:
            raise _Refused(420, headers=f"Unsupported: {', '.join(unknown)}\r\n")

    def _authorise(self, request: Request, aor: str, source: Hop, now: float) -> int:
        """Steps 3 and 4: who is it, and may he change this AOR? The number of contacts the AOR may have."""
        host = source.host
        verdict = self._digest.verify("REGISTER", request.all("Authorization"), now, request.body, host)
        if verdict.outcome is Outcome.WRONG:
            self._fail(verdict.username, source)
            raise _Refused(403)
        if verdict.outcome is not Outcome.ACCEPTED:
            stale = verdict.outcome is Outcome.STALE
            raise _Refused(401, headers=self._digest.challenge_lines(now, host, stale=stale))
        limit = self._max_contacts_of(aor) if verdict.username == aor else None
        if limit is None:
            self._fail(verdict.username, source)
            raise _Refused(403)
        return limit

    def _fail(self, user: str, source: Hop) -> None:
        self._counters["sip_auth_failures"] += 1
        self._on_auth_failure(user, source)

    def _update(self, request: Request, aor: str, limit: int, source: Hop, now: float) -> Reply:
        """Steps 6 to 8."""
        old = self._store.contacts(aor, now)
        values = request.values("Contact")
        required = request.all("Require") if request.get("Require") is not None else ()
        options = _options(",".join([*request.all("Supported"), *required]))
        gruu = _gruu_of(request) if "gruu" in options else None
        if not values:
            return Reply(200, _lines(old, now, gruu))
        if "*" in values:
            self._check_star(request, values)
            for binding in old:
                _check_order(binding, request)
            self._store.replace(aor, (), now)
            self._counters["registrations_removed"] += len(old)
            return Reply(200, _date(int(now)), None, tuple([Change("removed", aor, one) for one in old]))
        if len(values) > MAX_CONTACTS:
            raise _Refused(403, "Too many contacts")
        wishes = [self._wish(request, value) for value in values]
        path = read_path(request.values("Path")) if request.get("Path") is not None else ()
        flow = _Flow(source, path, self._is_flow(request, wishes, path, options))
        new, changes = _apply(wishes, old, aor, request, flow, now)
        if len(new) > limit:
            new = self._within(limit, new, old, aor, changes)
        self._store.replace(aor, new, now)
        for change in changes:
            self._counters[f"registrations_{change.kind}"] += 1
        lines = _lines(new, now, gruu) + self._service_route
        if path and "path" in options:  # RFC 3327 5.3
            lines += "".join([f"Path: {one}\r\n" for one in path])
        if flow.outbound:
            lines += "Require: outbound\r\n"
            if not path:  # the phone's first hop is ours
                lines += f"Flow-Timer: {FLOW_TIMER_S.get(source.transport, STREAM_FLOW_TIMER_S)}\r\n"
        return Reply(200, lines, None, tuple(changes))

    def _check_star(self, request: Request, values: list[str]) -> None:
        if len(values) > 1 or (request.get("Expires") or "").strip("0 ") or not request.get("Expires"):
            raise BadMessage("Contact * needs Expires 0 and stands alone")  # 10.2.2, 10.3 step 6

    def _wish(self, request: Request, value: str) -> _Wish:
        contact = read_contact(value)
        text = request.get("Expires") if contact.expires is None else contact.expires
        expires_s = self._default_expires_s if text is None else _delta_seconds(text)
        if 0 < expires_s < self._min_expires_s:
            raise _Refused(423, headers=f"Min-Expires: {self._min_expires_s}\r\n")
        return _Wish(contact, min(expires_s, self._max_expires_s))

    def _is_flow(self, request: Request, wishes: list[_Wish], path: tuple[str, ...], options: frozenset[str]) -> bool:
        """RFC 5626 6: a contact with instance and reg-id of a phone that knows outbound, alone in its request. The
        first proxy, if there is one, must keep the flow to the phone: it says so by `ob` in its Path."""
        if not self._outbound or "outbound" not in options or not any([one.contact.reg_id for one in wishes]):
            return False
        if len(wishes) > 1 and any([one.expires_s for one in wishes]):
            raise BadMessage("A contact with reg-id stands alone")
        if not _OB.search(path[-1]) if path else len(request.values("Via")) > 1:
            raise _Refused(439, "First Hop Lacks Outbound Support")
        return True

    def _within(
        self, limit: int, new: list[Binding], old: Sequence[Binding], aor: str, changes: list[Change]
    ) -> list[Binding]:
        """At most `limit` bindings: those nearest to their end make room, so that a phone that crashed and came back
        under another port is never locked out by its own past. More in one request than the limit is refused."""
        excess = len(new) - limit
        untouched = sorted([one for one in new if one in old], key=lambda one: one.expires_at)
        if excess > len(untouched) or (self._at_limit == "refuse" and len(new) > len(old)):
            self._counters["registrations_refused_at_limit"] += 1
            raise _Refused(403, "Too many contacts")
        gone = untouched[:excess]
        changes += [Change("removed", aor, one) for one in gone]
        return [one for one in new if one not in gone]


def _delta_seconds(text: str) -> int:
    """Malformed means 3600 (RFC 3261 20.10 and 20.19)."""
    if not (text.isascii() and text.isdigit()):
        return 3600
    return min(int(text), _MAX_DELTA_S) if len(text) <= 10 else _MAX_DELTA_S


@lru_cache(maxsize=256)
def _options(text: str) -> frozenset[str]:
    """The option tags of Supported and Require; phones of one model write the same."""
    return frozenset([one.lower() for one in split_values(text)])


def _apply(
    wishes: Iterable[_Wish], old: Sequence[Binding], aor: str, request: Request, flow: _Flow, now: float
) -> tuple[list[Binding], list[Change]]:
    """The bindings after the request, newest last, and what changed; nothing is stored yet."""
    new = list(old)
    changes: list[Change] = []
    for wish in wishes:
        uri, params, q, instance, reg_id, _ = wish.contact
        if not flow.outbound:
            reg_id = 0
        same = [one for one in new if same_device(one, uri, instance, reg_id)]
        for binding in same:
            if binding in old:
                _check_order(binding, request)
            new.remove(binding)
        if wish.expires_s == 0:
            changes += [Change("removed", aor, binding) for binding in same]
            continue
        binding = Binding(
            uri, params, q, now + wish.expires_s, request.call_id, request.cseq, flow.source,
            flow.hop(uri, same), instance, flow.path, reg_id,
        )  # fmt: skip
        new.append(binding)
        changes += [Change("removed", aor, one) for one in same if one.contact != uri]
        refreshed = any([one.contact == uri for one in same])
        changes.append(Change("refreshed" if refreshed else "added", aor, binding))
    return new, changes


def _check_order(binding: Binding, request: Request) -> None:
    """10.3 step 7: a request overtaken by a later one of the same Call-ID changes nothing."""
    if binding.call_id == request.call_id and request.cseq <= binding.cseq:
        raise _Refused(500, "Registration out of order")


def _gruu_of(request: Request) -> str:
    """What the public GRUUs of the AOR have in common (RFC 5627 3.1.1). There are no temporary ones: nobody but us
    ever sees a phone's Contact, so they would hide nothing."""
    return f'{uri_of(request.get("To") or "").partition(";")[0].partition("?")[0]};gr='


def _lines(bindings: Sequence[Binding], now: float, gruu: str | None) -> str:
    """Every binding of the AOR with what is left of its time (step 8)."""
    lines = _date(int(now))
    for one in bindings:
        public = ""
        if gruu is not None and one.instance is not None and (urn := _URN.fullmatch(one.instance)):
            public = f';pub-gruu="{gruu}{urn[1]}"'
        left_s = max(0, round(one.expires_at - now))
        lines += f"Contact: <{one.contact}>{one.params}{public};expires={left_s}\r\n"
    return lines


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    """The Date line that tells a phone the time (step 8; RFC 3261 20.17)."""
    at = datetime.fromtimestamp(now, UTC)
    return f"Date: {_DAYS[at.weekday()]}, {at:%d} {_MONTHS[at.month - 1]} {at:%Y %H:%M:%S} GMT\r\n"
