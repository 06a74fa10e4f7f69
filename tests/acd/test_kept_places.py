"""Who hangs up and calls again within `resume_s` has his place again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from acd import kept_places
from acd.commands import OverflowItem
from acd.events import ItemAbandoned, ItemKept, ItemOverflowed, ItemResumed, ReservationEnded

Open = Callable[..., Any]
SALES = {"resume_s": 60, "ring_s": 10}


def call(scene: Any, item: str, caller: str = "", **more: Any) -> None:
    scene.engine.enqueue(item, "sales", {}, scene.now, caller=caller, **more)
    scene.listen()


def hang_up(scene: Any, item: str, **more: Any) -> bool:
    kept: bool = scene.engine.abandon(item, scene.now, **more)
    scene.listen()
    return kept


def test_who_calls_again_has_his_place_again(stage: Open) -> None:
    s = stage(sales=SALES)
    call(s, "c1", "+331")
    s.wait(10)
    call(s, "c2", "+332")
    s.wait(10)
    assert hang_up(s, "c1")
    s.wait(30)
    call(s, "c3", "+331")
    old, new = s.engine.floor.items["c2"], s.engine.floor.items["c3"]
    assert (new.number, new.age_from) == (1, s.now - 50) and new.rank < old.rank
    assert new.queued_at == s.now, "max_wait counts anew"
    s.ready("ann")
    assert s.offered_to("c3") == "ann"
    assert s.said(ItemKept) == [ItemKept(s.now - 30, "c1", "sales", 20, s.now + 30)]
    assert s.said(ItemResumed) == [ItemResumed(s.now, "c1", "sales", 20, "c3")]
    queue = s.engine.floor.queues["sales"]
    assert (queue.offered, queue.resumed, queue.abandoned, queue.kept) == (3, 1, 0, {})


def test_a_kept_place_is_matched_with_nobody(stage: Open) -> None:
    s = stage(sales=SALES)
    call(s, "c1", "+331")
    hang_up(s, "c1")
    s.ready("ann")
    assert s.state("ann") == ("READY", None)
    s.engine.rescore("c1", {"basket": 9}, s.now)
    s.listen()
    assert s.state("ann") == ("READY", None)


def test_who_does_not_come_again_abandoned_when_he_hung_up(stage: Open) -> None:
    s = stage(sales={**SALES, "max_wait_s": 30})
    call(s, "c1", "+331")
    s.wait(20)
    hang_up(s, "c1")
    s.wait(60)
    assert s.said(ItemAbandoned) == [ItemAbandoned(s.now, "c1", "sales", 20)]
    assert s.said(ItemOverflowed) == [] and s.engine.next_deadline() is None
    call(s, "c2", "+331")
    assert s.engine.floor.items["c2"].age_from == s.now


def test_who_hangs_up_while_it_rings_sets_the_agent_free(stage: Open) -> None:
    s = stage(sales=SALES)
    s.ready("ann")
    call(s, "c1", "+331")
    hang_up(s, "c1")
    assert [e.outcome for e in s.said(ReservationEnded)] == ["caller_hung_up"]
    assert s.state("ann") == ("READY", None)
    call(s, "c2", "+331")
    assert s.offered_to("c2") == "ann"


def test_nobody_knows_a_withheld_number_again(stage: Open) -> None:
    s = stage(sales=SALES)
    call(s, "c1")
    assert not hang_up(s, "c1")
    assert len(s.said(ItemAbandoned)) == 1


def test_two_who_share_a_number_have_a_place_each(stage: Open) -> None:
    s = stage(sales=SALES)
    for item in ("c1", "c2", "c3"):
        call(s, item, "+331")
        s.wait(5)
    hang_up(s, "c2")
    hang_up(s, "c1")
    call(s, "c4", "+331")
    call(s, "c5", "+331")
    assert [(e.item_id, e.by) for e in s.said(ItemResumed)] == [("c2", "c4"), ("c1", "c5")]
    call(s, "c6", "+331")
    assert s.engine.floor.items["c6"].age_from == s.now


def test_a_place_passes_rules_and_hours_but_not_the_emergency_switch(stage: Open) -> None:
    s = stage(sales={**SALES, "closed": "extension 8", "enter": [{"when": "waiting >= 1", "to": "extension 9"}]})
    call(s, "c1", "+331")
    hang_up(s, "c1")
    call(s, "c2", "+332")
    call(s, "c3", "+331", is_open=False)
    assert s.said(ItemOverflowed) == []
    hang_up(s, "c3")
    s.engine.set_emergency("sales", True, s.now)
    s.listen()
    s.engine.enqueue("c4", "sales", {}, s.now, caller="+331")
    assert [type(c) for c in s.listen()] == [OverflowItem]


def test_a_place_in_another_queue_is_none_in_this(stage: Open) -> None:
    s = stage(sales=SALES, other=SALES)
    call(s, "c1", "+331")
    hang_up(s, "c1")
    s.engine.enqueue("c2", "other", {}, s.now, caller="+331")
    s.listen()
    assert s.said(ItemResumed) == []


def test_a_kept_place_can_be_withdrawn(stage: Open) -> None:
    s = stage(sales=SALES)
    call(s, "c1", "+331")
    hang_up(s, "c1")
    s.engine.withdraw("c1", None, s.now)
    s.listen()
    assert s.engine.floor.queues["sales"].kept == {}


def test_places_stay_through_a_reload_and_end_with_a_removed_queue(stage: Open, make_site: Callable[..., Any]) -> None:
    s = stage(sales=SALES)
    call(s, "c1", "+331")
    hang_up(s, "c1")
    s.engine.reconfigure(make_site({"ann": {}}, {"sales": {"max_wait_s": 5}}), s.now)
    s.listen()
    s.wait(59)
    assert "c1" in s.engine.floor.items
    s.engine.reconfigure(make_site({"ann": {}}, {"other": {}}), s.now)
    s.listen()
    s.wait(1)
    assert list(s.engine.floor.queues) == ["other"]


def test_there_is_a_most_of_places(stage: Open, monkeypatch: Any) -> None:
    monkeypatch.setattr(kept_places, "PLACES_MOST", 2)
    s = stage(sales=SALES)
    for n in range(3):
        call(s, f"c{n}", f"+33{n}")
    assert [hang_up(s, f"c{n}") for n in range(3)] == [True, True, False]


def test_a_place_may_be_kept_where_the_queue_keeps_none(stage: Open) -> None:
    """The server was killed: the calls that waited may come again."""
    s = stage()
    call(s, "c1", "+331")
    assert hang_up(s, "c1", keep_s=30)
    call(s, "c2", "+331")
    assert len(s.said(ItemResumed)) == 1
