"""What the four transactions share: a table, a state, a place to send to (RFC 3261 17, RFC 6026).

A transaction is a row of `(state, input) -> (actions, next state)`. A pair that is not in the table is an input that
means nothing in that state (a timer that outlived its purpose, a late retransmission): it is ignored, on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.timers import Timers

#: The actions of a row, run in order, and the state that follows.
Row = tuple[tuple[str, ...], str]
Table = Mapping[tuple[str, str], Row]

TERMINATED = "terminated"


class ClientUser(Protocol):
    """The transaction user of a client transaction (RFC 3261 5)."""

    def on_response(self, response: Response, hop: Hop, now: float) -> None: ...

    def on_failure(self, status: int, now: float) -> None:
        """No final response came (408: timer B or F) or the transport failed (503). RFC 3261 8.1.3.1."""


class ServerUser(Protocol):
    """The transaction user of an INVITE server transaction."""

    def on_cancel(self, request: Request, now: float) -> None:
        """A CANCEL for this INVITE came while it had no final response (RFC 3261 9.2)."""


class Network(Protocol):
    """What a transaction needs of its layer."""

    timers: Timers
    counters: Counter[str]

    def send(self, data: bytes, hop: Hop) -> None: ...

    def forget(self, transaction: Transaction) -> None: ...


class Transaction:
    """One transaction. `key` is what the layer finds it by."""

    __slots__ = ("data", "hop", "interval_s", "key", "layer", "now", "state", "user")
    table: ClassVar[Table] = {}

    def __init__(self, layer: Network, key: tuple[str, ...], hop: Hop, state: str) -> None:
        self.layer = layer
        self.key = key
        self.hop = hop
        self.state = state
        self.data = b""  # what a retransmission sends
        self.user: Any = None
        self.interval_s = 0.0
        self.now = 0.0

    def input(self, name: str, now: float, argument: object = None) -> bool:
        """Run the row of this input; False when the table ignores it in this state."""
        row = self.table.get((self.state, name))
        if row is None:
            return False
        actions, state = row
        before = self.state
        self.state = state
        self.now = now
        for action in actions:
            step: Callable[[object], None] = getattr(self, action)
            step(argument)
        if state == TERMINATED and before != TERMINATED:
            self._end()
        return True

    def on_timer(self, kind: str, now: float) -> None:
        self.input(kind, now)

    def _end(self) -> None:
        self.layer.forget(self)
        self.user = None  # breaks the cycle with the leg, and lets a pending timer hold next to nothing
        self.data = b""

    def _set(self, delay_s: float, kind: str) -> None:
        self.layer.timers.set(delay_s, self, kind, self.now)

    def resend(self, _: object) -> None:
        """Send again what was sent last."""
        if self.data:
            self.layer.send(self.data, self.hop)
