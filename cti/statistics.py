"""Statistics by REST, and to wall boards over the websocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from acd.report import AGENTS, CALLS, STEPS, Part, Shape, report
from cti.errors import InvalidQuery
from cti.events import Direct, EventHub
from cti.ivr_statistics import BY, SHAPE, IvrStatistics
from cti.ports import AgentDesk, CallRecords
from cti.replies import in_slices, reply_with
from cti.views import LiveView
from pbx.call.clock import Clock, Timer

if TYPE_CHECKING:
    from cti.rest import Ask

SHOW_S: Final = 3.0  # how often wall boards get new figures
LONGEST_S: Final = 366 * 86_400


class StatisticsRest:
    """Operations of the routes whose names begin with `statistics.`."""

    def __init__(
        self, view: LiveView, records: CallRecords, clock: Clock, ivr: IvrStatistics,
        written: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        """`written` returns when all that happened before is in the records, if they can be reached."""
        self._view, self._desk, self._records, self._clock, self._ivr = view, view.desk, records, clock, ivr
        self._written = written

    async def get(self, ask: Ask) -> web.StreamResponse:
        by, step, name = (_word(ask, *words) for words in (("by", "queue", BY), ("step", "interval", STEPS), ("name",)))
        since, before = ask.query["from"], ask.query["to"]
        if not since:
            now = self._clock.now()
            found = self._ivr.live(now) if by == "ivr" else self._desk.statistics(by)
            live = await in_slices(row for row in found if name in ("", row["name"]))
            self._known(by, name, live)
            return await reply_with({"at": now, "by": by}, "rows", live)
        before = before or int(self._clock.now()) + 1
        if not since < before <= since + LONGEST_S:
            raise InvalidQuery("from, to: expected seconds since 1970, `to` after `from` by at most 366 days")
        # First this: a quarter of an hour that ends meanwhile is in one of the two.
        of_now = self._ivr.at_work(self._clock.now()) if by == "ivr" else self._desk.statistics_at_work(by)
        at_work = await in_slices(of_now)
        await self._written()
        parts = await history(self._records, by, since, before, name or None)
        live_keys = {part[:3] for part in at_work}  # a rebuild may have written them, as they were then
        parts = [part for part in parts if part[:3] not in live_keys]
        parts += [part for part in at_work if since <= part.start < before and name in ("", part.name)]
        self._known(by, name, parts)
        rows = await asyncio.to_thread(report, parts, step, self._desk.timezone, shape_of(by))
        head = {"at": self._clock.now(), "by": by, "from": since, "to": before, "step": step}
        return await reply_with(head, "rows", rows)

    def _known(self, kind: str, name: str, found: Sequence[object]) -> None:
        """One that has no figures is there, or was never. Raises UnknownResource."""
        if name and not found:
            self._view.must_know(kind, name, self._ivr.names if kind == "ivr" else None)


def shape_of(by: str) -> Shape:
    return SHAPE if by == "ivr" else AGENTS if by == "agent" else CALLS


async def history(records: CallRecords, by: str, since: float, before: float, name: str | None) -> list[Part]:
    """Quarters of an hour that are over, and were written."""
    if by == "agent":
        agents = await records.agent_intervals(since, before, name)
        return [Part(row.start, row.agent, "", row.figures, row.dispositions, row.not_ready) for row in agents]
    if by == "ivr":
        states = await records.ivr_intervals(since, before, name)
        return [Part(row.start, f"{row.flow}/{row.state}", "", row.figures, {}, {}) for row in states]
    calls = await records.calls_intervals(by, since, before, name)
    return [Part(row.start, row.name, row.channel, row.figures, row.dispositions, {}) for row in calls]


class WallBoards:
    """Sends figures to those who asked for topic `statistics`, while there are any."""

    def __init__(self, desk: AgentDesk, hub: EventHub, clock: Clock) -> None:
        self._desk, self._hub, self._clock = desk, hub, clock
        self._timer: Timer | None = None

    def start(self) -> None:
        self._timer = self._clock.after(SHOW_S, self._show)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def figures(self) -> dict[str, Any]:
        return {"type": "statistics", "at": self._clock.now(), "queues": list(self._desk.wall_board())}

    def _show(self) -> None:
        self.start()
        watching = self._hub.watching("statistics")
        if watching:
            shown = Direct(self.figures())
            for subscription in watching:
                subscription.push(shown)


def _word(ask: Ask, name: str, default: str = "", allowed: tuple[str, ...] = ()) -> str:
    word = ask.request.query.get(name, default)
    if allowed and word not in allowed:
        raise InvalidQuery(f"{name}: expected one of {', '.join(allowed)}")
    return word
