"""Who is in charge of a call, and who wants to know how a call that he sent somewhere gets on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call


class Controller(Protocol):
    """Whoever is in charge of a call: an IVR session, a queue, a plain bridge. Told of everything that happens to
    it."""

    def on_digit(self, call: Call, digit: str) -> None: ...

    def on_played(self, call: Call, play_id: int) -> None:
        """A playlist came to its end by itself."""

    def on_ringing(self, call: Call, attempt: Attempt) -> None: ...

    def on_early_media(self, call: Call, attempt: Attempt) -> None:
        """Somebody sends sound before he answers; nobody hears it until `call.hear_early(attempt)`."""

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        """Somebody took the call; nobody hears anybody until `call.bridge(attempt)`."""

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        """Every phone of the attempt refused (the best status), or none answered in time (408, "no answer")."""

    def on_ended(self, call: Call, attempt: Attempt) -> None:
        """The called side hung up; the caller is still there."""

    def on_returned(self, call: Call, attempt: Attempt) -> None:
        """The caller wanted to give on whom he talked with, and could not: they talk again, in this attempt."""

    def on_taken(self, call: Call, to: str) -> None:
        """Somebody else decided where the call goes on: a transfer, a park, a pickup. The last thing heard of it."""

    def on_caller_gone(self, call: Call, cause: str) -> None:
        """The caller hung up or was lost. The last thing heard of this call; its attempts are dropped already."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Passive:
    """A controller that lets everything happen."""

    def on_digit(self, call: Call, digit: str) -> None: ...
    def on_played(self, call: Call, play_id: int) -> None: ...
    def on_ringing(self, call: Call, attempt: Attempt) -> None: ...
    def on_early_media(self, call: Call, attempt: Attempt) -> None: ...
    def on_answered(self, call: Call, attempt: Attempt) -> None: ...
    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None: ...
    def on_ended(self, call: Call, attempt: Attempt) -> None: ...
    def on_returned(self, call: Call, attempt: Attempt) -> None: ...
    def on_taken(self, call: Call, to: str) -> None: ...
    def on_caller_gone(self, call: Call, cause: str) -> None: ...


NOBODY = Passive()  # in charge of a call that has ended


class Errand(Protocol):
    """Somebody sent the call to a destination and waits to hear how that ends: a transfer, a parked call that goes
    back. Whatever serves the destination knows nothing of it. It hears one of the last three, once."""

    def on_ringing(self, call: Call) -> None: ...

    def on_left(self, call: Call, attempt: Attempt) -> bool:
        """A called side hung up meanwhile; True if it was one that the errand had set aside."""

    def on_reached(self, call: Call) -> None:
        """The caller talks with somebody, or an IVR or a queue has him."""

    def on_refused(self, call: Call, status: int, cause: str) -> bool:
        """The destination can't be had. True: the call goes on in another way, and is not to be ended."""

    def on_over(self, call: Call, cause: str) -> None:
        """The call ends; its attempts are dropped after this."""
