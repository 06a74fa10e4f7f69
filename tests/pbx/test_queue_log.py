"""Our journal as Asterisk's queue_log: each event with its parameters."""

from __future__ import annotations

from typing import Any

import pytest

from pbx.queue_log import KINDS, QueueLog
from pbx.store.rows import JournalRow

T = 1_795_300_000.0


class Story:
    """Rows in, lines out."""

    def __init__(self) -> None:
        self.log = QueueLog({"ann": ("sales", "asia")}, {"sales": "1"})
        self.now = T
        self.lines: list[str] = []

    def tell(self, kind: str, call_id: str | None = None, after: float = 0.0, /, **data: Any) -> None:
        assert kind in KINDS
        self.now += after
        self.lines += self.log.take(JournalRow(1, self.now, kind, call_id, data))

    def said(self) -> list[str]:
        """Without the time, and since the last time."""
        self.lines += self.log.rest()
        found, self.lines = [line.partition("|")[2] for line in self.lines], []
        return found

    def call(self, call_id: str, queue: str = "sales", **data: Any) -> None:
        self.tell("CallStarted", call_id, from_number=f"+336{call_id}")
        self.tell("ItemQueued", call_id, queue=queue, attributes={}, **{"score": 0.0, **data})

    def talk(self, call_id: str) -> None:
        """Waits 7 s, rings 5 s of these."""
        self.call(call_id)
        self.tell("ItemReserved", call_id, 2.0, queue="sales", agent="ann", reservation=12)
        self.tell("ItemConnected", call_id, 5.0, queue="sales", agent="ann", waited_s=7.0)
        self.said()


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_line_begins_with_the_time(story: Story) -> None:
    story.call("c1")
    assert story.lines == ["1795300000|c1|sales|NONE|ENTERQUEUE||+336c1|1"]


@pytest.mark.parametrize(("by", "event"), [("caller", "COMPLETECALLER"), ("agent", "COMPLETEAGENT")])
def test_a_conversation(story: Story, by: str, event: str) -> None:
    story.call("c1")
    story.tell("ItemReserved", "c1", 2.0, queue="sales", agent="ann", reservation=12)
    story.tell("ItemConnected", "c1", 5.0, queue="sales", agent="ann", waited_s=7.0)
    story.tell("ItemCompleted", "c1", 60.0, queue="sales", agent="ann", talked_s=60.0, by=by, to=None)
    assert story.said() == [
        "c1|sales|NONE|ENTERQUEUE||+336c1|1", "c1|sales|ann|CONNECT|7|c1.12|5", f"c1|sales|ann|{event}|7|60|1",
    ]  # fmt: skip


def test_positions_follow_the_scores(story: Story) -> None:
    story.call("c1")
    story.tell("ItemQueued", "c2", 1.0, queue="sales", attributes={}, score=0.0)
    story.tell("ItemQueued", "c3", 1.0, queue="sales", attributes={}, score=60.0)
    story.tell("ItemQueued", "other", queue="asia", attributes={}, score=0.0)
    story.tell("ItemAbandoned", "c1", 28.0, queue="sales", waited_s=30.0)
    story.tell("ItemAbandoned", "c2", 1.0, queue="sales", waited_s=30.0)
    story.tell("ItemRescored", "c3", 1.0, queue="sales", attributes={}, score=0.0)
    story.tell("ItemAbandoned", "c3", 1.0, queue="sales", waited_s=31.0)
    assert story.said()[1:] == [
        "c2|sales|NONE|ENTERQUEUE|||2", "c3|sales|NONE|ENTERQUEUE|||1", "other|asia|NONE|ENTERQUEUE|||1",
        "c1|sales|NONE|ABANDON|2|1|30", "c2|sales|NONE|ABANDON|2|2|30", "c3|sales|NONE|ABANDON|1|1|31",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("max_wait", "EXITWITHTIMEOUT|1|1|300"), ("key 0", "EXITWITHKEY|0|1|1|300"),
        ("callback", "EXITWITHKEY|1|1|1|300"), ("closed", "EXITEMPTY|1|1|300"),
        ("rule: waiting >= 20", "EXITEMPTY|1|1|300"),
    ],
)  # fmt: skip
def test_ways_out(story: Story, reason: str, line: str) -> None:
    story.call("c1")
    story.tell("ItemOverflowed", "c1", 300.0, queue="sales", waited_s=300.0, to=None, reason=reason)
    assert story.said()[1:] == [f"c1|sales|NONE|{line}"]


