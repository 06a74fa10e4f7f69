"""The engine's inputs about callbacks: who asks for one, what came of calling him. The rules are in `callbacks.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd import callbacks
from acd.condition import Attributes

if TYPE_CHECKING:
    from acd.floor import Floor


class CallbackInputs:
    """A part of `Engine`."""

    __slots__ = ()

    floor: Floor

    def ask_callback(
        self, callback_id: str, queue: str, number: str, attributes: Attributes, now: float, called: str = "",
        due_at: float | None = None, place_of: str | None = None,
    ) -> None:  # fmt: skip
        """A customer wants to be called, at `due_at` or as soon as his turn comes; `called`: the number of ours that he
        knows; `place_of`: the call that waits in the queue and gives up its place for it.

        Raises `UnknownQueue`, `NoCallbacks`, `DuplicateCallback`, `CallbacksFull`.
        """
        self.floor.advance(now)
        callbacks.ask(self.floor, callback_id, queue, number, attributes, called, due_at, place_of)

    def cancel_callback(self, callback_id: str, now: float) -> None:
        """Raises `UnknownCallback`, `CallbackStateError`."""
        self.floor.advance(now)
        callbacks.cancel(self.floor, callback_id)

    def reschedule_callback(self, callback_id: str, due_at: float, now: float) -> None:
        """Raises `UnknownCallback`, `CallbackStateError`."""
        self.floor.advance(now)
        callbacks.reschedule(self.floor, callback_id, due_at)

    def callback_known(self, callback_id: str, attributes: Attributes, now: float) -> None:
        """More is known of the customer: the order of the queue follows. Ignored if there is no such callback."""
        self.floor.advance(now)
        callbacks.known(self.floor, callback_id, attributes)

    def callback_hours(self, queue: str, is_open: bool, now: float) -> None:
        """The hours in which customers of a queue may be called begin, or are over."""
        self.floor.advance(now)
        callbacks.hours(self.floor, queue, is_open=is_open)

    def customer_dialled(self, item_id: str, now: float) -> bool:
        """The customer's phone is to be called. False if no agent is held for him: then it must not be."""
        self.floor.advance(now)
        return callbacks.dialled(self.floor, item_id)

    def customer_reached(self, item_id: str, now: float) -> bool:
        """He answered. False if nobody called him."""
        self.floor.advance(now)
        return callbacks.reached(self.floor, item_id)

    def customer_missed(self, item_id: str, outcome: str, now: float) -> None:
        """He did not: no_answer, busy, refused, unreachable, no_route; or the agent hung up before: agent_hung_up."""
        self.floor.advance(now)
        callbacks.missed(self.floor, item_id, outcome)

    def callback_let_go(self, item_id: str, now: float) -> None:
        """Its call is over, the customer has not been reached, and that is nobody's fault."""
        self.floor.advance(now)
        callbacks.let_go(self.floor, item_id)
