"""One try to reach a destination: its phones ring together, one wins (RFC 3261 16.7 for a user agent that forks)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.schema import Destination

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.called_leg import CalledLeg
    from pbx.call.clock import Timer


class Attempt:
    """Attempt `number` of a call (2, 3, ...: the caller's leg is 1). Over when `call` is None."""

    __slots__ = ("_best", "_ringing", "_timer", "agent", "call", "destination", "legs", "number", "winner")

    def __init__(self, call: Call, number: int, destination: Destination, agent: str | None) -> None:
        self.call: Call | None = call
        self.number = number
        self.destination = destination
        self.agent = agent
        self.legs: list[CalledLeg] = []
        self.winner: CalledLeg | None = None
        self._ringing = False
        self._best: tuple[int, str] = (0, "")
        self._timer: Timer | None = None

    def limit(self, timer: Timer) -> None:
        """The timer that ends the ringing."""
        self._timer = timer

    # --- from the legs ----------------------------------------------------------------------------------------------

    def leg_ringing(self) -> None:
        if not self._ringing and self.call is not None:
            self._ringing = True
            self.call.attempt_ringing(self)

    def leg_answered(self, leg: CalledLeg) -> None:
        """The first to answer wins; the others are cancelled (one that answers all the same is hung up by its leg)."""
        if self.call is None:
            return
        self.winner = leg
        self._stop_timer()
        others, self.legs = [other for other in self.legs if other is not leg], [leg]
        now = self.call.clock.now()
        for other in others:
            other.drop(now)
        if self.call is not None:  # who heard that the others are free may have dropped this one
            self.call.attempt_answered(self)

    def leg_failed(self, leg: CalledLeg, status: int, reason: str) -> None:
        if leg in self.legs:
            self.legs.remove(leg)
        self.failed(status, reason)

    def failed(self, status: int, reason: str) -> None:
        """One phone can't be had; when none is left, the best refusal is the attempt's: 6xx, else the lowest class."""
        if self.call is None:
            return
        if not self._best[0] or _rank(status) < _rank(self._best[0]):
            self._best = (status, reason)
        if not self.legs or status >= 600:
            self.call.attempt_failed(self, *self._best)

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the phones: CANCEL or BYE. Nothing of this attempt is heard any more."""
        call, self.call = self.call, None
        self._stop_timer()
        legs, self.legs, self.winner = self.legs, [], None
        if call is not None:
            now = call.clock.now()
            for leg in legs:
                leg.drop(now)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _rank(status: int) -> int:
    """16.7 step 6: a 6xx decides; among others the lowest class; 4xx that tell of the callee before transport
    failures."""
    if status >= 600:
        return 0
    return {486: 1, 480: 3, 404: 4, 408: 5, 503: 8}.get(status, 2 if status < 500 else 6)
