"""Random histories of a floor: what is counted live, what the database holds, what is made again from the journal and
what a count by hand says are the same."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from acd.engine import Engine
from acd.errors import AcdError
from acd.events import AgentInterval, CallsInterval, WorkNoted
from acd.figures import CALLS
from acd.reservation import Outcome
from config.schema import Site
from cti.ivr_statistics import IvrStatistics
from ivr.events import IvrDigits, IvrEnded, IvrInterval, IvrNoInput, IvrStateEntered
from pbx.call.events import CallEnded, CallStarted
from pbx.statistics_history import IVR_KINDS, KINDS, event_of, fold, rebuild, restore
from pbx.store.intervals import AgentRow, CallsRow, IvrRow
from pbx.store.journal import Journal
from pbx.store.records import Records
from pbx.store.rows import JournalRow
from pbx.store.standing_calls import StandingCallStore

T0 = 1_795_300_000.0
NAMES = ("ann", "bob", "cy")
QUEUES = ("sales", "asia")
SITE = Site.model_validate({
    "site": "test", "listen": {"sip": ["udp:127.0.0.1:5060"]},
    "agents": {
        "ann": {"extension": "1", "skills": {"asia": 9, "french": 5}}, "bob": {"extension": "2"},
        "cy": {"extension": "3", "skills": {"french": 7}},
    },
    "queues": {
        "sales": {"ring_s": 15, "resume_s": 60, "dispositions": ["sold", "lost"]},
        "asia": {"needs": "asia or french", "wrap_up_s": 0, "max_wait_s": 300},
    },
})  # fmt: skip

STEPS = st.lists(
    st.tuples(
        st.sampled_from((
            "call", "call", "call", "answer", "answer", "answer", "hang up", "fail", "abandon", "transfer",
            "withdraw", "ready", "ready", "not ready", "logout", "closed", "note", "note", "note",
        )),
        st.integers(0, 9),
        st.sampled_from((0.0, 0.0, 0.0, 0.4, 0.4, 3.0, 3.0, 17.123456, 61.0, 400.0, 901.5, 5_000.0)),
    ),
    min_size=60, max_size=120,
)  # fmt: skip


class History:
    """Inputs as they come; all events."""

    def __init__(self) -> None:
        self.now = T0
        self.engine = Engine(SITE, T0)
        self.events: list[Any] = []
        self.made = 0
        for name, phone in zip(NAMES, "123", strict=True):
            self.engine.phone_registered(phone, True, T0)
            self.engine.login(name, T0)
            self.engine.ready(name, T0)

    def play(self, steps: Iterable[tuple[str, int, float]]) -> None:
        for what, which, wait_s in steps:
            until = self.now + wait_s
            while (due := self.engine.next_deadline()) is not None and due <= until:
                self.engine.tick(due)
            self.now = until
            try:
                getattr(self, "do_" + what.replace(" ", "_"))(which)
            except AcdError:
                pass
            if which == 0:
                self.engine.close_intervals(self.now)
            self.events += self.engine.take()[0]

    def do_call(self, which: int, *, is_open: bool = True) -> None:
        self.made += 1
        caller = f"+3361234567{which}"
        self.engine.enqueue(f"c{self.made}", QUEUES[which % 2], {}, self.now, caller=caller, is_open=is_open)

    def do_closed(self, which: int) -> None:
        self.do_call(which, is_open=False)

    def do_answer(self, which: int) -> None:
        for reservation in list(self.engine.floor.reservations)[which : which + 1] or list(
            self.engine.floor.reservations
        )[:1]:
            self.engine.answer(reservation, self.now)

    def do_fail(self, which: int) -> None:
        for reservation in list(self.engine.floor.reservations)[:1]:
            self.engine.fail(reservation, list(Outcome)[which % 5], self.now)

    def _item(self, which: int, *, talks: bool) -> str:
        items = [item.id for item in self.engine.floor.items.values()
                 if (item.agent is not None) == talks and item.state.value != "KEPT"]  # fmt: skip
        if not items:
            raise AcdError("none")
        return items[which % len(items)]

    def do_hang_up(self, which: int) -> None:
        self.engine.complete(self._item(which, talks=True), self.now, "caller")

    def do_transfer(self, which: int) -> None:
        item = self._item(which, talks=True)
        self.engine.complete(item, self.now, "transfer", "queue asia" if which % 2 else "extension 2")
        if which % 2:
            self.engine.enqueue(item, "asia", {}, self.now)

    def do_note(self, which: int) -> None:
        for name in NAMES:
            if self.engine.floor.roster.agents[name].notes is not None:
                self.engine.note(name, ("sold", "lost")[which % 2], self.now)

    def do_abandon(self, which: int) -> None:
        self.engine.abandon(self._item(which, talks=False), self.now)

    def do_withdraw(self, which: int) -> None:
        self.engine.withdraw(self._item(which, talks=False), None, self.now)

    def do_ready(self, which: int) -> None:
        for name in NAMES[: which % 3 + 1]:
            self.engine.login(name, self.now)
            self.engine.ready(name, self.now)

    def do_not_ready(self, which: int) -> None:
        self.engine.not_ready(NAMES[which % 3], f"reason {which}", self.now)

    def do_logout(self, which: int) -> None:
        self.engine.logout(NAMES[which % 3], self.now)


Rows = tuple[list[CallsRow], list[AgentRow]]


def rows_of(ended: Iterable[object]) -> Rows:
    calls, agents = list[CallsRow](), list[AgentRow]()
    for one in ended:
        if isinstance(one, CallsInterval):
            calls.append(CallsRow(one.start, one.kind, one.name, one.channel, one.dispositions, tuple(one.figures)))
        elif isinstance(one, AgentInterval):
            agents.append(AgentRow(one.start, one.agent, one.not_ready_ms, one.dispositions, tuple(one.figures)))
    return sorted(calls, key=_key), sorted(agents, key=_key)


def _key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Start, and whose."""
    return row[:2] if isinstance(row, AgentRow) else row[:4]


