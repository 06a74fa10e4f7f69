"""`python -m bench.acd_sets`: ways to hold sets of agents, and what each costs; the ACD uses the first of each.

The three questions of every decision: who fits (skill and level, twice or three times, combined), who of them is
listed, and which of the lines that wait can this agent take. See `acd/README.md`, "Speed".
"""

from __future__ import annotations

import random
import sys
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from rich.console import Console

from acd.agent_set import packed, slots
from acd.waiting_line import FEW
from bench.report import table_of

AGENTS = (1000, 10_000, 100_000)
LINES = {1000: 150, 10_000: 1700, 100_000: 34_000}  # different sets of those who wait, as `bench acd` finds them
_WIDE_SHARE = 0.3  # of them that more than `FEW` agents can take, at 10,000 agents
_MOST_WIDE = 2000  # 200 skills, ten levels
_LONG_ENOUGH_S = 0.05


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer a question, in us."""

    question: str
    way: str
    agents_1000: float
    agents_10_000: float
    agents_100_000: float


def took_us(what: Callable[[], object]) -> float:
    """The least of three."""
    timer = timeit.Timer(what)
    times, took = timer.autorange()
    if took > _LONG_ENOUGH_S * 10:
        return took / times * 1e6
    times = max(1, int(times * _LONG_ENOUGH_S / took))
    return min(timer.repeat(3, times)) / times * 1e6


def set_of(members: list[int]) -> int:
    bits = bytearray(max(members) // 8 + 1)
    for slot in members:
        bits[slot >> 3] |= 1 << (slot & 7)
    return int.from_bytes(bits, "little")


def shifted(agents: int) -> list[int]:
    """The lowest bit again and again."""
    found = []
    while agents:
        lowest = agents & -agents
        found.append(lowest.bit_length() - 1)
        agents ^= lowest
    return found


def questions(count: int, rng: random.Random) -> list[tuple[str, str, float]]:
    found = []
    some = [rng.sample(range(count), count // 40) for _ in range(3)]  # 5 of 200 skills each
    ints, arrays = [set_of(members) for members in some], [np.zeros(count, bool) for _ in some]
    levels = np.zeros((3, count), np.uint8)
    for number, (members, array) in enumerate(zip(some, arrays, strict=True)):
        array[members] = True
        levels[number, members] = rng.randint(1, 10)
    sets = [frozenset(members) for members in some]
    a, b, c = ints
    found += [
        ("who fits: three skills", "integers", took_us(lambda: a & b & c)),
        ("who fits: three skills", "numpy, a bool an agent", took_us(lambda: arrays[0] & arrays[1] & arrays[2])),
        ("who fits: three skills", "numpy, levels compared", took_us(lambda: (levels >= 3).all(axis=0))),
        ("who fits: three skills", "sets", took_us(lambda: sets[0] & sets[1] & sets[2])),
    ]
    for many in (5, 300):
        chosen = set_of(rng.sample(range(count), many))
        question = f"the {many} members of a set"
        found += [
            (question, "by words, or unpacked by numpy", took_us(partial(slots, chosen))),
            (question, "the lowest bit again and again", took_us(partial(shifted, chosen))),
        ]
    return found + lines(count, rng)


def lines(count: int, rng: random.Random) -> list[tuple[str, str, float]]:
    """An agent is free, and none of those who wait fits: the worst case, in which a matrix is best. On a floor at work
    the first few lines in order have somebody for him: by the byte 0.7 us, by the matrix 1.1 us (10,000 agents)."""
    sizes = [FEW * 2] * min(_MOST_WIDE, int(LINES[count] * _WIDE_SHARE))
    sizes += [rng.randint(1, 30) for _ in range(LINES[count] - len(sizes))]
    slot = count // 2
    waiting = [set_of([one for one in rng.sample(range(count), size) if one != slot] or [0]) for size in sizes]
    wide = [packed(one) for one in waiting if one.bit_count() > FEW]
    by_slot: dict[int, list[int]] = {}
    for number, one in enumerate(waiting):
        if one.bit_count() <= FEW:
            for member in slots(one):
                by_slot.setdefault(member, []).append(number)
    at, bit = slot >> 3, 1 << (slot & 7)

    matrix = np.zeros((len(wide), count // 8 + 1), np.uint8)
    for number, fits in enumerate(wide):
        matrix[number, : len(fits)] = np.frombuffer(fits, np.uint8)

    def by_matrix() -> object:
        return by_slot.get(slot), np.flatnonzero(matrix[:, at] & bit)

    def by_byte() -> object:
        return by_slot.get(slot), [None for one in wide if at < len(one) and one[at] & bit]

    every = [packed(one) for one in waiting]
    question = "an agent is free: which lines"
    return [
        (question, "few by the agent, wide ones by the byte", took_us(by_byte)),
        (question, "few by the agent, wide ones by a numpy matrix", took_us(by_matrix)),
        (question, "all by the byte", took_us(lambda: [None for one in every if at < len(one) and one[at] & bit])),
        (question, "all by shifting the integer", took_us(lambda: [None for one in waiting if one >> slot & 1])),
    ]


def main() -> None:
    rng = random.Random(1)
    columns = [questions(count, rng) for count in AGENTS]
    ways = [
        Way(question, way, *(round(column[row][2], 2) for column in columns))
        for row, (question, way, _) in enumerate(columns[0])
    ]
    Console(width=None if sys.stdout.isatty() else 120).print(table_of("sets of agents, us", ways))


if __name__ == "__main__":
    main()
