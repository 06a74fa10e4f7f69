"""A floor kept and taken up: odd values, other versions, damage, fields of kinds that nobody knows."""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
import sys
import types
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass, make_dataclass
from enum import Enum
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel

import acd
import config
from acd import model
from acd.audit import audit
from acd.checkpoint import CheckpointError, _Keeper, classes, keep, name_of, take_up
from acd.reservation import Outcome
from config.schema import Site
from tests.acd.conftest import Scene

QUEUES: dict[str, dict[str, Any]] = {
    "sales": {"needs": 'asia >= 5 and (skill("far east") or not call.tier == "gold")', "ring_s": 10, "wrap_up_s": 30},
    "all": {"max_wait_s": 60, "overflow": "queue sales", "agents": ["ann", "bob"]},
}
AGENTS: dict[str, dict[str, Any]] = {f"a{n}": {"skills": {"asia": n % 10 + 1}} for n in range(80)}
AGENTS |= {"ann": {"skills": {"asia": 9}}, "bob": {}, "cy": {"contact": "sip:cy@192.0.2.7"}}


@pytest.fixture
def scene(stage: Any) -> Scene:
    """Somebody waits, rings, talks, notes down; is not ready, rests."""
    scene: Scene = stage(AGENTS, **QUEUES)
    scene.ready("a7", "a8", "a9", "ann", "bob")
    scene.engine.not_ready("bob", "lunch", scene.now)
    scene.call("c1")
    scene.answer("c1")
    scene.call("c2")
    scene.answer("c2")
    scene.engine.complete("c2", scene.now + 1)
    scene.call("c3")
    scene.fail("c3", Outcome.FAILED)
    for number in range(4, 9):
        scene.call(f"c{number}", "all" if number % 2 else "sales", basket=number)
    return scene


def test_it_is_the_same_again(scene: Scene) -> None:
    floor = scene.engine.floor
    again = take_up(keep(floor))
    assert keep(again) == keep(floor)
    assert audit(again) == []
    assert [item.id for item in again.lines] == [item.id for item in floor.lines]
    assert again.items["c1"].queue is again.queues["sales"]
    assert again.roster.agent("ann").phone is again.roster.phones["x-ann"]
    assert again.queues["sales"].needs == floor.queues["sales"].needs
    assert not again.events and not again.commands
    again.items["c1"].queue.items.clear()
    assert floor.queues["sales"].items


@pytest.mark.parametrize("value", ["\ud800\0", 1 << 90, math.inf, math.nan, -0.0, 5e-324, True, "", "\u2028"])
def test_odd_values(scene: Scene, value: str | int | float) -> None:
    scene.engine.floor.items["c4"].attributes = {"x": value}
    found = take_up(keep(scene.engine.floor)).items["c4"].attributes["x"]
    assert repr(found) == repr(value)


def test_what_no_checkpoint_knows_is_told(scene: Scene) -> None:
    for value in (len, b"bytes", object(), range(3), {1: {2: memoryview(b"")}}):
        scene.engine.floor.items["c4"].attributes = {"x": value}  # type: ignore[dict-item]
        with pytest.raises(TypeError, match="knows nothing of"):
            keep(scene.engine.floor)


def test_containers(scene: Scene) -> None:
    shared = [1, (2, None), {3}]
    value = {
        "list": shared, "again": shared, "ids": {1: "a", (2, "b"): [1.5]}, "count": Counter("aab"),
        "last": deque([1, 2], maxlen=2), "frozen": frozenset({4}), "words": {Outcome.BUSY: Outcome.FAILED},
    }  # fmt: skip
    scene.engine.floor.items["c4"].attributes = value  # type: ignore[assignment]
    found: Any = take_up(keep(scene.engine.floor)).items["c4"].attributes
    assert found == value
    assert found["list"] is found["again"]
    assert found["last"].maxlen == 2
    assert type(found["count"]) is Counter
    assert found["words"][Outcome.BUSY] is Outcome.FAILED


def test_a_site_in_the_floor(scene: Scene, make_site: Any) -> None:
    """A part of the site file is a value like any other; a password in it is not kept."""
    site = Site.model_validate({
        "site": "t", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "extensions": {"101": {"password": "hush-hush"}},
        "agents": {"ann": {"contact": "sip:ann@192.0.2.1", "skills": {"asia": 4}}},
        "queues": {"sales": {"enter": [{"when": "waiting >= 20", "to": "queue sales"}]}},
        "hours": {"shop": {"open": {"mon-fri": "08:00-19:00"}, "closed": ["2026-12-24"]}},
    })  # fmt: skip
    scene.engine.floor.items["c4"].attributes = {"x": site.queues, "y": site.agents}  # type: ignore[dict-item]
    found: Any = take_up(keep(scene.engine.floor)).items["c4"].attributes
    assert found == {"x": site.queues, "y": site.agents}
    scene.engine.floor.items["c4"].attributes = {"x": site.extensions}  # type: ignore[dict-item]
    assert b"hush" not in keep(scene.engine.floor)


# --- other versions, damage -------------------------------------------------------------------------------------------


def _class(text: dict[str, Any], name: str) -> list[Any]:
    found: list[Any] = next(one for one in text["classes"] if one[0] == name)
    return found


