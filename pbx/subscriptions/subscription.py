"""One subscription: somebody who wants to be told (RFC 6665 4.2, the notifier's side)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.clock import Timer
    from pbx.subscriptions.notifier import Notifier, Package


class Subscription:
    """A dialog with a watcher. `changed` tells him soon, once however often it is called; at most one NOTIFY is under
    way. It is over when `notifier` is None."""

    __slots__ = ("_expiry", "_resting", "_stale", "_waiting", "dialog", "entity", "event", "expires_at", "notifier",
                 "package", "resource", "version", "watcher")  # fmt: skip

    def __init__(
        self, notifier: Notifier, package: Package, dialog: Dialog, event: str, resource: str, entity: str, watcher: str
    ) -> None:
        self.notifier: Notifier | None = notifier
        self.package = package
        self.dialog = dialog
        self.event = event  # the Event value, with its id
        self.resource = resource  # who is watched
        self.entity = entity  # the same as a URI
        self.watcher = watcher
        self.version = -1  # of the last document
        self.expires_at = 0.0
        self._expiry: Timer | None = None
        self._waiting = False  # for the answer to a NOTIFY
        self._stale = False  # something changed that was not told yet
        self._resting: Timer | None = None  # until the end of this turn of the loop

    # --- requests of the watcher ------------------------------------------------------------------------------------

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        notifier = self.notifier
        if not self.dialog.accepts(request):
            transaction.respond(500, now, reason="CSeq out of order")
        elif notifier is None:
            transaction.respond(481, now)
        elif request.method == "SUBSCRIBE":
            notifier.refresh(self, request, transaction, now)
        else:
            transaction.respond(405, now, headers="Allow: SUBSCRIBE\r\n")

    def on_ack(self, request: Request) -> None:
        """No INVITE was ever accepted here."""

    # --- its time ---------------------------------------------------------------------------------------------------

    def extend(self, expires_s: int, now: float) -> None:
        """Lives `expires_s` from now."""
        assert self.notifier is not None
        if self._expiry is not None:
            self._expiry.cancel()
        self.expires_at = now + expires_s
        self._expiry = self.notifier.switch.clock.after(expires_s, self.end, "timeout")

    def end(self, reason: str) -> None:
        """The last NOTIFY (4.2.2); `reason` is RFC 6665 4.1.3's."""
        if self.notifier is not None:
            self._notify(f"terminated;reason={reason}")
            self._forget()

    def _forget(self) -> None:
        notifier, self.notifier = self.notifier, None
        for timer in (self._expiry, self._resting):
            if timer is not None:
                timer.cancel()
        self._expiry = self._resting = None
        if notifier is not None:
            notifier.forget(self)

    # --- telling ----------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Tell the watcher when this turn of the loop is over: one call changes several things at once."""
        self._stale = True
        if self._resting is None and not self._waiting and self.notifier is not None:
            self._resting = self.notifier.switch.clock.after(0, self.tell)

    def tell(self) -> None:
        """Tell the watcher now, unless the last NOTIFY is still unanswered: then after it."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self.notifier is None:
            return
        if self._waiting:
            self._stale = True
            return
        left_s = max(0, round(self.expires_at - self.notifier.switch.clock.now()))
        self._notify(f"active;expires={left_s}")

    def _notify(self, state: str) -> None:
        assert self.notifier is not None
        switch, dialog = self.notifier.switch, self.dialog
        now = switch.clock.now()
        self.version += 1
        body = self.package.document(self.resource, self.entity, self.version, now)
        self._stale = False
        self._waiting = True
        hop, branch = switch.next_hop(dialog), switch.ids.branch()
        headers = (
            f"Contact: {dialog.contact}\r\nEvent: {self.event}\r\nSubscription-State: {state}\r\n"
            f"Content-Type: {self.package.content_type}\r\n"
        )
        data = dialog.request("NOTIFY", dialog.next_cseq(), switch.via(hop, branch), headers, body)
        switch.layer.request(data, branch, "NOTIFY", hop, self, now)
        switch.counters["subscription_notifies"] += 1

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status < 200:
            return
        self._waiting = False
        if response.status >= 300:  # 4.2.2: whatever he means, he can't be told
            self._lost()
        elif self._stale:
            self.tell()

    def on_failure(self, status: int, now: float) -> None:
        self._waiting = False
        self._lost()

    def _lost(self) -> None:
        if self.notifier is not None:
            self.notifier.switch.counters["subscriptions_lost"] += 1
            self._forget()
