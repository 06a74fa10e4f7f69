"""The registrar (RFC 3261 10.3): takes a REGISTER, says what to answer and changes the store of bindings.

    To and Request-URI ours? --no--> 404        Contact absent ------> 200, the bindings as they are
    Require understood? -----no--> 420          `*` and Expires 0 ---> all removed
    credentials good? -------no--> 401, 403     otherwise -----------> each contact added, refreshed or removed;
    the user's own AOR? -----no--> 403                                  all of them or none (10.3 step 7)

The AOR is known by its user part: extensions and trunk logins of a site have unique names, and phones register them at
whatever name or address of ours they were given. Nothing is told about who exists before a right password was shown.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Protocol

from pbx.sip.address import parts_of, uri_of, validate_contact
from pbx.sip.digest import DigestServer, Outcome
from pbx.sip.errors import BadMessage, BadUri, SipError
from pbx.sip.grammar import Params, format_params, param, parse_params, without_params
from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.uri import Uri, host_port_of, user_of

SUPPORTED: Final = frozenset({"path"})
_MAX_DELTA_S: Final = (1 << 32) - 1  # RFC 3261 20.19


class Binding(NamedTuple):
    """One contact of an AOR. A tuple: thousands are made a second, one for each refresh."""

    contact: str  # URI as the phone wrote it, embedded headers included
    params: str  # the Contact's parameters but `expires`, as ";q=0.5;+sip.instance=..."
    q: float
    expires_at: float
    call_id: str
    cseq: int
    source: Hop  # where the REGISTER came from
    hop: Hop  # where requests to this contact go (see `hop_for`)
    instance: str | None = None  # +sip.instance with its reg-id: the device (RFC 5626 4.1)
    path: tuple[str, ...] = ()  # RFC 3327: the Route of requests to this contact

    @property
    def request_uri(self) -> str:
        """The Request-URI of requests to this contact: embedded headers are not acted on (RFC 3261 19.1.5)."""
        if "?" not in self.contact:
            return self.contact
        user, at, rest = self.contact.rpartition("@")  # a user part may hold a question mark
        return f"{user}{at}{rest.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one binding."""

    kind: Literal["added", "refreshed", "removed", "expired"]
    aor: str
    binding: Binding