async def through_the_database(events: list[Any], url: str) -> list[Rows]:
    """Rows as they were written with the events, and as they are made anew."""
    journal = Journal(url, 10_000, Counter())
    await journal.open()
    for event in events:
        journal.append(event)
    await journal.close()
    found: list[Rows] = []
    for again in (False, True):
        if again:
            await rebuild(url)
        async with Records(url) as records:
            calls = [*await records.calls_intervals("queue", 0, 1e12), *await records.calls_intervals("skill", 0, 1e12)]
            found.append((sorted(calls, key=_key), sorted(await records.agent_intervals(0, 1e12), key=_key)))
    return found


@settings(max_examples=25)
@given(STEPS)
def test_live_figures_and_history_agree(steps: list[tuple[str, int, float]]) -> None:
    history = History()
    history.events += history.engine.take()[0]
    history.play(steps)
    while history.engine.close_intervals(history.now):
        pass
    history.events += history.engine.take()[0]
    live = rows_of(history.events)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'records.db'}"
        written, (calls, agents) = asyncio.run(through_the_database(history.events, url))
    assert written == live
    # Made anew, the intervals at work are there as well; agents' times are known up to the last event.
    working = rows_of(history.engine.floor.statistics.working(history.now))[0]
    assert calls == sorted(live[0] + working, key=_key)
    last = max((e.at for e in history.events if not isinstance(e, CallsInterval | AgentInterval)), default=T0)
    assert [row for row in agents if row.start + 900 <= last] == [row for row in live[1] if row.start + 900 <= last]
    _by_hand(history, calls)


async def test_the_time_for_notes_after_a_chat_is_in_the_history(tmp_path: Path) -> None:
    site = Site.model_validate({
        "site": "test", "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "agents": {"ann": {"extension": "1", "skills": {"french": 5}, "channels": {"call": 1, "chat": 2}}},
        "queues": {"q": {"needs": "french", "wrap_up_s": 30, "dispositions": ["sold"]}},
    })  # fmt: skip
    engine, now = Engine(site, T0), T0
    engine.login("ann", now)
    engine.ready("ann", now)
    for chat in ("a", "b"):
        engine.enqueue_work(chat, "q", "chat", {}, now)
        (held,) = engine.floor.written.items[chat].reservations
        engine.answer(held, now)
    for chat in ("a", "b"):
        engine.complete(chat, now + 60.0)
    engine.wrap_up_done("ann", now + 70.0, "sold", item="a")
    engine.tick(now + 90.0)
    engine.close_intervals(now + 900.0)
    events = engine.take()[0]
    live = rows_of(events)
    written, remade = await through_the_database(events, f"sqlite:///{tmp_path / 'records.db'}")
    assert written == live and remade[0] == live[0]
    assert [(row.kind, row.name, row.dispositions) for row in live[0]] == [
        ("queue", "q", {"sold": 1}), ("skill", "french", {"sold": 1}),
    ]  # fmt: skip
    for row in live[0]:
        figures = dict(zip(CALLS, row.figures, strict=True))
        assert (figures["completed"], figures["talked_ms"], figures["wrap_up_ms"]) == (2, 120_000, 40_000)


