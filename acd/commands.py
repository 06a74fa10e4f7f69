"""What the engine wants done. The desk does it; a simulation plays it."""

from __future__ import annotations

from config.frozen import frozen
from config.schema import Destination


@frozen
class OfferItem:
    """Show the item on the agent's screen, then ring the phone."""

    item_id: str
    agent: str
    queue: str
    reservation: int
    ring_s: float
    channel: str = "call"


@frozen
class WithdrawOffer:
    """The offer is over without an answer: stop the phone, take the item off the screen."""

    item_id: str
    agent: str
    reservation: int
    outcome: str  # as in `events.ReservationEnded`


@frozen
class OverflowItem:
    """The item is no longer in the queue: send it on."""

    item_id: str
    queue: str
    destination: Destination | None  # None: nowhere, end it
    age_from: float  # since when it waits, in whatever queue
    reason: str  # as in `events.ItemOverflowed`


@frozen
class ShowWrapUp:
    """The conversation is over; the agent notes it down."""

    agent: str
    item_id: str


@frozen
class CloseWork:
    """The agent is done with the item."""

    agent: str
    item_id: str


@frozen
class CallLine:
    """Call a nailed-up agent, whose phone then stays connected."""

    agent: str


@frozen
class DropLine:
    """He is logged out: hang up."""

    agent: str


Command = CallLine | DropLine | OfferItem | WithdrawOffer | OverflowItem | ShowWrapUp | CloseWork
