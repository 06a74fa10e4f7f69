"""Which queues an agent serves, as sets of agents: his own list of the site file, what a supervisor made of it, and
what he has left for now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acd.model import Agent


class Serving:
    __slots__ = ("_apart", "_later", "_own", "_unbound")

    def __init__(self, agents: Iterable[Agent] = ()) -> None:
        self._unbound = 0  # agents without a list of their own: they serve all that they fit
        self._own: dict[str, int] = {}  # by queue: those who name it
        self._apart: dict[str, int] = {}  # by queue: those who do not serve it although they could
        self._later: dict[str, dict[int, int]] = {}  # by queue and level: those who are not asked first
        for agent in agents:
            if agent.queues is None:
                self._unbound |= 1 << agent.slot
            for queue in {*(agent.queues or ()), *agent.queue_changes, *agent.left}:
                self.put(agent, queue)

    def put(self, agent: Agent, queue: str) -> None:
        """What an agent does about a queue has changed."""
        bit = 1 << agent.slot
        if agent.serves(queue):
            self._own[queue] = self._own.get(queue, 0) | bit
            self._apart[queue] = self._apart.get(queue, 0) & ~bit
        else:
            self._own[queue] = self._own.get(queue, 0) & ~bit
            self._apart[queue] = self._apart.get(queue, 0) | bit

        later = self._later.setdefault(queue, {})
        for level in list(later):
            later[level] &= ~bit
        if (level := agent.level_in(queue)) > 1:
            later[level] = later.get(level, 0) | bit

    def levels(self, queue: str, members: int) -> tuple[int, ...]:
        """Those who serve it by their level in it, first asked first; empty if all have the same."""
        later = self._later.get(queue, {})
        found = [group for level in sorted(later) if (group := later[level] & members)]
        first = members
        for group in found:
            first &= ~group
        levels = [first, *found] if first else found
        return tuple(levels) if len(levels) > 1 else ()

    def of(self, queue: str) -> int:
        """Who serves it, if he fits."""
        return (self._unbound | self._own.get(queue, 0)) & ~self._apart.get(queue, 0)
