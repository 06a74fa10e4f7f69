"""Numbers by which agents are compared, by slot: what strategies need to choose among many at once.

Noted when an agent becomes available; none of them changes while he is. An index of `Agent`, like the idle order.
"""

from __future__ import annotations

import zlib
from array import array
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from acd.agent_set import packed
from acd.agent_state import State
from acd.model import Agent

Slots: TypeAlias = NDArray[numpy.int64]
Numbers: TypeAlias = NDArray[numpy.float64]
_WORK = (State.RESERVED, State.BUSY, State.WRAP_UP)


class Columns:
    __slots__ = ("calls", "idle_since", "names", "on_duty_from", "place", "talked_s", "weight", "worked_s")

    def __init__(self) -> None:
        self.idle_since = array("d")
        self.calls = array("d")
        self.talked_s = array("d")
        self.worked_s = array("d")
        self.on_duty_from = array("d")
        self.place = array("d")
        self.weight = array("d")
        self.names = array("Q")  # CRC-32 of the name

    def note(self, agent: Agent) -> None:
        """As he is now."""
        slot = agent.slot
        if slot >= len(self.names):
            self._grow(slot + 1 - len(self.names))
        self.idle_since[slot] = agent.idle_since
        self.calls[slot] = agent.calls
        self.talked_s[slot] = agent.talked_s
        self.worked_s[slot] = agent.worked_s
        self.on_duty_from[slot] = agent.on_duty_from
        self.place[slot] = agent.place
        self.weight[slot] = agent.weight
        self.names[slot] = name_number(agent.name)

    def _grow(self, slots: int) -> None:
        for numbers in (self.idle_since, self.calls, self.talked_s, self.worked_s, self.on_duty_from, self.place,
                        self.weight):  # fmt: skip
            numbers.extend([0.0] * slots)
        self.names.extend([0] * slots)


def entered(agent: Agent, before: State, now: float) -> None:
    """Counts the time in the state that ends now. All begins anew when he logs in."""
    if before is State.LOGGED_OUT:
        agent.calls, agent.talked_s, agent.worked_s, agent.on_duty_from = 0, 0.0, 0.0, now
    elif before in _WORK:
        agent.worked_s += now - agent.since
    elif before is State.NOT_READY:
        agent.on_duty_from += now - agent.since


def name_number(name: str) -> int:
    """The same for the same name, on every machine and after every restart."""
    return zlib.crc32(name.encode())


def slots_array(agents: int) -> Slots:
    """The members of a large set, ascending."""
    return numpy.flatnonzero(numpy.unpackbits(numpy.frombuffer(packed(agents), numpy.uint8), bitorder="little"))


def column(numbers: array[float], slots: Slots) -> Numbers:
    """Of these agents."""
    return numpy.frombuffer(numbers, numpy.float64)[slots]
