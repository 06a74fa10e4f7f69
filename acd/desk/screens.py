"""What the desk needs of the agents' screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pbx.call.call import Call


class ScreenPops(Protocol):
    """The agents' screens (`cti.screen_pop`)."""

    def offer(self, call: Call, agent: str, queue: str, reservation: int, then: Callable[[], None]) -> None:
        """Show the call; `then` once that has left for the agent's sockets: only then the phone is rung."""

    def retract(self, call: Call, agent: str, reason: str) -> None:
        """no_answer, rejected, busy, unregistered, caller_hung_up, withdrawn, answered_elsewhere."""

    def connected(self, call: Call, agent: str) -> None: ...

    def wrap_up(self, call: Call, agent: str) -> None: ...

    def ended(self, call: Call, agent: str) -> None: ...