def _by_hand(history: History, calls: list[CallsRow]) -> None:
    """Sums over all intervals, against the events themselves and the queues' own counters."""
    # The last disposition of each stay in a queue, for queues; a transferred call has one of each agent's.
    told = [one for one in history.events if isinstance(one, WorkNoted)]
    last = {(one.item_id, one.queue, one.agent): one.disposition for one in told}
    kinds = Counter((type(event).__name__, getattr(event, "queue", None)) for event in history.events)
    for name, queue in history.engine.floor.queues.items():
        rows = [row.figures for row in calls if row.kind == "queue" and row.name == name]
        total = dict(zip(CALLS, map(sum, zip(*rows, strict=True)), strict=True)) if rows else dict.fromkeys(CALLS, 0)
        noted = Counter[str]()
        for row in calls:
            if (row.kind, row.name) == ("queue", name):
                noted.update(row.dispositions)
        assert +noted == Counter(word for (_, queue_of, _), word in last.items() if queue_of == name)
        assert total["offered"] == queue.offered == kinds["ItemQueued", name]
        assert total["answered"] == queue.connected == kinds["ItemConnected", name]
        assert total["abandoned"] == queue.abandoned
        assert total["overflowed"] + total["turned_away"] == queue.overflowed
        assert total["resumed"] == queue.resumed
        assert total["offers"] == kinds["ItemReserved", name]
        over = total["answered"] + queue.abandoned + queue.overflowed + queue.resumed
        assert total["offered"] - over == sum(item.agent is None for item in queue.items.values())


# --- events read back ------------------------------------------------------------------------------------------------


def test_events_of_other_versions() -> None:
    row = JournalRow(1, 5.0, "ItemQueued", "c1", {"queue": "sales", "attributes": {}, "score": 1.0, "flavour": 3})
    assert event_of(row) is not None
    assert event_of(JournalRow(1, 5.0, "ItemQueued", "c1", {"queue": "sales"})) is None
    assert event_of(JournalRow(1, 5.0, "CallStarted", "c1", {})) is None
    assert "ItemConnected" in KINDS and "AgentStateChanged" in KINDS


def test_nothing_makes_no_rows() -> None:
    async def none() -> AsyncIterator[JournalRow]:
        return
        yield

    assert asyncio.run(fold(none())) == []


def test_a_clock_set_back_between_two_servers_takes_no_time_from_agents() -> None:
    async def states() -> AsyncIterator[JournalRow]:
        for seq, (at, state) in enumerate([(0, "READY"), (60, "READY"), (-540, "READY"), (-480, "NOT_READY")]):
            data = {"agent": "ann", "state": state, "reason": None, "call_id": None}
            yield JournalRow(seq + 1, T0 + at, "AgentStateChanged", None, data)

    (row,) = asyncio.run(fold(states()))
    assert isinstance(row, AgentRow) and sum(row.figures) == 120_000


# --- states of flows ------------------------------------------------------------------------------------------------

WAYS = st.lists(
    st.tuples(
        st.sampled_from(("enter", "enter", "enter", "key", "wrong", "silence", "leave", "hang up", "flow ends", "die")),
        st.integers(0, 4), st.integers(0, 2),
        st.sampled_from((0.0, 0.4, 17.123456, 61.0, 250.0, 901.5, 5_000.0, 90_000.0)),
    ),
    min_size=5, max_size=60,
)  # fmt: skip


class Flows:
    """A server's statistics of flows, and its journal."""

    def __init__(self) -> None:
        self.now, self.live, self.journal = T0, self.new(), list[Any]()

    @staticmethod
    def new() -> IvrStatistics:
        made = IvrStatistics()
        made.reconfigure(SITE)
        return made

    def emit(self, event: Any) -> None:
        self.journal.append(event)
        self.live.event(event)

    def wait(self, wait_s: float) -> None:
        self.now += wait_s
        self.journal += self.live.close(self.now)

    def do(self, what: str, call: str, state: int) -> None:
        at, visit = self.now, self.live.visits.get(call)
        if what == "enter":
            self.emit(IvrStateEntered(at, call, "welcome", f"s{state}"))
        elif what == "die":
            self.emit(CallEnded(at, call, "server stopped", 200, 0, 0, 0, 0.0))
        elif visit is not None:
            if what in ("key", "wrong"):
                self.emit(IvrDigits(at, call, *visit.node, "1", what == "key"))
            elif what == "silence":
                self.emit(IvrNoInput(at, call, *visit.node))
            else:
                self.emit(IvrEnded(at, call, "welcome", what, {"hang up": "caller", "flow ends": "flow"}.get(what, "")))

    def shown(self) -> tuple[Any, ...]:
        self.journal += self.live.close(self.now)
        return list(self.live.live(self.now)), sorted(self.live.at_work(self.now)), self.live.visits


async def stand(url: str, calls: Collection[str]) -> None:
    """These calls, and no other, outlive the server."""
    store = StandingCallStore(url, lambda call: {} if call in calls else None, Counter())
    for call in {call for call, _ in await store.open()} | set(calls):
        store.changed(call)
    await store.close()


