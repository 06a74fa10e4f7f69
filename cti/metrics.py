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

from cti.events import EventHub
from cti.views import LiveView
from cti.web_sessions import WebSessions

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("LOGGED_OUT", "NOT_READY", "READY", "RESERVED", "BUSY", "WRAP_UP")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")

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

    def __init__(self, counters: Counter[str], gauges: Gauges, view: LiveView, hub: EventHub,
                 sessions: WebSessions, histograms: Sequence[Histogram] = ()) -> None:  # fmt: skip
        self._histograms = histograms
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
        yield from self._agents()

    def _queues(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily("plateau_waiting", "calls waiting", labels=["queue"])
        longest = GaugeMetricFamily("plateau_longest_wait_seconds", "longest wait now", labels=["queue"])
        for queue in self._view.desk.queues():
            waits = [float(item.get("waited_s", 0)) for item in queue["waiting"]]
            waiting.add_metric([queue["name"]], len(waits))
            longest.add_metric([queue["name"]], max(waits, default=0.0))
        return waiting, longest

    def _agents(self) -> Iterable[Metric]:
        states = Counter(str(agent["state"]) for agent in self._view.desk.agents())
        family = GaugeMetricFamily("plateau_agents", "agents by state", labels=["state"])
        for state in (*STATES, *sorted(states.keys() - set(STATES))):
            family.add_metric([state], states[state])
        return (family,)
