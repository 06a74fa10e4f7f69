"""Who calls, and when: callers out of rates by queue and time of day, made before the day begins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from acd.simulate.distributions import NEVER, Distribution, Exponential, Streams, Times

Values = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Caller:
    """One call. Times in seconds; `at` counts from the midnight at which the simulated day begins."""

    at: float
    queue: str
    attributes: Values
    patience_s: float  # hangs up when so long without an agent; may be infinite
    talk_s: float  # with an agent, wrap-up not included


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end` (seconds from midnight) calls come at random, `per_s` a second in the mean."""

    start: float
    end: float
    per_s: float


THREE_MINUTES = Exponential(180.0)


@dataclass(frozen=True, slots=True)
class Habits:
    """How the callers of a queue are."""

    talk: Distribution = THREE_MINUTES
    patience: Distribution = NEVER
    attributes: tuple[Values, ...] = ({},)  # one of these, each as likely


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that is known to come; None is drawn from the habits of the queue's callers."""

    at: float
    queue: str
    attributes: Values | None = None
    patience_s: float | None = None
    talk_s: float | None = None
    waited_s: float = 0.0  # was so patient at least


@dataclass(frozen=True, slots=True)
class Demand:
    """All calls of a day: spans of random ones, and known ones."""

    spans: Mapping[str, Sequence[Span]] = field(default_factory=dict)  # by queue
    arrivals: Sequence[Arrival] = ()
    habits: Mapping[str, Habits] = field(default_factory=dict)
    others: Habits = field(default_factory=Habits)  # of queues without an entry in `habits`

    def habits_of(self, queue: str) -> Habits:
        return self.habits.get(queue, self.others)

    @property
    def mean_calls(self) -> float:
        """How many a day has in the mean."""
        return len(self.arrivals) + sum(
            (span.end - span.start) * span.per_s for spans in self.spans.values() for span in spans
        )

    @property
    def window(self) -> tuple[float, float]:
        """From the first call that may come to the last, in seconds from midnight."""
        starts = [span.start for spans in self.spans.values() for span in spans] + [one.at for one in self.arrivals]
        ends = [span.end for spans in self.spans.values() for span in spans] + [one.at for one in self.arrivals]
        return (min(starts), max(ends)) if starts else (0.0, 0.0)

    def callers(self, streams: Streams) -> list[Caller]:
        """In order of arrival; the same for the same seed."""
        made: list[Caller] = []
        for queue, spans in self.spans.items():
            dice = streams.of(f"arrivals {queue}")
            times = [_times(span, dice) for span in spans]
            at = np.sort(np.concatenate(times)) if times else np.empty(0)
            made += self._with_habits(queue, [Arrival(float(t), queue) for t in at], streams, "")
        known: dict[str, list[Arrival]] = {}
        for arrival in self.arrivals:
            known.setdefault(arrival.queue, []).append(arrival)
        for queue, arrivals in known.items():
            made += self._with_habits(queue, arrivals, streams, "known ")
        made.sort(key=lambda caller: caller.at)
        return made

    def _with_habits(self, queue: str, arrivals: list[Arrival], streams: Streams, kind: str) -> list[Caller]:
        habits, count = self.habits_of(queue), len(arrivals)
        talk = habits.talk.draw(streams.of(f"{kind}talk {queue}"), count)
        patience = habits.patience.draw(streams.of(f"{kind}patience {queue}"), count)
        chosen = streams.of(f"{kind}attributes {queue}").integers(0, len(habits.attributes), count)
        return [
            Caller(
                one.at,
                queue,
                habits.attributes[which] if one.attributes is None else one.attributes,
                one.waited_s + stays if one.patience_s is None else one.patience_s,
                talks if one.talk_s is None else one.talk_s,
            )
            for one, talks, stays, which in zip(
                arrivals, talk.tolist(), patience.tolist(), chosen.tolist(), strict=True
            )
        ]


def _times(span: Span, dice: np.random.Generator) -> Times:
    """A Poisson process: its number of calls, and that many moments, each as likely as any other."""
    count = int(dice.poisson(span.per_s * (span.end - span.start)))
    return dice.uniform(span.start, span.end, count)


def profile(rows: Sequence[tuple[float, float]], last_s: float | None = None) -> list[Span]:
    """Spans out of (seconds from midnight, calls in the interval that begins there). The last interval is as long as
    the one before it, or `last_s`."""
    if not rows:
        return []
    starts = [start for start, _ in rows]
    last_s = last_s or (starts[-1] - starts[-2] if len(starts) > 1 else 3600.0)
    ends = [*starts[1:], starts[-1] + last_s]
    return [Span(a, b, calls / (b - a)) for (a, calls), b in zip(rows, ends, strict=True) if calls > 0 and b > a]


def censored_mean_s(left: Sequence[float], stayed: Sequence[float]) -> float:
    """Mean patience, if it is exponential, of callers of whom some hung up after `left` and others were answered after
    `stayed` seconds: the whole time waited for each hang-up (the maximum likelihood). Infinite if nobody hung up."""
    return (math.fsum(left) + math.fsum(stayed)) / len(left) if left else math.inf
