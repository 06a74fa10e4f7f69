"""A BYE of ours (RFC 3261 15.1.1). It outlives its leg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call.credentials import credentials_for
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop
from pbx.sip.message import Response

if TYPE_CHECKING:
    from pbx.call.switch import Switch


class SentBye:
    """Sent at once; a trunk that asks for our login (22.2) gets it, once. Whatever else comes back changes nothing: the
    call is over for us."""

    __slots__ = ("_dialog", "_login", "_switch")

    def __init__(self, switch: Switch, dialog: Dialog, login: tuple[str, str] | None) -> None:
        self._switch = switch
        self._dialog = dialog
        self._login = login
        self._send("", switch.clock.now())

    def _send(self, authorization: str, now: float) -> None:
        switch, dialog = self._switch, self._dialog
        branch, hop = switch.ids.branch(), switch.next_hop(dialog)
        data = dialog.request("BYE", dialog.next_cseq(), switch.via(hop, branch), authorization)
        switch.layer.request(data, branch, "BYE", hop, self, now)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        login, self._login = self._login, None
        if login is None or response.status < 300:
            return
        line = credentials_for(response, login, "BYE", self._dialog.remote_target, self._switch.ids.token())
        if line:
            self._send(line, now)

    def on_failure(self, status: int, now: float) -> None: ...
