"""Our 2xx to an INVITE, repeated until its ACK comes: the user's task, not the transaction's (RFC 3261 13.3.1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.sip.hop import Hop
from pbx.sip.timers import T1, T2, TIMEOUT

if TYPE_CHECKING:
    from pbx.call.leg import Leg


class FinalResponse:
    """Known by its leg until the ACK is here. `cseq` says which INVITE it answers: an ACK of an earlier one is not its
    ACK. `reason` is for the BYE of a leg that was hung up meanwhile."""

    __slots__ = ("_data", "_hop", "_leg", "_repeat_s", "_until", "cseq", "reason")

    def __init__(self, leg: Leg, data: bytes, hop: Hop, cseq: int, now: float) -> None:
        self._leg: Leg | None = leg
        self._data = data
        self._hop = hop
        self._repeat_s = T1
        self._until = now + TIMEOUT
        self.cseq = cseq
        self.reason = ""
        leg.switch.layer.timers.set(T1, self, "2xx", now)

    def stop(self) -> None:
        """Acknowledged, or of no use any more."""
        self._leg = None
        self._data = b""

    def on_timer(self, kind: str, now: float) -> None:
        leg = self._leg
        if leg is None:
            return
        if now >= self._until:
            leg.switch.counters["sip_2xx_unacknowledged"] += 1
            leg.unacknowledged()
            return
        leg.switch.layer.send(self._data, self._hop)
        self._repeat_s = min(2 * self._repeat_s, T2)
        leg.switch.layer.timers.set(self._repeat_s, self, kind, now)
