"""Scenes of a floor, in virtual time: agents and their phones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acd.commands import CloseWork, OfferItem, WithdrawOffer
from acd.errors import AgentCommandError

Stage = Callable[..., Any]  # conftest.stage: agents, then queues by name; returns a Scene


# --- agents ----------------------------------------------------------------------------------------------------------


def test_login_is_not_ready(stage: Stage) -> None:
    scene = stage()
    scene.engine.phone_registered("x-ann", True, scene.now)
    scene.call("c1")
    scene.engine.login("ann", scene.now)
    scene.engine.login("ann", scene.now)
    scene.listen()
    assert scene.state("ann") == ("NOT_READY", "logged in")
    scene.engine.ready("ann", scene.now)
    scene.listen()
    assert scene.offered_to("c1") == "ann"


def test_commands_that_make_no_sense(stage: Stage) -> None:
    scene = stage()
    for command in (scene.engine.ready, scene.engine.wrap_up_done):
        with pytest.raises(AgentCommandError) as caught:
            command("ann", scene.now)
        assert caught.value.state == "LOGGED_OUT"
    with pytest.raises(AgentCommandError):
        scene.engine.not_ready("ann", "lunch", scene.now)
    scene.engine.logout("ann", scene.now)
    scene.ready("ann")
    with pytest.raises(AgentCommandError):
        scene.engine.wrap_up_done("ann", scene.now)


@pytest.mark.parametrize("command", ["not ready", "logout"])
def test_commands_while_talking_wait_for_the_end(stage: Stage, command: str) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    if command == "not ready":
        scene.engine.not_ready("ann", "lunch", scene.now)
    else:
        scene.engine.logout("ann", scene.now)
    scene.listen()
    assert scene.state("ann")[0] == "BUSY"
    scene.engine.complete("c1", scene.now)
    scene.listen()
    assert scene.state("ann")[0] == "WRAP_UP"
    scene.wait(30)
    assert scene.state("ann") == (("NOT_READY", "lunch") if command == "not ready" else ("LOGGED_OUT", None))
    scene.ready("bob")
    scene.engine.login("ann", scene.now)
    scene.engine.ready("ann", scene.now)
    scene.listen()
    assert scene.state("ann") == ("READY", None)  # nothing is remembered of it


def test_second_thoughts_while_talking(stage: Stage) -> None:
    scene = stage(sales={"wrap_up_s": 0})
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.logout("ann", scene.now)
    scene.engine.login("ann", scene.now)  # the browser was reloaded
    scene.engine.complete("c1", scene.now)
    scene.listen()
    assert scene.state("ann") == ("NOT_READY", "logged in")
    scene.ready("ann")
    scene.call("c2")
    scene.answer("c2")
    scene.engine.not_ready("ann", "lunch", scene.now)
    scene.engine.ready("ann", scene.now)
    scene.engine.complete("c2", scene.now)
    scene.listen()
    assert scene.state("ann") == ("READY", None)


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("ready", ("READY", None)),
        ("done", ("READY", None)),
        ("not ready", ("NOT_READY", "x" * 64)),
        ("logout", ("LOGGED_OUT", None)),
    ],
)
def test_wrap_up_ends_early(stage: Stage, command: str, state: tuple[str, str | None]) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.listen()
    {
        "ready": lambda: scene.engine.ready("ann", scene.now),
        "done": lambda: scene.engine.wrap_up_done("ann", scene.now),
        "not ready": lambda: scene.engine.not_ready("ann", "x" * 100, scene.now),
        "logout": lambda: scene.engine.logout("ann", scene.now),
    }[command]()
    assert scene.listen() == [CloseWork("ann", "c1")]
    assert scene.state("ann") == state
    assert scene.engine.next_deadline() is None


@pytest.mark.parametrize("command", ["not ready", "logout"])
def test_commands_while_ringing_take_effect_at_once(stage: Stage, command: str) -> None:
    scene = stage()
    scene.ready("ann", "bob")
    scene.call("c1")
    if command == "not ready":
        scene.engine.not_ready("ann", "", scene.now)
    else:
        scene.engine.logout("ann", scene.now)
    assert scene.listen() == [WithdrawOffer("c1", "ann", 1, "withdrawn"), OfferItem("c1", "bob", "sales", 2, 10.0)]
    assert scene.state("ann") == ("NOT_READY" if command == "not ready" else "LOGGED_OUT", None)


# --- phones ----------------------------------------------------------------------------------------------------------


def test_unregistered_phone_stays_available(stage: Stage) -> None:
    """FusionPBX#2831: availability includes registration."""
    scene = stage()
    scene.ready("ann")
    scene.engine.phone_registered("x-ann", False, scene.now)
    scene.call("c1")
    assert scene.offered_to("c1") is None
    assert scene.state("ann") == ("READY", "unregistered")
    scene.engine.phone_registered("x-ann", True, scene.now)
    scene.listen()
    assert scene.offered_to("c1") == "ann"


