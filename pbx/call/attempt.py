"""One try to reach a destination: its phones ring, one wins (RFC 3261 16.6, 16.7 for a user agent that forks).

Phones of equal q ring together, those of a lower q when the better ones refused or their share of the time is over.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from config.schema import Destination
from media.plane import PLAYLIST_LONGEST
from pbx.call.reason import ELSEWHERE

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.clock import Timer
    from pbx.call.leg import Leg
    from pbx.call.targets import Target

NO_PORT = "no free media port"  # the one 503 that is ours: of all others the caller is told 500
MOST_WAVES = 5  # times that lower q's ring after higher ones; what is left then rings together
MOST_CONTACTS = 10  # of a redirection, that are looked at


class Attempt:
    """Attempt `number` of a call (2, 3, ...: the caller's leg is 1). Over when `call` is None."""

    __slots__ = (
        "_best", "_ringing", "_timer", "agent", "call", "contacts", "destination", "heard", "legs", "number",
        "wave_s", "waves", "winner",
    )  # fmt: skip

    def __init__(self, call: Call, number: int, destination: Destination, agent: str | None) -> None:
        self.call: Call | None = call
        self.number = number
        self.destination = destination
        self.agent = agent
        self.legs: list[Leg] = []
        self.winner: Leg | None = None
        self.heard: Leg | None = None  # whose early media the caller may hear
        self.waves: tuple[tuple[Target, ...], ...] = ()  # of phones that have yet to ring
        self.wave_s = 0.0  # how long each wave rings
        self.contacts: tuple[str, ...] = ()  # where a 3xx says that the callee is, best first
        self._ringing = False
        self._best: tuple[int, str] = (0, "")
        self._timer: Timer | None = None

    def plan(self, targets: Sequence[Target], ring_s: float) -> None:
        """Who rings when: by falling q, `ring_s` for all."""
        by_q = sorted(targets, key=lambda target: -target.q)
        waves = [tuple(wave) for _, wave in itertools.groupby(by_q, key=lambda target: target.q)]
        last = tuple(itertools.chain.from_iterable(waves[MOST_WAVES - 1 :]))
        self.waves = (*waves[: MOST_WAVES - 1], last) if last else tuple(waves)
        self.wave_s = ring_s / len(self.waves)

    def next_wave(self) -> tuple[Target, ...]:
        wave, *later = self.waves
        self.waves = tuple(later)
        return wave

    def limit(self, timer: Timer) -> None:
        """The timer that ends the ringing."""
        self._stop_timer()
        self._timer = timer

    def timed_out(self) -> None:
        """Nobody answered in time: the next ones ring, or it is over."""
        call = self.call
        if call is None:
            return
        if not self.waves:
            call.attempt_failed(self, 408, "no answer")
            return
        legs, self.legs = self.legs, []
        self._silent(call)
        now = call.clock.now()
        for leg in legs:
            leg.drop(now)
        if self.call is not None:  # who heard that they are free may have dropped this one
            self._next(408, "no answer")

    # --- from the legs ----------------------------------------------------------------------------------------------

    def leg_ringing(self) -> None:
        if not self._ringing and self.call is not None:
            self._ringing = True
            self.call.attempt_ringing(self)

    def leg_early_media(self, leg: Leg) -> None:
        """The first phone that sends some is heard, as long as it lasts."""
        if self.heard is None and self.call is not None:
            self.heard = leg
            self.call.attempt_early_media(self)

    def _silent(self, call: Call | None) -> None:
        """Who was heard early is heard no more."""
        if self.heard is not None:
            self.heard = None
            if call is not None:
                call.attempt_silent()

    def leg_answered(self, leg: Leg) -> None:
        """The first to answer wins; the others are cancelled (one that answers all the same is hung up by its leg)."""
        if self.call is None:
            return
        others = [other for other in self.legs if other is not leg]
        self.won_by(leg)
        now = self.call.clock.now()
        for other in others:
            other.drop(now, ELSEWHERE)
        if self.call is not None:  # who heard that the others are free may have dropped this one
            self.call.attempt_answered(self)

    def won_by(self, leg: Leg) -> None:
        """It is this leg's from now on, whether it was rung or came from elsewhere."""
        self._stop_timer()
        self.waves = ()
        self.winner = leg
        self.heard = None
        self.legs = [leg]
        leg.attempt = self

    def play(self, prompts: Sequence[str], then: Callable[[], None]) -> bool:
        """Let who answered hear prompts before the caller hears him, and call `then` when they are over, unless he is
        bridged or gone before. False: there is nothing that could be heard."""
        call, leg = self.call, self.winner
        port = None if leg is None else leg.audio.port
        if call is None or port is None:
            return False
        plane = call.switch.plane
        known = [name for name in prompts if plane.has_prompt(name)]
        call.switch.counters["media_unknown_prompts"] += len(prompts) - len(known)
        if not known:
            return False

        def played(play_id: int) -> None:
            port.on_played = None
            then()

        port.on_played = played
        plane.play(port, known[:PLAYLIST_LONGEST])
        return True

    def leg_failed(self, leg: Leg, status: int, reason: str) -> None:
        if leg in self.legs:
            self.legs.remove(leg)
        if leg is self.heard:
            self._silent(self.call)
        self.failed(status, reason)

    def redirected(self, contacts: Iterable[str]) -> None:
        """A phone says that the callee is elsewhere (8.1.3.4)."""
        self.contacts = (*self.contacts, *contacts)[:MOST_CONTACTS]

    def failed(self, status: int, reason: str) -> None:
        """One phone can't be had; when none is left, the best refusal is the attempt's: 6xx, else the lowest class."""
        if self.call is None:
            return
        if not self.legs or status >= 600:
            self._next(status, reason)
        else:
            self._note(status, reason)

    def _note(self, status: int, reason: str) -> None:
        if not self._best[0] or _rank(status) < _rank(self._best[0]):
            self._best = (status, reason)

    def _next(self, status: int, reason: str) -> None:
        self._note(status, reason)
        assert self.call is not None
        if self.waves and status < 600:
            self.call.ring_next(self)
        else:
            self.call.attempt_failed(self, *self._best)

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self, reason: str = "") -> None:
        """Let go of the phones: CANCEL or BYE. Nothing of this attempt is heard any more."""
        call, self.call = self.call, None
        self._stop_timer()
        self.waves = ()
        legs, self.legs, self.winner = self.legs, [], None
        self._silent(call)
        if call is not None:
            now = call.clock.now()
            for leg in legs:
                leg.drop(now, reason)

    def let_go(self) -> None:
        """Over, without hanging up who answered."""
        self.call = None
        if self.winner is not None:
            self.winner.attempt = None
        self.legs, self.winner = [], None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _rank(status: int) -> int:
    """16.7 step 6: a 6xx decides; among others the lowest class; 4xx that tell of the callee before transport
    failures."""
    if status >= 600:
        return 0
    if status < 400:
        return 1
    return {486: 2, 480: 4, 404: 5, 408: 6, 503: 9}.get(status, 3 if status < 500 else 7)
