"""Figures of each state of each IVR flow: a pure fold of events, so the same live, read back and made anew.

Here because this is the lowest place that may know both `ivr.events` and `acd.figures`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from acd.figures import HOUR_S, INTERVAL_S, Days, Row, Series, ms
from acd.report import Part, Shape
from acd.statistics_view import BY as OF_FLOOR
from acd.summary import Summary
from config.schema import Flow, Site
from ivr.events import IvrDigits, IvrEnded, IvrInterval, IvrNoInput, IvrStateEntered
from pbx.call.events import CallEnded

BY: Final = (*OF_FLOOR, "ivr")
COLUMNS: Final = (
    "entered", "left", "hung_up", "ended", "inputs", "spent_ms", "no_match", "no_input", "unmatched", "silent",
)  # fmt: skip
ENTERED, LEFT, HUNG_UP, ENDED, INPUTS, SPENT, NO_MATCH, NO_INPUT, UNMATCHED, SILENT = range(len(COLUMNS))
WENT: Final = (LEFT, ENDED)  # the ways out on which it counts whether a visit's last try brought an input
MOST_AT_ONCE: Final = 200  # intervals handed out: clients that listen have a bounded queue
_ENDED_BY: Final = {"caller": HUNG_UP, "flow": ENDED}

IvrEvent = IvrStateEntered | IvrDigits | IvrNoInput | IvrEnded | CallEnded


class Node(NamedTuple):
    flow: str
    state: str

    def __str__(self) -> str:
        return f"{self.flow}/{self.state}"


class Visit(NamedTuple):
    node: Node
    since_ms: int
    tried: int | None = None  # how it counts if it is over now: UNMATCHED or SILENT, by the last try; None: neither


def summary(row: Sequence[int]) -> Summary:
    """A row of `COLUMNS`, as people read it."""
    went = row[LEFT] + row[ENDED]
    over = went + row[HUNG_UP]
    figures: Summary = {name: row[i] for i, name in enumerate(COLUMNS) if i != SPENT}
    figures |= {f"{COLUMNS[i]}_share": row[i] / went if went else None for i in (UNMATCHED, SILENT)}
    return figures | {"spent_s": row[SPENT] / 1000 / over if over else None}


SHAPE: Final = Shape(len(COLUMNS), None, summary, noted=False)


class IvrStatistics:
    """All figures, bounded by the site's states; where each caller is, by the live calls."""

    FOLLOWS: Final = (IvrStateEntered, IvrDigits, IvrNoInput, IvrEnded, CallEnded)

    def __init__(self, zone: str = "UTC") -> None:
        self.visits: dict[str, Visit] = {}  # by call: where it is
        self._nodes: dict[Node, Series] = {}
        self._closed: list[tuple[Node, int, Row]] = []  # intervals that ended and were not taken
        self._closed_to = 0
        self._days = Days(zone)
        self._flows: Mapping[str, Flow] = {}

    def reconfigure(self, site: Site) -> None:
        """Figures of states that are no more stay until the day is over."""
        self._days = Days(site.locale.timezone)
        self._flows = site.ivr

    # --- the fold ---------------------------------------------------------------------------------------------------

    def event(self, event: IvrEvent) -> None:
        """Count it."""
        at = event.at
        if isinstance(event, IvrDigits | IvrNoInput):
            self._tried(event)
            return
        visit = self.visits.pop(event.call_id, None)
        if visit is not None:
            row, way = self._row(visit.node, at), _way_out(event)
            row[way] += 1
            row[SPENT] += max(0, ms(at) - visit.since_ms)
            if visit.tried is not None and way in WENT:
                row[visit.tried] += 1
        if isinstance(event, IvrStateEntered):
            node = Node(event.flow, event.state)
            self._row(node, at)[ENTERED] += 1
            self.visits[event.call_id] = Visit(node, ms(at))

    def _tried(self, event: IvrDigits | IvrNoInput) -> None:
        row, tried = self._row(Node(event.flow, event.state), event.at), None
        if isinstance(event, IvrNoInput):
            row[NO_INPUT] += 1
            tried = SILENT
        else:
            row[INPUTS] += 1
            if not event.matched:
                row[NO_MATCH] += 1
                tried = UNMATCHED
        visit = self.visits.get(event.call_id)
        if visit is not None:
            self.visits[event.call_id] = visit._replace(tried=tried)

    def _row(self, node: Node, at: float) -> Row:
        """The current slice. Slices are the quarters of an hour, as agents' are: what the database keeps is all."""
        series = self._nodes.get(node)
        if series is None:
            series = self._nodes[node] = Series.begin(len(COLUMNS), INTERVAL_S, at, self._days.end(at))
        elif not series.holds(at):
            self._roll(node, series, at)
        return series.current

    def _roll(self, node: Node, series: Series, at: float) -> None:
        if (ended := series.roll(at, self._days.end(at))) is not None:
            self._closed.append((node, *ended[:2]))

    def close(self, now: float) -> list[IvrInterval]:
        """Asked now and then: intervals that are over, at most so many. States without figures are forgotten."""
        start = int(now // INTERVAL_S) * INTERVAL_S
        if start > self._closed_to:
            self._closed_to = start
            for node, series in list(self._nodes.items()):
                self._roll(node, series, now)
                if series.idle(now):
                    del self._nodes[node]
        taken, self._closed = self._closed[:MOST_AT_ONCE], self._closed[MOST_AT_ONCE:]
        return [IvrInterval(now, *node, begun, row) for node, begun, row in taken]

    def load(self, rows: Iterable[tuple[int, Node, Sequence[int]]], until: float) -> None:
        """Begin with intervals that were written, in order: all that ended until then."""
        for start, node, figures in rows:
            self._row(node, start)[:] = figures
        while self.close(until):
            pass

    # --- what is asked ----------------------------------------------------------------------------------------------

    @property
    def names(self) -> set[str]:
        """All states of the site, and those that have figures."""
        of_site = {f"{flow}/{state}" for flow, states in self._flows.items() for state in states}
        return of_site | {str(node) for node in self._nodes}

    def live(self, now: float) -> Iterator[dict[str, Any]]:
        """Figures of this quarter of an hour, of it and the three before, and of today."""
        for node, series in sorted(self._nodes.items()):
            spans = {"quarter": series.window(INTERVAL_S, now), "hour": series.window(HOUR_S, now)}
            spans["today"] = series.today(now)
            yield {"name": str(node)} | {span: summary(row) for span, row in spans.items()}

    def today(self, now: float) -> Iterator[tuple[str, Row]]:
        """Rows of `COLUMNS` since midnight."""
        return ((str(node), series.today(now)) for node, series in sorted(self._nodes.items()))

    def at_work(self, now: float) -> list[Part]:
        """The quarter of an hour that is not over, and what was not told yet of those that are."""
        found = [(node, *series.now()[:2]) for node, series in self._nodes.items()]
        return [Part(begun, str(node), "", row, {}, {}) for node, begun, row in self._closed + found if any(row)]


def _way_out(event: IvrStateEntered | IvrEnded | CallEnded) -> int:
    if isinstance(event, IvrEnded):
        return _ENDED_BY.get(event.hung_up_by, LEFT)
    return LEFT if isinstance(event, IvrStateEntered) else HUNG_UP
