"""The controller of a call that goes straight to somebody: an extension, a trunk, a URI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.schema import Destination
from pbx.call.attempt import NO_PORT
from pbx.call.call import Call
from pbx.call.controller import Passive

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt

RING_S = 60.0  # how long a phone rings when nobody says otherwise


#: What the caller is told instead: a challenge to us is none to him, nor is what a phone does not like in our INVITE a
#: fault of his; who is told 503 by us would send us no more calls at all (RFC 3261 16.7 step 6), for one phone's sake.
_TOLD = {
    401: 403, 405: 500, 407: 403, 408: 480, 415: 488, 420: 500, 421: 500, 422: 500, 481: 500, 491: 480, 494: 500,
    503: 500,
}  # fmt: skip
_REDIRECTED = 480  # nor can he follow a redirection whose Contact he is not given


class DirectBridge(Passive):
    """Rings the destination, joins it with the caller, ends both when one ends. Holds no state: one serves all
    calls."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def start(self, call: Call, name: str) -> None:
        """The handler of destinations of this kind."""
        call.controller = self
        call.dial(Destination(self._kind, name), ring_s=RING_S)  # type: ignore[arg-type]

    def on_ringing(self, call: Call, attempt: Attempt) -> None:
        call.ring()

    def on_early_media(self, call: Call, attempt: Attempt) -> None:
        call.hear_early(attempt)

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        call.bridge(attempt)

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        told = _TOLD.get(status, status) if status >= 400 else _REDIRECTED
        call.refuse(503 if cause == NO_PORT else told, cause)

    def on_ended(self, call: Call, attempt: Attempt) -> None:
        call.hang_up(call.lost or "callee hung up")


JOINED = DirectBridge("extension")  # in charge of a call whose parties others have brought together
