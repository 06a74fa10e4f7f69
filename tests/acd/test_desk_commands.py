"""Commands that end a conversation: the agent's own hang-up, and supervisors who do not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd import events
from acd.errors import AgentCommandError

Open = Callable[..., Any]


def commanded(f: Any) -> list[tuple[str, str]]:
    return [(e.command, e.by) for e in f.events if isinstance(e, events.AgentCommanded)]


def test_log_out_of_one_who_talks_is_pending(floor: Open) -> None:
    f = floor()
    f.agents("ann")
    c1 = f.call("c1")
    c1.phone_answers()
    f.desk.logout("ann", by="boss")
    agent = f.desk.agent("ann")
    assert (agent["state"], agent["pending"]) == ("BUSY", "LOGGED_OUT")
    c1.caller_hangs_up()
    f.clock.run(30)
    assert f.state("ann") == ("LOGGED_OUT", None)


@pytest.mark.parametrize("wrap_up_s", [0, 30])
@pytest.mark.parametrize("needed", [True, False])
@pytest.mark.parametrize("pauses", [True, False])
def test_at_once_it_ends_his_conversation(floor: Open, wrap_up_s: int, needed: bool, pauses: bool) -> None:
    """And nobody else's call is offered to him meanwhile."""
    sales = {"wrap_up_s": wrap_up_s, "dispositions": ["sold"], "disposition_needed": needed, "ring_s": 10}
    f = floor(sales=sales)
    f.agents("ann")
    c1 = f.call("c1")
    f.call("c2")
    c1.phone_answers()
    mark = len(f.diary)
    if pauses:
        f.desk.not_ready("ann", "meeting", at_once=True, by="boss")
    else:
        f.desk.logout("ann", at_once=True, by="boss")
    assert f.state("ann") == (("NOT_READY", "meeting") if pauses else ("LOGGED_OUT", None))
    assert [line for line in f.what(mark) if "wrap_up" not in line] == ["c1 hang up agent hung up", "c1 ended ann"]
    assert commanded(f)[:2] == [("not_ready" if pauses else "logout", "boss"), ("hang_up", "boss")]
    assert f.desk.agent("ann")["pending"] is None


def test_at_once_while_he_does_not_talk_is_as_ever(floor: Open) -> None:
    f = floor()
    f.agents("ann", "bob")
    c1 = f.call("c1")
    f.desk.not_ready("ann", "meeting", at_once=True, by="boss")
    assert c1.attempts[-1].agent == "bob" and commanded(f) == [("not_ready", "boss")]


def test_who_hangs_up_for_him_is_told(floor: Open) -> None:
    f = floor()
    f.agents("ann")
    with pytest.raises(AgentCommandError):
        f.desk.hang_up("ann", by="boss")
    f.call("c1").phone_answers()
    f.desk.hang_up("ann", by="boss")
    assert f.state("ann") == ("WRAP_UP", None) and commanded(f) == [("hang_up", "boss")]


def test_notes_of_a_chat_are_named(floor: Open) -> None:
    """Of the item, not of the call that the agent has beside it."""
    f = floor({"ann": {"channels": {"call": 1, "chat": 1}}}, sales={"wrap_up_s": 30, "dispositions": ["sold"]})
    f.agents("ann")
    engine, now = f.desk.engine, f.clock.now()
    item = engine.enqueue_work("chat-1", "sales", "chat", {}, now)
    engine.answer(next(iter(item.reservations)), now)
    engine.complete("chat-1", now)
    engine.take()
    f.desk.note("ann", "sold", item="chat-1")
    f.desk.extend_wrap_up("ann", 20, item="chat-1")
    (notes,) = f.desk.agent("ann")["work_notes"]
    assert (notes["disposition"], notes["until"]) == ("sold", now + 50)
    f.desk.wrap_up_done("ann", item="chat-1", by="boss")
    assert f.desk.agent("ann")["work_notes"] == [] and f.desk.agent("ann")["state"] == "READY"
    assert [event.wrapped_s for event in f.events if isinstance(event, events.WrapUpEnded)] == [0.0]
