"""Numbers for Prometheus: the injected counters as they are, gauges read when asked."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from acd.figures import Row
from cti.events import EventHub
from cti.ivr_statistics import COLUMNS, SPENT
from cti.views import LiveView
from cti.web_sessions import WebSessions

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("LOGGED_OUT", "NOT_READY", "READY", "RESERVED", "BUSY", "WRAP_UP")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")

_OF_QUEUE = (
    ("service_level", "share of calls answered in time, of those offered, in 15 minutes"),
    ("service_level_answered", "share of calls answered in time, of those answered, in 15 minutes"),
    ("abandon_share", "share of calls abandoned, in 15 minutes"),
    ("speed_of_answer_seconds", "mean wait of calls answered, in 15 minutes"),
    ("handle_time_seconds", "mean talk and wrap-up of calls, in 15 minutes"),
    ("expected_wait_seconds", "expected wait of a call that comes now"),
    ("expected_wait_error_seconds", "mean absolute error of expected waits, in 15 minutes"),
    ("expected_wait_bias_seconds", "mean error of expected waits, in 15 minutes; above zero: less than expected"),
)
_FIELD_OF = {
    "speed_of_answer_seconds": "asa_s", "handle_time_seconds": "aht_s", "expected_wait_seconds": "expected_wait_s",
    "expected_wait_error_seconds": "estimate_error_s", "expected_wait_bias_seconds": "estimate_bias_s",
}  # fmt: skip
_OUTCOMES = (
    "offered", "answered", "answered_in_time", "abandoned", "abandoned_short", "overflowed", "turned_away",
    "called_back", "resumed", "transferred", "missed", "unreachable",
)  # fmt: skip

Gauges = Mapping[str, Callable[[], float]]


class Histogram:
    """Counts observations by upper bounds."""

    def __init__(self, name: str, about: str, bounds: Sequence[float]) -> None:
        self.name, self.about, self._bounds = name, about, tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self) -> Metric:
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        return HistogramMetricFamily(f"plateau_{self.name}", self.about, buckets=buckets, sum_value=self._sum)


class Metrics(Collector):
    """One scrape reads everything; between scrapes this costs nothing."""

    def __init__(
        self, counters: Counter[str], gauges: Gauges, view: LiveView, hub: EventHub, sessions: WebSessions,
        ivr_today: Callable[[], Iterable[tuple[str, Row]]], histograms: Sequence[Histogram] = (),
    ) -> None:  # fmt: skip
        """`ivr_today` gives the figures of each state of a flow since midnight."""
        self._histograms, self._ivr_today = histograms, ivr_today
        self._counters = counters
        self._gauges = gauges
        self._view = view
        self._hub = hub
        self._sessions = sessions
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        for name, value in sorted(self._counters.items()):
            name = _NOT_IN_NAMES.sub("_", name)
            yield CounterMetricFamily(f"plateau_{name}", f"{name.replace('_', ' ')}, since the start", value=value)
        for name, read in sorted(self._gauges.items()):
            yield GaugeMetricFamily(f"plateau_{_NOT_IN_NAMES.sub('_', name)}", name.replace("_", " "), value=read())
        for histogram in self._histograms:
            yield histogram.family()
        yield GaugeMetricFamily("plateau_calls", "live calls", value=self._view.call_count())
        yield GaugeMetricFamily("plateau_web_sessions", "web sessions kept", value=len(self._sessions))
        yield GaugeMetricFamily("plateau_event_clients", "websockets that listen", value=self._hub.clients)
        yield from self._queues()
        yield from self._statistics()
        yield from self._ivr()
        yield from self._agents()

    def _queues(self) -> Iterable[Metric]:
        """Of those who wait now; `plateau_waiting` and the longest wait are of calls whose caller is there."""
        waiting = GaugeMetricFamily("plateau_waiting", "calls waiting", labels=["queue"])
        others = GaugeMetricFamily(
            "plateau_waiting_others", "callbacks, chats and mails waiting", labels=["queue", "channel"]
        )
        longest = GaugeMetricFamily("plateau_longest_wait_seconds", "longest wait now", labels=["queue"])
        for queue in self._view.desk.queues():
            by_channel: dict[str, list[float]] = {"call": []}
            for item in queue["waiting"]:
                if item.get("state") != "KEPT":
                    by_channel.setdefault(item.get("channel", "call"), []).append(float(item.get("waited_s", 0)))
            waits = by_channel.pop("call")
            waiting.add_metric([queue["name"]], len(waits))
            longest.add_metric([queue["name"]], max(waits, default=0.0))
            for channel, found in by_channel.items():
                others.add_metric([queue["name"], channel], len(found))
        return waiting, longest, others

    def _statistics(self) -> Iterable[Metric]:
        """Of calls of each queue: gauges of the last quarter of an hour, counters since midnight."""
        label = ["queue"]
        gauges = {name: GaugeMetricFamily(f"plateau_queue_{name}", about, labels=label) for name, about in _OF_QUEUE}
        counts = CounterMetricFamily("plateau_queue_calls_today", "calls since midnight", labels=["queue", "outcome"])
        for queue in self._view.desk.wall_board():
            quarter, today = queue.get("quarter") or {}, queue.get("today") or {}
            values = {**quarter, **{name: queue.get(name) for name in ("service_level", "expected_wait_s")}}
            for name, family in gauges.items():
                value = values.get(_FIELD_OF.get(name, name))
                if value is not None:
                    family.add_metric([queue["name"]], value)
            for outcome in _OUTCOMES:
                counts.add_metric([queue["name"], outcome], today.get(outcome, 0))
        return *gauges.values(), counts

    def _ivr(self) -> Iterable[Metric]:
        """Of each state of a flow, counters since midnight."""
        family = CounterMetricFamily(
            "plateau_ivr_state_today", "visits and inputs of IVR states since midnight", labels=["state", "what"]
        )
        for state, row in self._ivr_today():
            for what, value in zip(COLUMNS, row, strict=True):
                if what != COLUMNS[SPENT]:
                    family.add_metric([state, what], value)
        return (family,)

    def _agents(self) -> Iterable[Metric]:
        states = self._view.desk.agent_states()
        family = GaugeMetricFamily("plateau_agents", "agents by state", labels=["state"])
        for state in (*STATES, *sorted(states.keys() - set(STATES))):
            family.add_metric([state], states.get(state, 0))
        return (family,)
