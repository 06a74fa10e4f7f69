"""The notifier: takes SUBSCRIBE, knows who watches what, and tells them (RFC 6665 4.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

from pbx.call import sips
from pbx.call.screening import Identity
from pbx.call.switch import Switch
from pbx.sip.dialog import Dialog
from pbx.sip.errors import BadMessage, SipError
from pbx.sip.grammar import escape, param, parse_params
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.uri import USER_ALLOWED, host_port_of, user_of
from pbx.subscriptions.refused import MOST_S, Refused, check_expires, expires_of, refuse
from pbx.subscriptions.subscription import Subscription

LIMIT: Final = 100_000  # subscriptions of all watchers
LIMIT_EACH: Final = 500  # of one watcher: an operator's panel with a lamp for everybody


class Package(Protocol):
    """An event package (RFC 6665 5): what can be watched, by whom, and how it is told."""

    @property
    def event(self) -> str: ...

    @property
    def content_type(self) -> str: ...

    @property
    def default_s(self) -> int:
        """How long a subscription lives whose watcher does not say."""

    def refusal(self, watcher: str, resource: str) -> int | None:
        """The status that refuses extension `watcher` the sight of `resource`; None: he may see it."""

    def document(self, resource: str, entity: str, version: int, now: float) -> str:
        """The whole state; `entity` is the resource as the watcher named it, a SIP URI."""


class Notifier:
    """All subscriptions, by what they watch."""

    def __init__(self, switch: Switch, packages: Iterable[Package], counters: Counter[str], limit: int = LIMIT) -> None:
        self.switch = switch
        self._packages = {package.event: package for package in packages}
        self._counters = counters
        self._limit = limit
        self._watching: dict[tuple[str, str], list[Subscription]] = {}  # (event, resource)
        self._watchers: Counter[str] = Counter()
        self._count = 0
        for event in self._packages:
            switch.capabilities.serve_event(event)

    def __len__(self) -> int:
        return self._count

    def changed(self, event: str, resource: str) -> None:
        """What `resource` looks like in the package `event` is another now."""
        for subscription in self._watching.get((event, resource), ()):
            subscription.changed()

    def view(self) -> list[dict[str, object]]:
        """Every subscription, for people."""
        return [
            {"watcher": one.watcher, "event": event, "resource": resource, "expires_at": one.expires_at}
            for (event, resource), ones in self._watching.items()
            for one in ones
        ]

    def close(self) -> None:
        """Tell every watcher that it is over; he may subscribe again elsewhere (RFC 6665 4.1.3, deactivated)."""
        for ones in list(self._watching.values()):
            for one in list(ones):
                one.end("deactivated")

    # --- SUBSCRIBE --------------------------------------------------------------------------------------------------

    def serve(self, request: Request, transaction: ServerTransaction, identity: Identity, now: float) -> None:
        """A SUBSCRIBE outside a dialog. The sender is known."""
        try:
            event, package = self._event(request)
            watcher = identity.extension
            if watcher is None:
                raise Refused(403)
            resource = user_of(request.uri) or watcher  # who asks the server itself means his own (RFC 3842 3.3)
            self._check(request, package, watcher, resource)
            host = host_port_of(request.uri)[0]
            host = f"[{host}]" if ":" in host else host
            entity = f"sip:{escape(resource, USER_ALLOWED)}@{host}"
        except SipError as error:
            self._refuse(error, transaction, now)
            return
        contact = self.switch.contact(transaction.hop, sips.asked_by(request))
        dialog = Dialog.of_request(request, self.switch.ids.token(), contact, transaction.source)
        one = Subscription(self, package, dialog, event, resource, entity, watcher)
        self._watching.setdefault((package.event, resource), []).append(one)
        self._watchers[watcher] += 1
        self._count += 1
        self.switch.add(one)
        self._counters["subscriptions_begun"] += 1
        self._accept(one, request, transaction, now)

    def refresh(self, one: Subscription, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A SUBSCRIBE inside its dialog."""
        try:
            if self._event(request)[0] != one.event:
                raise self._unknown_event()  # a dialog has one subscription here (RFC 6665 4.5.2)
            check_expires(request)
        except SipError as error:
            self._refuse(error, transaction, now)
            return
        one.dialog.refresh(request, transaction.source)
        self._accept(one, request, transaction, now)

    def _event(self, request: Request) -> tuple[str, Package]:
        """The Event value as NOTIFY repeats it, that is with its id (RFC 6665 8.2.1), and its package."""
        value = request.get("Event") or ""
        name, semicolon, _ = value.partition(";")
        event_id = param(parse_params(value, len(name)), "id") if semicolon else None
        name = name.strip().lower()
        package = self._packages.get(name)
        if name == "refer":
            raise Refused(403)  # RFC 3515 2.4.4: it is REFER that makes those
        if package is None:
            raise self._unknown_event()
        return (name if event_id is None else f"{name};id={event_id}"), package

    def _unknown_event(self) -> Refused:
        return Refused(489, self.switch.capabilities.events)

    def _check(self, request: Request, package: Package, watcher: str, resource: str) -> None:
        if not _accepts(request, package.content_type):
            raise Refused(406, f"Accept: {package.content_type}\r\n")
        if request.get("Contact") is None:
            raise BadMessage("Missing Contact")  # 12.1.1: a request that makes a dialog has one
        check_expires(request)
        status = package.refusal(watcher, resource)
        if status is not None:
            raise Refused(status)
        if len(self) >= self._limit or self._watchers[watcher] >= LIMIT_EACH:
            raise Refused(503, f"Retry-After: {self.switch.retry_after_s()}\r\n")

    def _refuse(self, error: SipError, transaction: ServerTransaction, now: float) -> None:
        refuse(error, transaction, self.switch, self._counters, "subscriptions_refused", now)

    def _accept(self, one: Subscription, request: Request, transaction: ServerTransaction, now: float) -> None:
        """200, then the state as it is, whatever was told before (4.2.1.2)."""
        wanted_s = expires_of(request)
        expires_s = one.package.default_s if wanted_s is None else min(wanted_s, MOST_S)
        headers = f"Contact: {one.dialog.contact}\r\nExpires: {expires_s}\r\n"
        transaction.respond(200, now, to_tag=one.dialog.local_tag, headers=headers)
        if expires_s == 0:
            one.end("timeout")
        else:
            one.extend(expires_s, now)
            one.tell()

    def forget(self, one: Subscription) -> None:
        """It is over."""
        self.switch.forget(one)
        key = one.package.event, one.resource
        ones = self._watching[key]
        ones.remove(one)
        if not ones:
            del self._watching[key]
        self._count -= 1
        self._watchers[one.watcher] -= 1
        if not self._watchers[one.watcher]:
            del self._watchers[one.watcher]


def _accepts(request: Request, content_type: str) -> bool:
    """RFC 6665 4.1.2.1: without Accept the package's default is meant."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in request.values("Accept")]
    family = content_type.partition("/")[0]
    return not kinds or any(kind in (content_type, f"{family}/*", "*/*") for kind in kinds)
