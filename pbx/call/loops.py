"""Calls that come back to us (RFC 3261 16.3 item 4, RFC 5393 4.2, for a back-to-back user agent).

A proxy that sends our own INVITE back to us leaves our Via in it, so its branch says which call it was. That it comes
back is no fault yet: a number of ours dialled by way of the carrier does so, from another caller (the trunk). It is a
loop when the same caller dials the same number as in one of the calls that it went through.

A peer that is no proxy takes our Via away; its loops end by Max-Forwards, which goes down by one each time through us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call.called_leg import CalledLeg
from pbx.sip.errors import SipError
from pbx.sip.message import Request
from pbx.sip.transaction_layer import TransactionLayer
from pbx.sip.via import branch_of

if TYPE_CHECKING:
    from pbx.call.call import Call

#: Trunk or extension that calls, and the number dialled.
Way = tuple[str | None, str | None, str]


class Loops:
    """Knows which calls came back, and the ways they went; calls that did not are no entry here."""

    def __init__(self, layer: TransactionLayer) -> None:
        self._layer = layer
        self._returned: dict[str, frozenset[Way]] = {}  # call id -> the ways of the calls before it

    def __len__(self) -> int:
        return len(self._returned)

    def ways(self, request: Request) -> frozenset[Way]:
        """The ways that a new INVITE has already gone through us; none for nearly every one."""
        if len(lines := request.all("Via")) == 1 and "," not in lines[0]:
            return frozenset()
        found: frozenset[Way] = frozenset()
        for via in request.values("Via")[1:]:
            try:
                branch = branch_of(via)
            except SipError:
                continue
            leg = self._layer.client_user(branch or "", "INVITE")
            if isinstance(leg, CalledLeg) and leg.call is not None:
                found |= self._ways_of(leg.call)
        return found

    def _ways_of(self, call: Call) -> frozenset[Way]:
        own = (call.trunk, call.caller.extension, call.to_number)
        return self._returned.get(call.id, frozenset()) | {own}

    def returned(self, call_id: str, ways: frozenset[Way]) -> None:
        """This call's INVITE went through us before."""
        self._returned[call_id] = ways

    def ended(self, call_id: str) -> None:
        self._returned.pop(call_id, None)
