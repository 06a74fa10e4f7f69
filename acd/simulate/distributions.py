"""How long callers stay and conversations take: `exponential 4m`, `lognormal 4m 0.8`, `constant 30s`, `never`, or what
a file or a recorded day had.

The first number is always the mean. That of a lognormal is followed by its coefficient of variation (standard deviation
/ mean; 1 if it is left out).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acd.simulate.words import WordError, duration_s, number

Times = NDArray[np.float64]
EXPECTED = "a distribution as exponential 4m, lognormal 4m 0.8, constant 30s or never"


@dataclass(frozen=True, slots=True)
class Exponential:
    mean_s: float

    def draw(self, dice: np.random.Generator, count: int) -> Times:
        return dice.exponential(self.mean_s, count)


@dataclass(frozen=True, slots=True)
class Lognormal:
    mean_s: float
    variation: float = 1.0  # standard deviation / mean

    def draw(self, dice: np.random.Generator, count: int) -> Times:
        variance = math.log1p(self.variation**2)
        return self.mean_s * dice.lognormal(-variance / 2, math.sqrt(variance), count)


@dataclass(frozen=True, slots=True)
class Constant:
    mean_s: float  # infinite: never

    def draw(self, dice: np.random.Generator, count: int) -> Times:
        return np.full(count, self.mean_s)


@dataclass(frozen=True, slots=True)
class Observed:
    """Any of these, each as likely."""

    values: tuple[float, ...]

    @property
    def mean_s(self) -> float:
        return math.fsum(self.values) / len(self.values)

    def draw(self, dice: np.random.Generator, count: int) -> Times:
        return np.asarray(self.values)[dice.integers(0, len(self.values), count)]


Distribution = Exponential | Lognormal | Constant | Observed
NEVER = Constant(math.inf)


def parse(text: str) -> Distribution:
    """Raises `WordError`."""
    kind, *numbers = text.split() or [""]
    if kind == "never" and not numbers:
        return NEVER
    if kind == "lognormal" and len(numbers) in (1, 2):
        variation = number(numbers[1], "a coefficient of variation as 0.8") if len(numbers) == 2 else 1.0
        if variation < 0:
            raise WordError("a coefficient of variation as 0.8", numbers[1])
        return Lognormal(_mean_s(numbers[0]), variation)
    if kind == "exponential" and len(numbers) == 1:
        return Exponential(_mean_s(numbers[0]))
    if kind == "constant" and len(numbers) == 1:
        return Constant(duration_s(numbers[0]))
    raise WordError(EXPECTED, text)


def _mean_s(text: str) -> float:
    mean_s = duration_s(text)
    if mean_s <= 0:
        raise WordError("a mean above 0", text)
    return mean_s


class Streams:
    """Dice that fall the same way each time: one generator for each purpose, all from one seed. So a roster is compared
    with another under the same calls, and a queue's calls do not change because another queue has more of them."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, purpose: str) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, *purpose.encode()])))


def any_of(values: Sequence[float]) -> Distribution | None:
    """`Observed`, if there is anything to choose from."""
    return Observed(tuple(values)) if values else None
