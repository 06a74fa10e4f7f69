"""Sets of agents as integers: bit n stands for the agent in slot n.

Union, intersection and size of such sets take a few microseconds for 100,000 agents. What integers are slow at is done
here another way: listing the members of a set, and asking for one member again and again. `README.md`, "Speed", has
what else was tried, with figures.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_FEW = 64  # members; more are listed quicker by unpacking every bit
_SMALL = 40_000  # members times bits: so few are quicker to go through than to hand to numpy


def slots(agents: int) -> list[int]:
    """The slots of all members, ascending."""
    count = agents.bit_count()
    if count == 1:
        return [agents.bit_length() - 1]
    if count < _FEW:
        if count * agents.bit_length() <= _SMALL:
            return _bits(agents, 0)
        words = np.frombuffer(agents.to_bytes((agents.bit_length() + 63 >> 6) << 3, "little"), np.uint64)
        filled = np.flatnonzero(words)
        found: list[int] = []
        for number, word in zip(filled.tolist(), words[filled].tolist(), strict=True):
            found += _bits(word, number << 6)
        return found
    every = np.unpackbits(np.frombuffer(packed(agents), np.uint8), bitorder="little")
    members: list[int] = np.flatnonzero(every).tolist()
    return members


def set_of(members: Iterable[int]) -> int:
    """The set of these slots."""
    bits = bytearray()
    for slot in members:
        if slot >> 3 >= len(bits):
            bits.extend(bytes((slot >> 3) + 1 - len(bits)))
        bits[slot >> 3] |= 1 << (slot & 7)
    return int.from_bytes(bits, "little")


def packed(agents: int) -> bytes:
    """For many questions about one member: slot n is in it if `packed[n >> 3] >> (n & 7) & 1`, and beyond its end not.

    Shifting the integer instead would copy it for each question.
    """
    return agents.to_bytes((agents.bit_length() + 7) >> 3, "little")


def _bits(agents: int, first: int) -> list[int]:
    found = []
    while agents:
        lowest = agents & -agents
        found.append(first + lowest.bit_length() - 1)
        agents ^= lowest
    return found