async def killed_and_started(flows: Flows, halves: list[Any], url: str) -> None:
    """What is counted before a kill and after it, and what is in the database at last."""
    for half in halves:
        for what, call, state, wait_s in half:
            flows.do(what, f"c{call}", state)
            flows.wait(wait_s)
        shown = flows.shown()
        journal = Journal(url, 10_000, Counter())
        await journal.open()
        for event in flows.journal:
            journal.append(event)
        await stand(url, flows.live.visits)
        await journal.close()
        flows.live, flows.journal = flows.new(), []
        async with Records(url) as records:
            await restore(flows.live, records)
        assert flows.shown() == shown
    flows.journal.clear()
    async with Records(url) as records:
        written = await records.ivr_intervals(0, 1e12)
        anew = [row for row in await fold(records.journal(IVR_KINDS)) if isinstance(row, IvrRow)]
    assert sorted(written) == sorted(row for row in anew if row.start + 900 <= flows.now)
    entered, left, hung_up, ended, *_ = map(sum, zip(*(row.figures for row in anew), (0,) * 10, strict=True))
    assert entered == left + hung_up + ended + len(flows.live.visits)


@settings(max_examples=40)
@given(WAYS, WAYS)
@example([("enter", 0, 0, 61.0)], [("leave", 0, 0, 901.5)])
def test_figures_of_flows_are_the_same_after_a_kill(first: list[Any], second: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(killed_and_started(Flows(), [first, second], f"sqlite:///{Path(folder) / 'records.db'}"))


async def test_who_was_long_in_a_state_when_the_server_was_killed_leaves_it_once(tmp_path: Path) -> None:
    """One call died with the server, one outlives it and is at the flow's beginning again, one had left before."""
    begin = 1_795_320_900
    url, statistics = f"sqlite:///{tmp_path / 'records.db'}", Flows.new()
    journal = Journal(url, 10_000, Counter())
    await journal.open()
    for call in ("dead", "alive", "gone"):
        journal.append(CallStarted(begin, call, "inbound", "1", "2", None, "ivr welcome", "s"))
        journal.append(IvrStateEntered(begin, call, "welcome", "where"))
        journal.append(IvrNoInput(begin + 60.0, call, "welcome", "where"))
    journal.append(IvrInterval(begin + 900.0, "welcome", "where", begin, [3, 0, 0, 0, 0, 0, 0, 3, 0, 0]))
    journal.append(IvrEnded(begin + 20_000.0, "gone", "welcome", "queue sales"))
    await stand(url, ["alive"])
    await journal.close()  # nothing of it is told: as after a kill
    journal = Journal(url, 10_000, Counter())

    async def standing() -> list[str]:
        return ["alive"]

    await journal.open(standing)
    async with Records(url) as records:
        await restore(statistics, records)
    await journal.close()
    statistics.event(IvrStateEntered(begin + 20_001.0, "alive", "welcome", "bye"))
    assert list(statistics.visits) == ["alive"]
    (where,) = (row["today"] for row in statistics.live(begin + 20_001.0) if row["name"] == "welcome/where")
    assert (where["entered"], where["left"], where["hung_up"], where["silent"]) == (3, 2, 1, 2)


def test_a_quarter_of_an_hour_that_was_written_in_part_is_counted_anew(tmp_path: Path) -> None:
    begin = int(T0) // 900 * 900

    async def run() -> None:
        url, statistics = f"sqlite:///{tmp_path / 'records.db'}", Flows.new()
        journal = Journal(url, 10_000, Counter())
        await journal.open()
        for event in (
            IvrStateEntered(begin - 10.0, "a", "welcome", "where"),
            IvrInterval(begin + 1.0, "welcome", "where", begin - 900, [2] + [0] * 9),
            IvrStateEntered(begin + 5.0, "a", "welcome", "bye"),
            IvrEnded(begin + 7.0, "a", "welcome", "hang up", "flow"),
            IvrInterval(begin + 900.0, "welcome", "where", begin, [0, 1, 0, 0, 0, 15_000, 0, 0, 0, 0]),
        ):  # fmt: skip
            journal.append(event)
        await journal.close()
        async with Records(url) as records:
            await restore(statistics, records)
        told = {(one.state, one.start): one.figures for one in statistics.close(begin + 2_000.0)}
        assert told == {("where", begin): [0, 1, 0, 0, 0, 15_000, 0, 0, 0, 0],
                        ("bye", begin): [1, 0, 0, 1, 0, 2_000, 0, 0, 0, 0]}  # fmt: skip
        hour = {row["name"]: row["hour"]["entered"] for row in statistics.live(begin + 2_000.0)}
        assert hour == {"welcome/where": 2, "welcome/bye": 1}

    asyncio.run(run())
