"""Provisional responses of ours that are acknowledged (RFC 3262 3): sent again until their PRACK comes, one after the
other."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from pbx.sip.message import Request
from pbx.sip.timers import T1, TIMEOUT

if TYPE_CHECKING:
    from pbx.call.caller_leg import CallerLeg

_RACK = re.compile(r"\s*([0-9]{1,10})\s+([0-9]{1,10})\s+INVITE\s*")
_MOST_WAITING: Final = 4  # 180, 183 and what is said again each minute


class Said(NamedTuple):
    """One provisional response."""

    status: int
    headers: str
    body: str


class ReliableResponses:
    """Of one INVITE. Known by its leg until the INVITE has its final response."""

    __slots__ = ("_cseq", "_data", "_leg", "_pending", "_repeat_s", "_rseq", "_until", "_waiting")

    def __init__(self, leg: CallerLeg, cseq: int) -> None:
        self._leg: CallerLeg | None = leg
        self._cseq = cseq
        self._rseq = leg.switch.ids.number() & 0x3FFF_FFFF | 1  # 3: a random one below 2**31
        self._pending: Said | None = None  # no PRACK for it yet
        self._waiting: deque[Said] = deque()
        self._data = b""
        self._repeat_s = T1
        self._until = 0.0

    @property
    def describes(self) -> bool:
        """A description of ours waits for its PRACK: no 2xx before that (5)."""
        return any(said.body for said in (*self._waiting, *([self._pending] if self._pending else [])))

    def send(self, said: Said, now: float) -> None:
        if self._pending is None:
            self._send(said, now)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append(said)

    def _send(self, said: Said, now: float) -> None:
        leg = self._leg
        assert leg is not None
        self._pending = said
        self._rseq += 1
        headers = f"Require: 100rel\r\nRSeq: {self._rseq}\r\n{said.headers}"
        self._data = leg.provisional(said.status, headers, said.body, now)
        self._repeat_s = T1
        self._until = now + TIMEOUT
        leg.switch.layer.timers.set(T1, self, str(self._rseq), now)

    def acknowledged(self, request: Request, now: float) -> bool:
        """Whether this PRACK is for the one that waits; the next one leaves."""
        found = _RACK.fullmatch(request.get("RAck") or "")
        if found is None or self._pending is None or (int(found[1]), int(found[2])) != (self._rseq, self._cseq):
            return False
        self._pending = None
        self._data = b""
        if self._waiting:
            self._send(self._waiting.popleft(), now)
        return True

    def stop(self) -> None:
        """The INVITE has its final response: what was not acknowledged is of no use any more."""
        self._leg = None
        self._pending = None
        self._waiting.clear()
        self._data = b""

    def on_timer(self, kind: str, now: float) -> None:
        leg = self._leg
        if leg is None or self._pending is None or kind != str(self._rseq):
            return
        if now >= self._until:
            leg.switch.counters["sip_1xx_unacknowledged"] += 1
            leg.never_acknowledged(now)
            return
        leg.repeat(self._data)
        self._repeat_s *= 2
        leg.switch.layer.timers.set(min(self._repeat_s, self._until - now), self, kind, now)