class Bindings(Protocol):
    """The store of bindings; pbx.routing.location has it."""

    def contacts(self, aor: str, now: float) -> Sequence[Binding]: ...

    def replace(self, aor: str, bindings: Sequence[Binding], now: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to give: `headers` are whole lines ending in CRLF."""

    status: int
    headers: str = ""
    reason: str | None = None  # None: the usual one
    changes: tuple[Change, ...] = ()


class _Contact(NamedTuple):
    """One Contact value, read."""

    uri: str
    params: str  # without `expires`
    q: float
    instance: str | None
    expires: str | None


class _Wish(NamedTuple):
    """One Contact of the request, and for how long."""

    contact: _Contact
    expires_s: int


class _Refused(SipError):
    """Ends the processing with a status and header lines."""

    def __init__(self, status: int, reason: str = "", headers: str = "") -> None:
        super().__init__(reason, status)
        self.headers = headers


class Registrar:
    """One registrar for one realm.

    `max_contacts_of(user)` is None for who may not register. `is_local(host)` says whether a host (lower case, IPv6
    without brackets) is ours; without it any is. `on_auth_failure(user, source)` is told of wrong passwords and of
    registrations for somebody else.
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
        if request.get("Require") is None:
            return
        unknown = [option for option in request.values("Require") if option.lower() not in SUPPORTED]
        if unknown:
            raise _Refused(420, headers=f"Unsupported: {', '.join(unknown)}\r\n")

    def _authorise(self, request: Request, aor: str, source: Hop, now: float) -> int:
        """Steps 3 and 4: who is it, and may he change this AOR? The number of contacts the AOR may have."""
        verdict = self._digest.verify("REGISTER", request.all("Authorization"), now, request.body)
        if verdict.outcome is not Outcome.ACCEPTED:
            if verdict.outcome in (Outcome.WRONG, Outcome.REFUSED):
                self._fail(verdict.username, source)
            if verdict.outcome is Outcome.WRONG:
                raise _Refused(403)
            raise _Refused(401, headers=self._digest.challenge_lines(now, stale=verdict.outcome is Outcome.STALE))
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
        old = list(self._store.contacts(aor, now))
        values = request.values("Contact")
        if not values:
            return Reply(200, _contact_lines(old, now))
        if "*" in values:
            self._check_star(request, values)
            for binding in old:
                _check_order(binding, request)
            self._store.replace(aor, (), now)
            self._counters["registrations_removed"] += len(old)
            return Reply(200, "", None, tuple(Change("removed", aor, one) for one in old))
        wishes = [self._wish(request, value) for value in values]
        new, changes = _apply(wishes, old, aor, request, source, now)
        new = _within(limit, new, old, aor, changes)
        self._store.replace(aor, new, now)
        for change in changes:
            self._counters[f"registrations_{change.kind}"] += 1
        lines = _contact_lines(self._store.contacts(aor, now), now)
        if (path := request.all("Path")) and "path" in (one.lower() for one in request.values("Supported")):
            lines += "".join(f"Path: {one}\r\n" for one in path)
        return Reply(200, lines, None, tuple(changes))

    def _check_star(self, request: Request, values: list[str]) -> None:
        if len(values) > 1 or (request.get("Expires") or "").strip("0 ") or not request.get("Expires"):
            raise BadMessage("Contact * needs Expires 0 and stands alone")  # 10.2.2, 10.3 step 6

    def _wish(self, request: Request, value: str) -> _Wish:
        contact = _read_usual(value) if len(value) <= _USUAL_LENGTH else _read_contact(value)
        text = request.get("Expires") if contact.expires is None else contact.expires
        expires_s = self._default_expires_s if text is None else _delta_seconds(text)
        if 0 < expires_s < self._min_expires_s:
            raise _Refused(423, headers=f"Min-Expires: {self._min_expires_s}\r\n")
        return _Wish(contact, min(expires_s, self._max_expires_s))


def _read_contact(value: str) -> _Contact:
    """Raises SipError when it is no contact that could be called."""
    validate_contact(value)
    _, uri, position = parts_of(value)
    if uri[:4].lower() != "sip:" and uri[:5].lower() != "sips:":
        raise BadUri("Contact is no SIP URI")
    host_port_of(uri)
    params = parse_params(value, position)
    kept = format_params(without_params(params, ("expires",)))
    return _Contact(uri, kept, _q(params), _instance(params), param(params, "expires"))


#: A phone refreshes with the same Contact each time: read once, kept while it is short.
_read_usual = lru_cache(maxsize=8192)(_read_contact)
_USUAL_LENGTH: Final = 300  # characters


def _delta_seconds(text: str) -> int:
    """Malformed means 3600 (RFC 3261 20.10 and 20.19)."""
    if not (text.isascii() and text.isdigit()):
        return 3600
    return min(int(text), _MAX_DELTA_S) if len(text) <= 10 else _MAX_DELTA_S


def _apply(
    wishes: Iterable[_Wish], old: Sequence[Binding], aor: str, request: Request, source: Hop, now: float
) -> tuple[list[Binding], list[Change]]:
    """The bindings after the request, newest last, and what changed; nothing is stored yet."""
    new = list(old)
    changes: list[Change] = []
    path = tuple(request.values("Path"))
    for wish in wishes:
        uri, params, q, instance, _ = wish.contact
        same = [one for one in new if _same_device(one, uri, instance)]
        for binding in same:
            if binding in old:
                _check_order(binding, request)
            new.remove(binding)
        if wish.expires_s == 0:
            changes += [Change("removed", aor, binding) for binding in same]
            continue
        binding = Binding(
            uri, params, q, now + wish.expires_s,
            request.call_id, request.cseq, source, hop_for(uri, source), instance, path,
        )  # fmt: skip
        new.append(binding)
        changes += [Change("removed", aor, one) for one in same if one.contact != uri]
        refreshed = any(one.contact == uri for one in same)
        changes.append(Change("refreshed" if refreshed else "added", aor, binding))
    return new, changes


def _within(limit: int, new: list[Binding], old: Sequence[Binding], aor: str, changes: list[Change]) -> list[Binding]:
    """At most `limit` bindings: those nearest to their end make room, so that a phone that crashed and came back under
    another port is never locked out by its own past. More in one request than the limit is refused."""
    excess = len(new) - limit
    if excess <= 0:
        return new
    untouched = sorted([one for one in new if one in old], key=lambda one: one.expires_at)
    if excess > len(untouched):
        raise _Refused(403, "Too many contacts")
    gone = untouched[:excess]
    changes += [Change("removed", aor, one) for one in gone]
    return [one for one in new if one not in gone]


def _check_order(binding: Binding, request: Request) -> None:
    """10.3 step 7: a request overtaken by a later one of the same Call-ID changes nothing."""
    if binding.call_id == request.call_id and request.cseq <= binding.cseq:
        raise _Refused(500, "Registration out of order")


def _same_device(binding: Binding, contact: str, instance: str | None) -> bool:
    """The same contact by URI comparison (10.3 step 7), or the same device by its instance (RFC 5626 6)."""
    if binding.contact == contact:
        return True
    if instance is not None and binding.instance is not None:
        return instance == binding.instance
    return Uri.parse(binding.contact).matches(Uri.parse(contact))


def _instance(params: Params) -> str | None:
    instance = param(params, "+sip.instance")
    if not instance:
        return None
    return f"{instance};{param(params, 'reg-id') or ''}"


def _q(params: Params) -> float:
    text = param(params, "q") or "1"
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0


def hop_for(contact: str, source: Hop) -> Hop:
    """Where requests to a contact go. A contact on the very host the REGISTER came from is believed, its port included.
    Any other may be a private address behind a NAT or a name only the phone knows: the source is where it is reached.
    Over TCP the source is the connection itself (RFC 5626 5.3), the only way back through a NAT or a firewall."""
    host, port, transport = host_port_of(contact)
    if source.transport != "udp" or transport not in (None, "udp", "tcp") or not _same_host(host, source.host):
        return source
    if transport == "tcp":
        return Hop("tcp", source.host, port or 5060)
    port = port or 5060
    return source if port == source.port else source._replace(port=port)


def _same_host(a: str, b: str) -> bool:
    if a == b:
        return True
    if ":" not in a:
        return False
    try:
        return ipaddress.ip_address(a) == ipaddress.ip_address(b)
    except ValueError:
        return False


def _contact_lines(bindings: Sequence[Binding], now: float) -> str:
    """Every binding of the AOR with what is left of its time (step 8)."""
    return "".join(
        [f"Contact: <{one.contact}>{one.params};expires={max(0, round(one.expires_at - now))}\r\n" for one in bindings]
    )