def test_a_later_version_has_another_field_and_lacks_one(scene: Scene) -> None:
    """`failures` came later: it has its default. `height` is of an earlier version."""
    text = json.loads(keep(scene.engine.floor))
    names = _class(text, "acd:Agent")[1]
    names[names.index("failures")] = "height"
    floor_names = _class(text, "acd:Floor")[1]
    floor_names[floor_names.index("items_made")] = "items_ever"
    found = take_up(json.dumps(text))
    assert {agent.failures for agent in found.roster.agents.values()} == {0}
    assert found.items_made == 0 and list(found.items) == list(scene.engine.floor.items)


def test_a_field_without_default_is_missed(scene: Scene) -> None:
    text = json.loads(keep(scene.engine.floor))
    names = _class(text, "acd:Agent")[1]
    names[names.index("slot")] = "place"
    with pytest.raises(CheckpointError, match=r"nothing is known of Agent\.slot"):
        take_up(json.dumps(text))


@pytest.mark.parametrize("path", ["os:system", "builtins:eval", "acd:re", "pbx:Agent", "acd:Nobody", "Agent"])
def test_only_our_classes_are_made(scene: Scene, path: str) -> None:
    text = json.loads(keep(scene.engine.floor))
    _class(text, "acd:Agent")[0] = path
    with pytest.raises(CheckpointError):
        take_up(json.dumps(text))


def test_a_class_may_move_to_another_module(scene: Scene) -> None:
    text = json.loads(keep(scene.engine.floor))
    _class(text, "acd:Agent")[0] = "acd.model_of_old:Agent"
    assert keep(take_up(json.dumps(text))) == keep(scene.engine.floor)


def test_no_two_classes_of_a_package_have_one_name() -> None:
    """By which a checkpoint knows them."""
    for package in (acd, config):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    ours = {
        found for path, module in list(sys.modules.items()) if path.partition(".")[0] in ("acd", "config")
        for found in vars(module).values() if isinstance(found, type) and found.__module__ == path
    }  # fmt: skip
    assert Counter(name_of(one) for one in ours) == dict.fromkeys(classes(), 1)


def test_another_form(scene: Scene) -> None:
    with pytest.raises(CheckpointError, match="form 2, not 1"):
        take_up(keep(scene.engine.floor).replace(b'"form":1', b'"form":2'))


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_an_error_of_ours(scene: Scene, data: st.DataObject) -> None:
    whole = keep(scene.engine.floor)
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    text = whole[:at] if cut else whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    try:
        take_up(text)
    except CheckpointError:
        return
    assert not cut


# --- kinds of fields --------------------------------------------------------------------------------------------------

_CONTAINERS = (list, dict, set, frozenset, tuple, deque, Counter, Mapping, Sequence)


def _unknown(hint: Any, seen: set[type]) -> list[str]:
    """What in a field's type a checkpoint cannot keep."""
    origin = get_origin(hint)
    if origin is Literal or hint in (str, int, float, bool, types.NoneType, Ellipsis):
        return []
    if origin in (Union, types.UnionType, *_CONTAINERS) or hasattr(hint, "__metadata__"):
        return [what for one in get_args(hint)[: 1 if hasattr(hint, "__metadata__") else None]
                for what in _unknown(one, seen)]  # fmt: skip
    if not isinstance(hint, type) or hint.__module__.partition(".")[0] not in ("acd", "config"):
        return [str(hint)]
    if hint in seen or issubclass(hint, Enum | BaseModel):
        return []
    seen.add(hint)
    if is_dataclass(hint) or issubclass(hint, tuple):
        return [f"{hint.__name__}.{name}: {what}" for name, inner in get_type_hints(hint).items()
                for what in _unknown(inner, seen)]  # fmt: skip
    return [] if hasattr(hint, "__slots__") else [str(hint)]


class _Sources:
    """Finds our modules as they are written: the types of fields are not told by compiled ones."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, _: object = None) -> ModuleSpec | None:
        if path is None or not name.startswith("acd."):
            return None
        return FileFinder(path[0], (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    """Our classes as they are written, by the names that a checkpoint has for them."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "acd"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Sources, *sys.meta_path])
    found: dict[str, type] = importlib.import_module("acd.checkpoint").classes()
    return found


def test_fields_are_of_kinds_that_can_be_kept(scene: Scene, written: dict[str, type]) -> None:
    """Not so? Make the field plain data, or, if it is an index of other fields, teach `checkpoint` to make it anew."""
    keeper = _Keeper(careful=False)
    keeper.value(scene.engine.floor)
    kept = {*keeper.classes, model.Agent, model.Phone, model.Queue, model.WorkItem}
    seen: set[type] = set()
    of = [written[name_of(cls)] for cls in kept if is_dataclass(cls)]
    assert len(of) > 20 and [what for cls in of for what in _unknown(cls, seen)] == []


@pytest.mark.parametrize("hint", [bytes, object, Callable[[], None], list[bytes], dict[str, object] | None])
def test_a_field_of_another_kind_would_be_found(hint: Any) -> None:
    cls = make_dataclass("Odd", [("x", hint)])
    cls.__module__ = "acd.model"
    assert len(_unknown(cls, set())) == 1