@pytest.mark.parametrize(
    ("outcome", "event"),
    [("no_answer", "RINGNOANSWER"), ("busy", "RINGNOANSWER"), ("caller_hung_up", "RINGCANCELED"),
     ("answered_elsewhere", None), ("withdrawn", None)],
)  # fmt: skip
def test_phones_that_rang_in_vain(story: Story, outcome: str, event: str | None) -> None:
    story.call("c1")
    story.said()
    story.tell("ItemReserved", "c1", 2.0, queue="sales", agent="ann", reservation=12)
    story.tell("ReservationEnded", "c1", 10.5, queue="sales", agent="ann", reservation=12, outcome=outcome)
    assert story.said() == ([f"c1|sales|ann|{event}|10500"] if event else [])
    assert story.log.ringing == {} and story.log.rings == {}


def test_freepbx_124_blind_and_attended_transfers_are_there(story: Story) -> None:
    """And the agent's time ends with the transfer, however long the parties talk on."""
    story.talk("c1")
    transfer: dict[str, Any] = {"queue": "sales", "agent": "ann", "by": "transfer"}
    story.tell("ItemCompleted", "c1", 60.0, talked_s=60.0, to="extension 103", **transfer)
    story.tell("CallTransferred", "c1", kind="blind", other_call_id=None)
    story.tell("CallEnded", "c1", 3_600.0)
    assert story.said() == ["c1|sales|ann|BLINDTRANSFER|103|extension|7|60|1"]
    story.talk("c2")
    story.tell("ItemCompleted", "c2", 30.0, talked_s=30.0, to="queue asia", **transfer)
    story.tell("CallTransferred", "c9", kind="attended", other_call_id="c2")
    assert story.said() == ["c2|sales|ann|ATTENDEDTRANSFER|BRIDGE|c9|7|30|1"]


def test_lines_stay_in_order_while_a_transfer_is_not_known(story: Story) -> None:
    story.talk("c1")
    story.tell("ItemCompleted", "c1", 60.0, queue="sales", agent="ann", talked_s=60.0, by="transfer", to="queue asia")
    story.tell("ItemQueued", "c1", queue="asia", attributes={}, score=0.0)
    assert story.lines == []
    story.tell("CallEnded", "c5", 2.0)
    assert [line.split("|")[4] for line in story.lines] == ["BLINDTRANSFER", "ENTERQUEUE"]


def test_agents(story: Story) -> None:
    story.tell("AgentStateChanged", agent="ann", state="NOT_READY", reason="logged in")
    story.tell("AgentStateChanged", agent="ann", state="READY", reason=None)
    story.tell("AgentStateChanged", agent="ann", state="NOT_READY", reason="lunch")
    story.tell("AgentStateChanged", None, 600.0, agent="ann", state="LOGGED_OUT", reason=None)
    assert story.said() == [
        "NONE|NONE|ann|AGENTLOGIN|ann", "NONE|sales|ann|ADDMEMBER", "NONE|asia|ann|ADDMEMBER",
        "NONE|sales|ann|PAUSE|logged in", "NONE|asia|ann|PAUSE|logged in", "NONE|NONE|ann|PAUSEALL|logged in",
        "NONE|sales|ann|UNPAUSE", "NONE|asia|ann|UNPAUSE", "NONE|NONE|ann|UNPAUSEALL",
        "NONE|sales|ann|PAUSE|lunch", "NONE|asia|ann|PAUSE|lunch", "NONE|NONE|ann|PAUSEALL|lunch",
        "NONE|sales|ann|REMOVEMEMBER", "NONE|asia|ann|REMOVEMEMBER", "NONE|NONE|ann|AGENTLOGOFF|ann|600",
    ]  # fmt: skip


def test_what_divides_fields_and_lines_is_in_none(story: Story) -> None:
    story.tell("CallStarted", "c1", from_number="x|ABANDON|1\n2")
    story.tell("ItemQueued", "c1", queue="sales", attributes={}, score=0.0)
    assert story.said() == ["c1|sales|NONE|ENTERQUEUE||x/ABANDON/1 2|1"]


def test_a_log_that_begins_in_the_middle(story: Story) -> None:
    story.tell("ItemConnected", "c1", queue="sales", agent="ann", waited_s=7.0)
    story.tell("ItemCompleted", "c1", queue="sales", agent="ann", talked_s=6.0, by="caller", to=None)
    story.tell("ItemAbandoned", "c2", queue="sales", waited_s=3.0)
    assert [line.split("|")[3] for line in story.said()] == ["CONNECT", "COMPLETECALLER", "ABANDON"]