def test_unregister_while_ringing(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.engine.phone_registered("x-ann", False, scene.now)
    assert scene.listen() == [WithdrawOffer("c1", "ann", 1, "unregistered"), OfferItem("c1", "bob", "sales", 2, 10.0)]
    assert scene.state("ann") == ("READY", "unregistered")
    assert len(scene.engine.floor.deadlines) == 1  # bob's


def test_unregister_while_talking_changes_nothing(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.call("c1")
    scene.answer("c1")
    scene.engine.phone_registered("x-ann", False, scene.now)
    assert scene.listen() == []
    scene.engine.complete("c1", scene.now)
    scene.wait(30)
    assert scene.state("ann") == ("READY", "unregistered")


def test_never_rung_while_on_another_call(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.wait(1)
    scene.ready("bob")
    scene.engine.phone_calls("x-ann", 1, scene.now)
    scene.call("c1")
    scene.call("c2")
    assert (scene.offered_to("c1"), scene.offered_to("c2")) == ("bob", None)
    scene.engine.phone_calls("x-ann", 2, scene.now)
    scene.engine.phone_calls("x-ann", 1, scene.now)
    scene.listen()
    assert scene.offered_to("c2") is None
    scene.engine.phone_calls("x-ann", 0, scene.now)
    scene.listen()
    assert scene.offered_to("c2") == "ann"


def test_a_direct_call_is_work_the_own_leg_is_not(stage: Stage) -> None:
    scene = stage()
    scene.ready("ann")
    scene.wait(1)
    scene.ready("bob")
    scene.call("c1")
    scene.engine.phone_calls("x-ann", 1, scene.now)  # the queue's own leg
    scene.wait(1)
    scene.engine.abandon("c1", scene.now)
    scene.engine.phone_calls("x-ann", 0, scene.now)
    scene.listen()
    scene.call("c2")
    assert scene.offered_to("c2") == "ann"
    scene.engine.abandon("c2", scene.now)
    scene.listen()
    scene.engine.phone_calls("x-ann", 1, scene.now)  # somebody phones her directly
    scene.wait(1)
    scene.engine.phone_calls("x-ann", 0, scene.now)
    scene.call("c3")
    assert scene.offered_to("c3") == "bob"


def test_own_leg_still_up_after_the_call(stage: Stage) -> None:
    scene = stage(sales={"wrap_up_s": 0})
    scene.ready("ann")
    scene.call("c1")
    scene.engine.phone_calls("x-ann", 1, scene.now)
    scene.answer("c1")
    scene.call("c2")
    scene.engine.complete("c1", scene.now)
    scene.listen()
    assert scene.offered_to("c2") is None
    scene.engine.phone_calls("x-ann", 0, scene.now)
    scene.listen()
    assert scene.offered_to("c2") == "ann"


def test_shared_phone_is_rung_for_one(stage: Stage) -> None:
    scene = stage({"ann": {"extension": "1"}, "bob": {"extension": "1"}}, sales={"wrap_up_s": 5})
    scene.ready("ann", "bob")
    scene.call("c1")
    scene.call("c2")
    assert (scene.offered_to("c1"), scene.offered_to("c2")) == ("ann", None)
    scene.answer("c1")
    scene.engine.complete("c1", scene.now)
    scene.listen()
    assert scene.offered_to("c2") == "bob"  # while ann notes down


def test_fixed_contact_always_logged_in(stage: Stage) -> None:
    scene = stage({"ann": {"contact": "sip:a@192.0.2.1", "login": "always"}})
    scene.call("c1")
    assert scene.offered_to("c1") == "ann"


def test_phones_nobody_uses_are_not_kept(stage: Stage) -> None:
    scene = stage()
    for n in range(100):
        scene.engine.phone_registered(f"{n}", True, scene.now)
        scene.engine.phone_calls(f"{n}", 1, scene.now)
    for n in range(100):
        scene.engine.phone_calls(f"{n}", 0, scene.now)
        scene.engine.phone_registered(f"{n}", False, scene.now)
    assert set(scene.engine.floor.roster.phones) == {"x-ann", "x-bob", "x-cy"}
