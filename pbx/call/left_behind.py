"""What of a call the next server does not go on with: phones that rang are let be, who was called and had answered is
hung up. Else a phone would ring for nobody, and once more for the same caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pbx.call.called_leg import CalledLeg
from pbx.call.kept_dialog import dialog_of, keep_dialog, login_of
from pbx.call.reason import CLEARED
from pbx.call.sent_invite import SentInvite, acknowledge
from pbx.call.sent_request import SentRequest
from pbx.routing import tolls
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop
from pbx.sip.message import Response

if TYPE_CHECKING:
    from pbx.call.leg import Leg
    from pbx.call.switch import Switch

Login = tuple[str, str]
RINGS_S: Final = 180.0  # RFC 3261 16.6, timer C: what rang before that rings no more, and would take it for a new call


class RingsNoMore:
    """An INVITE of the last server is sent once more, without its session: the peer takes it for a repetition of the
    first (RFC 3261 17.2.3) and says where it stands. It is cancelled, or hung up if somebody has answered."""

    __slots__ = ("_dialog", "_invite", "_login", "_switch")

    def __init__(self, switch: Switch, dialog: Dialog, branch: str, login: Login | None, now: float) -> None:
        self._switch, self._dialog, self._login = switch, dialog, login
        self._invite = SentInvite(switch, dialog, dialog.hop, "", "", "", self, now, branch)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status < 200:
            self._invite.cancel(now)
        elif response.status < 300:
            self._dialog.establish(response, hop)
            self._invite.transaction.user = acknowledge(self._switch, self._dialog, response, self._invite)
            hang_up(self._switch, self._dialog, self._login)

    def on_failure(self, status: int, now: float) -> None: ...


def hang_up(switch: Switch, dialog: Dialog, login: Login | None) -> None:
    SentRequest(switch, dialog, login, "BYE", f"Reason: {CLEARED}\r\n")


def keep_called(leg: Leg) -> dict[str, Any]:
    """Who rings (`branch`), or has answered."""
    sent = leg.rings if isinstance(leg, CalledLeg) else None
    return {
        "at": leg.switch.clock.now(), "branch": "" if sent is None else sent.branch, "trunk": leg.trunk,
        "dialog": keep_dialog(leg.dialog), "bill": tolls.kept(leg.bill),
    }  # fmt: skip


def let_go(switch: Switch, left: Sequence[dict[str, Any]], now: float) -> None:
    """Of all `keep_called`. Raises KeyError or TypeError for what was kept by another server and makes no sense
    here."""
    for one in left:
        login = login_of(switch, one["trunk"])
        port = switch.plane.adopted().pop(one["dialog"]["local_tag"].encode(), None)
        if port is not None:  # it would go on playing, to whoever has that port of the phone next
            switch.plane.release(port)
        if not one["branch"]:
            hang_up(switch, dialog_of(one["dialog"]), login)
        elif now < one["at"] + RINGS_S:
            RingsNoMore(switch, dialog_of(one["dialog"], ahead=-1), one["branch"], login, now)
