"""Erlang's formulas: how many agents a queue needs, and how long its callers wait, if calls come at random.

Calls arrive by a Poisson process, `load` is their offered load in erlangs (arrivals a second x handle time), handle
times are exponential with mean `handle_s`, agents serve in order of arrival.

* B: who finds all lines busy goes away (trunks). Jagerman, "Some properties of the Erlang loss function", 1974.
* C: everybody waits until served (M/M/n). Overloaded from `load >= agents` on: everybody waits for ever.
* A: callers hang up after an exponential patience (M/M/n+M). Palm 1957; the density of the offered wait is that of
  Baccelli and Hebuterne, "On queues with impatient customers", 1981; see Zeltyn and Mandelbaum, "Call centers with
  impatient customers: many-server asymptotics of the M/M/n+G queue", 2005.

All sums are of positive terms or in the logarithm, so they hold for 10,000 agents and more. Wrap-up is a part of the
handle time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_AGENTS = 1_000_000  # of the searches

_Array = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)  # on -1..1
_PANELS = 32  # of each integral
_NEGLIGIBLE = 45.0  # e^-45 of the peak is nothing
_BLOCK = 8192  # terms summed at a time
_ENOUGH = 1e290  # a sum that has come so far is as good as infinite


@dataclass(frozen=True, slots=True)
class Wait:
    """How callers fare in a queue. Times in seconds, shares from 0 to 1 of all who call."""

    agents: int
    load: float  # erlangs offered
    waits: float  # share who wait at all
    asa_s: float  # mean wait of those answered (average speed of answer)
    mean_wait_s: float  # of all, those who hang up too
    service_level: float  # share answered within the threshold
    occupancy: float  # share of their time that agents are at work
    abandons: float  # share who hang up
    waiting: float  # mean length of the queue

    @property
    def answered(self) -> float:
        return 1.0 - self.abandons


def erlang_b(agents: int, load: float) -> float:
    """The share of calls that find all `agents` lines busy."""
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(agents: int, load: float) -> float:
    """The share of calls that wait; 1 if there are too few agents ever to serve all."""
    if load <= 0:
        return 0.0
    return 1.0 if load >= agents else _c_of_b(erlang_b(agents, load), load / agents)


def _c_of_b(blocked: float, share: float) -> float:
    return blocked / (1.0 - share * (1.0 - blocked))


def wait_c(agents: int, load: float, handle_s: float, within_s: float) -> Wait:
    """Erlang C: nobody hangs up. In an overloaded queue waits are infinite and no call is answered in time."""
    if load >= agents and load > 0:
        return Wait(agents, load, 1.0, math.inf, math.inf, 0.0, 1.0, 0.0, math.inf)
    waits = erlang_c(agents, load)
    spare = agents - load
    mean_wait_s = waits * handle_s / spare if spare else 0.0
    level = 1.0 - waits * math.exp(-spare * within_s / handle_s)
    queue = waits * load / spare if spare else 0.0
    return Wait(agents, load, waits, mean_wait_s, mean_wait_s, level, load / agents if agents else 0.0, 0.0, queue)


def wait_a(agents: int, load: float, handle_s: float, patience_s: float, within_s: float) -> Wait:
    """Erlang A: callers hang up after an exponential time with mean `patience_s`. Never overloaded."""
    if math.isinf(patience_s):
        return wait_c(agents, load, handle_s, within_s)
    if load <= 0:
        return Wait(agents, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    if not agents:
        return Wait(0, load, 1.0, math.inf, patience_s, 0.0, 0.0, 1.0, load * patience_s / handle_s)
    offered = OfferedWait(agents, load, handle_s, patience_s)
    waits = _waits_a(agents, load, handle_s / patience_s)
    everything = offered.integral(0.0, math.inf, lambda _: 1.0)  # of all who wait; its scale is arbitrary
    share = waits / everything
    lost = share * offered.integral(0.0, math.inf, lambda x: -np.expm1(-x / patience_s))
    patient_s = share * offered.integral(0.0, math.inf, lambda x: x * np.exp(-x / patience_s))
    in_time = share * offered.integral(0.0, within_s, lambda x: np.exp(-x / patience_s))
    answered = 1.0 - lost
    mean_wait_s = lost * patience_s  # hang-ups a second = queue / patience; Little's law
    return Wait(
        agents, load, waits, patient_s / answered if answered > 0 else math.inf, mean_wait_s,
        1.0 - waits + in_time, load * answered / agents, lost, load * mean_wait_s / handle_s,
    )  # fmt: skip


class OfferedWait:
    """How long a caller who has to wait would wait if he never hung up (1 agent or more): its density at x is in
    proportion to exp((1 - e^(-x / patience)) patience arrivals - x served), all in one unit of time."""

    __slots__ = ("_arrivals", "_from", "_patience", "_peak", "_served", "_to")

    def __init__(self, agents: int, load: float, handle_s: float, patience_s: float) -> None:
        self._arrivals, self._served, self._patience = load / handle_s, agents / handle_s, patience_s
        most = patience_s * math.log(load / agents) if load > agents else 0.0
        self._peak = self._exponent(most)
        self._from, self._to = self._edge(most, -1.0), self._edge(most, 1.0)

    def integral(self, low: float, high: float, of: Callable[[_Array], _Array | float]) -> float:
        """Of `of(x)` times the density from `low` to `high` seconds."""
        low, high = max(low, self._from), min(high, self._to)
        if high <= low:
            return 0.0
        edges = np.linspace(low, high, _PANELS + 1)
        half = (edges[1:] - edges[:-1])[:, None] / 2
        x = edges[:-1, None] + half * (1.0 + _NODES)
        exponent = self._arrivals * self._patience * -np.expm1(-x / self._patience) - self._served * x
        return float(np.sum(half * _WEIGHTS * np.exp(exponent - self._peak) * of(x)))

    def _exponent(self, x: float) -> float:
        return self._arrivals * self._patience * -math.expm1(-x / self._patience) - self._served * x

    def _edge(self, peak: float, way: float) -> float:
        """Where, to the left or the right of the peak, the density becomes nothing: it falls ever steeper."""
        if way < 0 and self._peak - self._exponent(0.0) <= _NEGLIGIBLE:
            return 0.0
        step = self._patience
        while self._peak - self._exponent(max(0.0, peak + way * step)) > _NEGLIGIBLE and step > 1e-12 * self._patience:
            step /= 2
        while self._peak - self._exponent(max(0.0, peak + way * step)) < _NEGLIGIBLE and step < 1e9 * self._patience:
            step *= 1.25
        return max(0.0, peak + way * step)


def _waits_a(agents: int, load: float, hurry: float) -> float:
    """The share who wait. `hurry` is handle time / patience. With p the probability that exactly all agents are busy
    and nobody waits: below it the states sum up to p / B, above it to p x the sum of the products made here."""
    above = 0.0  # of the states with somebody waiting
    log_term, first = 0.0, 1
    while True:
        logs = log_term + np.cumsum(math.log(load) - np.log(agents + hurry * np.arange(first, first + _BLOCK)))
        above += float(np.sum(np.exp(np.minimum(logs, 700.0))))
        log_term, first = float(logs[-1]), first + _BLOCK
        falls = agents + hurry * first > load
        if above > _ENOUGH:
            return 1.0
        if falls and math.exp(log_term) <= 1e-18 * above * (1.0 - load / (agents + hurry * first)):
            break
    blocked = erlang_b(agents, load)
    return blocked * (1.0 + above) / (1.0 + blocked * above)


# --- the other way round --------------------------------------------------------------------------------------------


def agents_needed(enough: Callable[[int], bool]) -> int | None:
    """The fewest agents for which `enough` holds, if it holds for all larger numbers, too; None if a million would
    not do."""
    high = 1
    while not enough(high):
        high *= 2
        if high > MAX_AGENTS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high if high > 1 or not enough(0) else 0


def lines_needed(load: float, blocked: float) -> int:
    """The fewest lines of which at most `blocked` (more than 0) of the calls find none free."""
    lost, lines = 1.0 if load > 0 else 0.0, 0
    while lost > blocked:
        lines += 1
        lost = load * lost / (lines + load * lost)
    return lines
