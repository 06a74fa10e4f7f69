"""The subscription that a REFER makes (RFC 3515 2.4.4, RFC 6665 4.2): a NOTIFY for each step of the transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pbx.call.sent_request import SentRequest
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.clock import Timer
    from pbx.call.switch import Switch

USUAL_S: Final = 180  # longer than any phone rings
MOST_S: Final = 3600

Forget = Callable[["ReferSubscription"], None]


class ReferSubscription:
    """Begins with the first `tell`; over with a final status, when its time is up, when its watcher ends it, or when
    he knows nothing of it any more. The dialog is a leg's, or its own; in the latter it takes the requests."""

    __slots__ = ("_expires_at", "_forget", "_login", "_reason", "_status", "_switch", "_timer", "dialog", "event",
                 "over")  # fmt: skip

    def __init__(
        self, switch: Switch, dialog: Dialog, login: tuple[str, str] | None, event: str, forget: Forget
    ) -> None:
        self._switch = switch
        self._login = login
        self._forget: Forget | None = forget
        self._status, self._reason = 0, ""
        self._expires_at = 0.0
        self._timer: Timer | None = None
        self.dialog = dialog
        self.event = event
        self.over = False

    def tell(self, status: int, reason: str) -> None:
        if self.over or status == self._status:
            return
        if self._timer is None:
            self._extend(USUAL_S)
        self._status, self._reason = status, reason
        if status >= 200:
            self._end("noresource")
        else:
            self._notify(f"active;expires={self._left_s}")

    @property
    def _left_s(self) -> int:
        return max(0, round(self._expires_at - self._switch.clock.now()))

    def _extend(self, expires_s: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._expires_at = self._switch.clock.now() + expires_s
        self._timer = self._switch.clock.after(expires_s, self._end, "timeout")

    def _end(self, reason: str) -> None:
        self._notify(f"terminated;reason={reason}")
        self._finish()

    def _finish(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        forget, self._forget = self._forget, None
        if forget is not None:
            forget(self)

    def _notify(self, state: str) -> None:
        headers = (
            f"Contact: {self.dialog.contact}\r\nEvent: {self.event}\r\nSubscription-State: {state}\r\n"
            "Content-Type: message/sipfrag;version=2.0\r\n"
        )
        text = "".join(c for c in self._reason if c.isprintable())
        body = f"SIP/2.0 {self._status} {text}\r\n"
        SentRequest(self._switch, self.dialog, self._login, "NOTIFY", headers, body, self)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status in (481, 408):
            self._finish()

    def on_failure(self, status: int, now: float) -> None:
        self._finish()

    # --- requests of the watcher ------------------------------------------------------------------------------------

    def refresh(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A SUBSCRIBE that belongs to it (RFC 6665 4.2.1.1): 200, then the state as it is."""
        text = (request.get("Expires") or "").strip()
        expires_s = min(int(text), MOST_S) if text.isdecimal() and len(text) <= 10 else USUAL_S
        transaction.respond(200, now, headers=f"Contact: {self.dialog.contact}\r\nExpires: {expires_s}\r\n")
        if expires_s == 0:
            self._end("timeout")
        else:
            self._extend(expires_s)
            self._notify(f"active;expires={expires_s}")

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """In a dialog of its own."""
        if not self.dialog.accepts(request):
            transaction.respond(500, now, reason="CSeq out of order")
        elif request.method != "SUBSCRIBE":
            transaction.respond(405, now, headers="Allow: SUBSCRIBE\r\n")
        elif (request.get("Event") or "").partition(";")[0].strip().lower() != "refer":
            transaction.respond(489, now, headers="Allow-Events: refer\r\n")
        else:
            self.dialog.refresh(request, transaction.source)
            self.refresh(request, transaction, now)

    def on_ack(self, request: Request) -> None:
        """No INVITE was ever accepted here."""
