"""What an entry of the log says, and that it says it again."""

from __future__ import annotations

import inspect
import json
import math
import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from acd.checkpoint import keep, take_up
from acd.engine import Engine
from acd.errors import UnknownQueue
from acd.input_log import entry, inputs_of, replay
from tests.acd.conftest import T0, Scene

ODD: list[str | int | float] = ["\ud800", "a\0b", 1 << 80, -(1 << 63), math.inf, math.nan, 0.1 + 0.2, "null", ""]


def read(entries: list[bytes]) -> list[Any]:
    return [json.loads(one) for one in entries]


@pytest.mark.parametrize("value", ODD)
def test_an_entry_is_read_as_it_was(value: str | int | float) -> None:
    name, args = json.loads(entry("enqueue", ("c1", {"x": value}, None, T0), {}))
    assert (name, args[0], args[2:]) == ("enqueue", "c1", [None, T0])
    assert args[1]["x"] == value or (value != value and args[1]["x"] != args[1]["x"])


def test_inputs_by_name_and_inputs_within_inputs(stage: Any) -> None:
    """An offer that nobody answers fails within `tick`: one entry."""
    scene: Scene = stage()
    scene.ready("ann")
    kept, entries = keep(scene.engine.floor), []
    scene.engine.log = lambda one: entries.append(one or b"")
    scene.engine.enqueue("c1", "sales", {}, now=scene.now, age_from=scene.now - 7)
    scene.listen()
    scene.wait(60)
    assert [one[0] for one in read(entries)] == ["enqueue", "tick"]
    again = Engine.on(take_up(kept))
    assert replay(again, read(entries)) == 2
    assert again.floor.items["c1"].age_from == T0 - 7
    assert again.floor.roster.agent("ann").reason == "no answer"
    assert keep(again.floor) == keep(scene.engine.floor)
    assert again.take() == ([], [])


def test_what_was_refused_is_refused_again_and_the_log_goes_on(stage: Any) -> None:
    scene: Scene = stage()
    kept, entries = keep(scene.engine.floor), []
    scene.engine.log = lambda one: entries.append(one or b"")
    with pytest.raises(UnknownQueue):
        scene.engine.enqueue("c1", "nowhere", {}, scene.now)
    scene.call("c2")
    again = Engine.on(take_up(kept))
    assert replay(again, read(entries)) == 2
    assert list(again.floor.items) == ["c2"]


def test_a_site_is_no_entry(stage: Any, make_site: Any) -> None:
    scene: Scene = stage()
    told: list[bytes | None] = []
    scene.engine.log = told.append
    scene.engine.reconfigure(make_site({"ann": {}}, {"sales": {}}), scene.now)
    assert told == [None]


@pytest.mark.parametrize("name", ["take", "reconfigure", "_agent_due", "floor", "nonsense"])
def test_only_inputs_are_replayed(stage: Any, name: str) -> None:
    with pytest.raises(KeyError):
        replay(stage().engine, [[name, [T0]]])


@pytest.mark.parametrize("name", inputs_of(Engine))
def test_arguments_are_what_json_has(name: str) -> None:
    """Add `not_replayable` to an input that needs another kind, or (better) give it a name in place of the object."""
    method = getattr(Engine, name)
    hints = get_type_hints(method)
    for parameter in list(inspect.signature(method).parameters)[1:]:
        assert _in_json(hints[parameter]), f"{name}({parameter}: {hints[parameter]})"


def _in_json(hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return all(map(_in_json, get_args(hint)))
    if get_origin(hint) in (Mapping, dict, list):
        return all(map(_in_json, get_args(hint)))
    return hint in (str, int, float, bool, types.NoneType) or (isinstance(hint, type) and issubclass(hint, Enum))
