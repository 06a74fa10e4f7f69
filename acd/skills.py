"""Who has which skill, as sets of agents held in integers: bit n stands for the agent in slot n."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

MAX_LEVEL = 10


class SkillIndex:
    """For each skill and level the set of agents who have at least that level. Built at load."""

    __slots__ = ("_at_least", "everyone")

    def __init__(self, agents: Iterable[tuple[int, Mapping[str, int]]] = ()) -> None:
        """`agents`: (slot, level by skill) of each."""
        self.everyone = 0
        self._at_least: dict[str, list[int]] = {}
        for slot, skills in agents:
            bit = 1 << slot
            self.everyone |= bit
            for skill, level in skills.items():
                sets = self._at_least.setdefault(skill, [0] * (MAX_LEVEL + 1))
                for n in range(1, level + 1):
                    sets[n] |= bit

    def __contains__(self, skill: str) -> bool:
        return skill in self._at_least

    def put(self, slot: int, skill: str, level: int) -> None:
        """The agent's level is another from now on, 0 to 10."""
        bit = 1 << slot
        sets = self._at_least.setdefault(skill, [0] * (MAX_LEVEL + 1))
        for n in range(1, MAX_LEVEL + 1):
            sets[n] = sets[n] | bit if n <= level else sets[n] & ~bit

    def at_least(self, skill: str, level: float) -> int:
        """Agents whose level is `level` or more; who lacks the skill has level 0."""
        if level <= 0:
            return self.everyone
        if not level <= MAX_LEVEL:  # NaN too
            return 0
        sets = self._at_least.get(skill)
        return sets[math.ceil(level)] if sets else 0

    def exactly(self, skill: str, level: int) -> int:
        """Agents whose level is `level`, 0 to 10."""
        return self.at_least(skill, level) & ~self.at_least(skill, level + 1)
