"""A request of ours inside a dialog that is no INVITE: BYE, PRACK, UPDATE, INFO. It may outlive its leg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call.credentials import credentials_for
from pbx.call.sent_invite import UNHEARD
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop
from pbx.sip.message import Response
from pbx.sip.transaction import ClientUser

if TYPE_CHECKING:
    from pbx.call.switch import Switch


class SentRequest:
    """Sent at once; a trunk that asks for our login (RFC 3261 22.2) gets it, once. `user` hears of what else comes
    back; of a BYE nobody wants to know: the call is over for us (15.1.1)."""

    __slots__ = ("_body", "_dialog", "_headers", "_login", "_method", "_switch", "_user")

    def __init__(
        self, switch: Switch, dialog: Dialog, login: tuple[str, str] | None, method: str, headers: str = "",
        body: str = "", user: ClientUser = UNHEARD,
    ) -> None:  # fmt: skip
        self._switch = switch
        self._dialog = dialog
        self._login = login
        self._method = method
        self._headers = headers
        self._body = body
        self._user = user
        self._send("", switch.clock.now())

    def _send(self, authorization: str, now: float) -> None:
        switch, dialog, method = self._switch, self._dialog, self._method
        branch, hop = switch.ids.branch(), switch.next_hop(dialog)
        headers = authorization + self._headers
        data = dialog.request(method, dialog.next_cseq(), switch.via(hop, branch), headers, self._body)
        switch.layer.request(data, branch, method, hop, self, now)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status < 200:
            return
        login, self._login = self._login, None
        if login is not None and response.status >= 300:
            target, cnonce = self._dialog.remote_target, self._switch.ids.token()
            line = credentials_for(response, login, self._method, target, cnonce, self._body.encode())
            if line:
                self._send(line, now)
                return
        self._user.on_response(response, hop, now)

    def on_failure(self, status: int, now: float) -> None:
        self._user.on_failure(status, now)
