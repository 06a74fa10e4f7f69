"""What phones publish of their users, kept for those who watch: the event state compositor of RFC 3903.

PUBLISH with a body                 initial    a new publication           200 with its SIP-ETag
        + SIP-If-Match, no body     refresh    lives on                    200 with a new one
        + SIP-If-Match and a body   modify     says something else         200 with a new one
        + SIP-If-Match, Expires: 0  remove     is over                     200
a SIP-If-Match that is not known, or no longer                             412: the phone publishes anew
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pbx.call.screening import Identity
from pbx.call.switch import Switch
from pbx.sip.errors import BadMessage, SipError
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.uri import user_of
from pbx.subscriptions.pidf import CONTENT_TYPE, Pidf, parse
from pbx.subscriptions.refused import MOST_S, Refused, check_expires, expires_of, refuse

if TYPE_CHECKING:
    from pbx.call.clock import Timer

EVENT: Final = "presence"
DEFAULT_S: Final = 3600
LIMIT: Final = 50_000  # publications of all users
LIMIT_EACH: Final = 10  # of one: his phones, and what those left behind that were switched off
BODY_BYTES: Final = 16_384


@dataclass(slots=True, eq=False)
class _Publication:
    """What one phone says; `since` when it began to say it."""

    resource: str
    state: Pidf
    since: float
    expiry: Timer | None = None


class Publications:
    """All publications. `on_change(extension)` is told when what they say is another."""

    def __init__(
        self, switch: Switch, exists: Callable[[str], bool], counters: Counter[str], limit: int = LIMIT
    ) -> None:
        self._switch = switch
        self._exists = exists
        self._counters = counters
        self._limit = limit
        self._count = 0
        self._of: dict[str, dict[str, _Publication]] = {}  # by user, by entity tag
        self.on_change: Callable[[str], None] = lambda extension: None

    def __len__(self) -> int:
        return self._count

    def of(self, extension: str) -> Pidf | None:
        """What was said last, by whichever phone of his."""
        ones = self._of.get(extension)
        return max(ones.values(), key=lambda one: one.since).state if ones else None

    def reconfigure(self) -> None:
        """Those of extensions that were deleted go."""
        for extension in [one for one in self._of if not self._exists(one)]:
            self._forget_all(extension)

    def close(self) -> None:
        for extension in list(self._of):
            self._forget_all(extension)

    # --- PUBLISH ----------------------------------------------------------------------------------------------------

    def serve(self, request: Request, transaction: ServerTransaction, identity: Identity, now: float) -> None:
        """The sender is known. The steps are those of RFC 3903 6."""
        try:
            resource = self._resource(request, identity)
            tag, expires_s = self._publish(request, resource, now)
        except SipError as error:
            refuse(error, transaction, self._switch, self._counters, "publications_refused", now)
            return
        headers = f"SIP-ETag: {tag}\r\nExpires: {expires_s}\r\n"
        transaction.respond(200, now, to_tag=self._switch.ids.token(), headers=headers)

    def _resource(self, request: Request, identity: Identity) -> str:
        """Whose state it is: one's own."""
        resource = user_of(request.uri) or identity.extension or ""
        if not self._exists(resource):
            raise Refused(404)
        if (request.get("Event") or "").partition(";")[0].strip().lower() != EVENT:
            raise Refused(489, f"Allow-Events: {EVENT}\r\n")
        if resource != identity.extension:
            raise Refused(403)
        return resource

    def _publish(self, request: Request, resource: str, now: float) -> tuple[str, int]:
        """The new entity tag, and how long it is good for."""
        check_expires(request)
        wanted_s = expires_of(request)
        expires_s = DEFAULT_S if wanted_s is None else min(wanted_s, MOST_S)
        matches = request.all("SIP-If-Match")
        if len(matches) > 1:
            raise BadMessage("More than one SIP-If-Match")
        before = self._of.get(resource, {}).get(matches[0].strip()) if matches else None
        if matches and before is None:
            raise Refused(412)
        state = self._state(request, before)
        if before is None and len(self) >= self._limit:
            raise Refused(503, f"Retry-After: {self._switch.retry_after_s()}\r\n")
        shown = self.of(resource)
        since = before.since if before is not None and state == before.state else now
        if before is not None:
            self._forget(resource, matches[0].strip())
        tag = self._switch.ids.token()
        if expires_s:
            self._keep(tag, _Publication(resource, state, since), expires_s)
        if self.of(resource) != shown:
            self.on_change(resource)
        return tag, expires_s

    def _state(self, request: Request, before: _Publication | None) -> Pidf:
        """Of the body; without one, what was said before."""
        if not request.body:
            if before is None:
                raise BadMessage("A publication needs a body")
            return before.state
        if (request.get("Content-Type") or "").partition(";")[0].strip().lower() != CONTENT_TYPE:
            raise Refused(415, f"Accept: {CONTENT_TYPE}\r\n")
        if len(request.body) > BODY_BYTES:
            raise Refused(413)
        return parse(request.body)

    # --- the table --------------------------------------------------------------------------------------------------

    def _keep(self, tag: str, one: _Publication, expires_s: int) -> None:
        ones = self._of.setdefault(one.resource, {})
        if len(ones) >= LIMIT_EACH:  # of a phone that forgot it; the phone hears of it at its refresh
            self._counters["publications_displaced"] += 1
            self._forget(one.resource, next(iter(ones)))
            ones = self._of.setdefault(one.resource, {})
        ones[tag] = one
        self._count += 1
        one.expiry = self._switch.clock.after(expires_s, self._expire, one.resource, tag)
        self._counters["publications"] += 1

    def _expire(self, resource: str, tag: str) -> None:
        shown = self.of(resource)
        self._forget(resource, tag)
        if self.of(resource) != shown:
            self.on_change(resource)

    def _forget(self, resource: str, tag: str) -> None:
        ones = self._of[resource]
        one = ones.pop(tag)
        self._count -= 1
        if one.expiry is not None:
            one.expiry.cancel()
            one.expiry = None
        if not ones:
            del self._of[resource]

    def _forget_all(self, extension: str) -> None:
        for tag in list(self._of[extension]):
            self._forget(extension, tag)
