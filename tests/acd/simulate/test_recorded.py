"""A day read from the journal: its calls, their patience and talk, who was on duty."""

from __future__ import annotations

import math
from typing import Any

import pytest

from acd.simulate.demand import Arrival
from acd.simulate.distributions import NEVER, Exponential, Observed, Streams
from acd.simulate.recorded import RecordedDay, Row
from acd.simulate.staff import Shift

MIDNIGHT = 1_760_000_000.0
NINE = 9 * 3600.0


def row(at: float, kind: str, item: str | None = None, **data: Any) -> Row:
    return MIDNIGHT + at, kind, item, data


def queued(at: float, item: str, queue: str = "sales", **attributes: Any) -> Row:
    return row(at, "ItemQueued", item, queue=queue, attributes=attributes, score=0.0)


def attempted(at: float, item: str) -> Row:
    return row(at, "ItemQueued", item, queue="sales", attributes={}, score=0.0, channel="callback")


def state(at: float, agent: str, name: str) -> Row:
    return row(at, "AgentStateChanged", agent=agent, state=name, reason=None)


def connected(at: float, item: str, waited_s: float) -> Row:
    return row(at, "ItemConnected", item, queue="sales", agent="ann", waited_s=waited_s)


def completed(at: float, item: str, talked_s: float) -> Row:
    return row(at, "ItemCompleted", item, queue="sales", agent="ann", talked_s=talked_s)


def test_calls_with_what_was_seen_of_them() -> None:
    day = RecordedDay(
        [
            queued(NINE, "c1", basket=5),
            row(NINE + 1, "ItemRescored", "c1", queue="sales", attributes={"basket": 900}, score=90.0),
            connected(NINE + 30, "c1", 30.0),
            queued(NINE + 40, "c2"),
            row(NINE + 100, "ItemAbandoned", "c2", queue="sales", waited_s=60.0),
            completed(NINE + 150, "c1", 120.0),
        ],
        MIDNIGHT,
    )
    demand = day.demand()
    assert demand.arrivals == [
        Arrival(NINE, "sales", {"basket": 900}, None, 120.0, 30.0),
        Arrival(NINE + 40, "sales", {}, 60.0, None, 0.0),
    ]
    habits = demand.habits_of("sales")
    assert habits.talk == Observed((120.0,))
    assert habits.patience == Exponential(90.0)  # 90 s waited for one who hung up
    first, second = demand.callers(Streams(1))
    assert first.patience_s > 30.0 and first.talk_s == 120.0
    assert (second.patience_s, second.talk_s) == (60.0, 120.0)
    assert day.queues["sales"].left == [60.0] and day.queues["sales"].answered == [30.0]


def test_who_is_sent_on_is_one_caller() -> None:
    day = RecordedDay(
        [
            queued(NINE, "c1"),
            row(NINE + 60, "ItemOverflowed", "c1", queue="sales", waited_s=60.0, to="queue other", reason="max_wait"),
            queued(NINE + 60, "c1", "other"),
            connected(NINE + 80, "c1", 20.0),
            completed(NINE + 90, "c1", 10.0),
        ],
        MIDNIGHT,
    )
    assert day.demand().arrivals == [Arrival(NINE, "sales", {}, None, 10.0, 80.0)]
    assert (day.queues["sales"].sent_on, day.queues["other"].answered) == (1, [20.0])


def test_who_is_transferred_calls_anew() -> None:
    talked = [queued(NINE, "c1"), connected(NINE, "c1", 0.0), completed(NINE + 60, "c1", 60.0)]
    day = RecordedDay([*talked, queued(NINE + 60, "c1", "other")], MIDNIGHT)
    assert [one.queue for one in day.demand().arrivals] == ["sales", "other"]


def test_a_kept_place_was_left() -> None:
    kept = row(NINE + 25, "ItemKept", "c1", queue="sales", waited_s=25.0, until=0.0)
    day = RecordedDay([queued(NINE, "c1"), kept], MIDNIGHT)
    assert day.demand().arrivals[0].patience_s == 25.0


def test_who_was_called_back_is_one_caller() -> None:
    """He talked in the second attempt. What the web page asked for is a call, too; a chat is not."""
    overflowed = {"queue": "sales", "waited_s": 40.0, "to": "c1", "reason": "callback"}
    day = RecordedDay(
        [
            queued(NINE, "c1", basket=5),
            row(NINE + 40, "CallbackAsked", callback_id="back-1", queue="sales", instead_of="c1"),
            row(NINE + 40, "ItemOverflowed", "c1", **overflowed),
            attempted(NINE + 40, "back-1-1"),
            row(NINE + 90, "ItemOverflowed", "back-1-1", **overflowed | {"reason": "callback expired"}),
            attempted(NINE + 500, "back-1-2"),
            connected(NINE + 520, "back-1-2", 20.0),
            completed(NINE + 600, "back-1-2", 80.0),
            row(NINE + 700, "CallbackAsked", callback_id="back-2", queue="sales", instead_of=None),
            attempted(NINE + 900, "back-2-1"),
            row(NINE + 950, "ItemAbandoned", "back-2-1", queue="sales", waited_s=50.0),
            row(NINE + 990, "ItemQueued", "chat", queue="sales", attributes={}, score=0.0, channel="chat"),
        ],
        MIDNIGHT,
    )
    assert day.demand().arrivals == [
        Arrival(NINE, "sales", {"basket": 5}, None, 80.0, 40.0),
        Arrival(NINE + 900, "sales", {}, None, None, 0.0),
    ]
    told = day.queues["sales"]
    assert (told.offered, told.called_back, told.sent_on, told.answered, told.left) == (1, 1, 0, [], [])
    assert told.talks == [80.0]


def test_without_hang_ups_nobody_is_impatient() -> None:
    day = RecordedDay([queued(NINE, "c1"), connected(NINE + 9, "c1", 9.0)], MIDNIGHT)
    assert day.demand().habits_of("sales").patience == NEVER
    assert day.demand().callers(Streams(1))[0].patience_s == math.inf


def test_who_worked_when() -> None:
    day = RecordedDay(
        [
            state(-3600, "night", "READY"),
            state(-1800, "gone", "READY"),
            state(-900, "gone", "LOGGED_OUT"),
            state(NINE, "ann", "NOT_READY"),
            state(NINE + 10, "ann", "READY"),
            state(NINE + 20, "ann", "RESERVED"),
            state(NINE + 25, "ann", "BUSY"),
            state(NINE + 3600, "ann", "NOT_READY"),
            state(NINE + 7200, "ann", "READY"),
            state(6 * 3600, "night", "LOGGED_OUT"),
            state(86_400 + 60, "ann", "LOGGED_OUT"),
        ],
        MIDNIGHT,
    )
    assert day.shifts == [
        Shift("ann", NINE + 10, NINE + 3600),
        Shift("night", 0.0, 6 * 3600.0),
        Shift("ann", NINE + 7200, 86_400.0),
    ]


def test_calls_of_other_days_are_not_of_this() -> None:
    before = [queued(-10, "c0"), connected(5, "c0", 15.0), completed(9, "c0", 4.0)]
    day = RecordedDay([*before, queued(86_400 + 1, "c9")], MIDNIGHT)
    assert day.calls == []
    with pytest.raises(KeyError):
        day.queues["sales"]
