"""Early dialogs of an INVITE of ours (RFC 3261 12.1.2, 13.2.2.4): a proxy on the way may fork it, and each phone behind
it answers with a tag of its own. Reliable responses are acknowledged in each by itself (RFC 3262 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pbx.call.options import RELIABLE, options_of
from pbx.call.sent_request import SentRequest
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop
from pbx.sip.message import Response

if TYPE_CHECKING:
    from pbx.call.called_leg import CalledLeg

MOST: Final = 16  # of one INVITE


class EarlyDialog:
    """What one phone said before it answered. `described` is its SDP as far as it was taken; `settled` says that it
    came reliably: then it is the answer (RFC 3262 5), and whatever a 2xx says is not."""

    __slots__ = ("_rseq", "described", "dialog", "settled")

    def __init__(self, ours: Dialog, response: Response, hop: Hop) -> None:
        self.dialog = replace(ours)
        self.dialog.establish(response, hop)
        self.described = b""
        self.settled = False
        self._rseq = 0  # none yet

    @staticmethod
    def needed(response: Response) -> bool:
        """Whether a provisional response says more than that it rings."""
        return response.to_tag is not None and (bool(response.description) or response.get("RSeq") is not None)

    def hear(self, leg: CalledLeg, response: Response) -> bool:
        """Acknowledge the response if it wants to be (RFC 3262 4). False: it is a repeated one, or came too early."""
        number = (response.get("RSeq") or "").strip()
        if RELIABLE not in options_of(response, "Require") or not number.isdecimal() or len(number) > 10:
            return True
        rseq = int(number)
        if self._rseq and rseq != self._rseq + 1:
            return False
        self._rseq = rseq
        rack = f"RAck: {rseq} {response.cseq} INVITE\r\n"
        SentRequest(leg.switch, self.dialog, leg.login, "PRACK", rack)
        if response.description:
            self.settled = True
        return True
