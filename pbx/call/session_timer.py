"""Session timers (RFC 4028): who refreshes a session, and what becomes of one that nobody refreshes.

Both sides of a dialog agree on an interval and on a refresher with each 2xx to an INVITE or UPDATE; each leg does that
by itself. Who knows no timers is refreshed by us: a peer that vanished is found all the same.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from config.calls import MIN_SESSION_S, SessionTimer
from pbx.call.options import TIMER, options_of
from pbx.sip.message import Message, Request, Response

if TYPE_CHECKING:
    from pbx.call.clock import Clock, Timer
    from pbx.call.leg import Leg

_LONGEST_S: Final = 1_000_000
_EXPIRES = re.compile(r"\s*([0-9]{1,10})\s*((?:;.*)?)")
_REFRESHER = re.compile(r";\s*refresher\s*=\s*(uac|uas)\b", re.IGNORECASE)


class Agreed(NamedTuple):
    """The interval, and whether we are the one who refreshes."""

    expires_s: int
    ours: bool


def too_brief(request: Request, policy: SessionTimer) -> str:
    """The Min-SE line of a 422 (9) when the peer wants a shorter interval than the site bears; "" if it does not."""
    asked = request.get("Session-Expires")
    if asked is None or not policy.expires_s or TIMER not in options_of(request, "Supported"):
        return ""
    wanted = _read(asked)
    return f"Min-SE: {policy.min_s}\r\n" if wanted is not None and wanted[0] < policy.min_s else ""


def accept(request: Request, policy: SessionTimer) -> tuple[str, Agreed | None]:
    """The header lines of our 2xx and what they say (9): never a longer interval than was asked for."""
    if not policy.expires_s:
        return "", None
    wanted = _read(request.get("Session-Expires") or "")
    expires_s = max(policy.expires_s, min_se(request))
    knows = TIMER in options_of(request, "Supported")
    refresher = (wanted[1] if wanted is not None else "") or "uac"
    if wanted is not None:
        expires_s = max(min(expires_s, wanted[0]), MIN_SESSION_S)  # 4: nobody may want less
    if not knows:
        refresher = "uas"
    return _accept_lines(expires_s, refresher, knows), Agreed(expires_s, refresher == "uas")


def propose(policy: SessionTimer, min_s: int, agreed: Agreed | None) -> str:
    """The header lines of an INVITE or UPDATE of ours (7.1, 7.4): the roles stay as they are."""
    if not policy.expires_s:
        return ""
    if agreed is None:
        return _propose_lines(max(policy.expires_s, min_s), min_s, "")
    return _propose_lines(max(agreed.expires_s, min_s), min_s, ";refresher=uac" if agreed.ours else ";refresher=uas")


def agreed_by(response: Response, policy: SessionTimer, min_s: int) -> Agreed | None:
    """What a 2xx to a request of ours says (7.2). A peer that says nothing knows no timer: we refresh."""
    said = _read(response.get("Session-Expires") or "")
    if said is not None:
        return Agreed(max(said[0], MIN_SESSION_S), said[1] != "uas")
    return Agreed(max(policy.expires_s, min_s), True) if policy.expires_s else None


def min_se(message: Message) -> int:
    """The shortest interval that others on the way bear (5)."""
    said = _read(message.get("Min-SE") or "")
    return MIN_SESSION_S if said is None else max(said[0], MIN_SESSION_S)


class SessionWatch:
    """The running timer of one leg."""

    __slots__ = ("_timer", "agreed")

    def __init__(self, clock: Clock, leg: Leg, agreed: Agreed) -> None:
        self.agreed = agreed
        expires_s = agreed.expires_s
        delay_s = expires_s / 2 if agreed.ours else expires_s - min(32, expires_s / 3)  # 7.2, 10
        self._timer: Timer = clock.after(delay_s, leg.session_due)

    def again(self, clock: Clock, leg: Leg) -> None:
        """A refresh came to nothing: three more before the peer takes the session for dead."""
        self._timer.cancel()
        self._timer = clock.after(self.agreed.expires_s / 8, leg.session_due)

    def stop(self) -> None:
        self._timer.cancel()


@lru_cache(maxsize=256)
def _read(value: str) -> tuple[int, str] | None:
    """(seconds, refresher) of a Session-Expires or Min-SE; None if it can't be read."""
    found = _EXPIRES.fullmatch(value)
    if found is None:
        return None
    refresher = _REFRESHER.search(found[2])
    return min(int(found[1]), _LONGEST_S), refresher[1].lower() if refresher else ""


@lru_cache(maxsize=64)
def _propose_lines(expires_s: int, min_s: int, refresher: str) -> str:
    return f"Session-Expires: {expires_s}{refresher}\r\nMin-SE: {min_s}\r\n"


@lru_cache(maxsize=64)
def _accept_lines(expires_s: int, refresher: str, knows: bool) -> str:
    return f"Session-Expires: {expires_s};refresher={refresher}\r\n" + ("Require: timer\r\n" if knows else "")
