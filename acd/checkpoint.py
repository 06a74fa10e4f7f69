"""The floor as text, and the floor made again from it: exactly the same, in this version of the program or a later one.

Nothing here knows the fields of the model: whatever is reachable from the floor is kept, an object by the names of its
fields, so that a field that a later version adds has its default there, and one that it dropped is passed over. Two
that hold the same object hold the same one again. Fields may be plain values, tuples, lists, dicts, sets, deques,
enums, named tuples, dataclasses and classes with `__slots__` of `acd` and `config`, and models of the site; anything
else is a TypeError when it is kept, and a test looks for that.

Indices (`INDICES`) are made anew from what they index.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from importlib import import_module
from operator import attrgetter
from typing import Any, Final

import orjson
from pydantic import BaseModel, SecretStr

from acd import offering
from acd.columns import Columns
from acd.deadlines import Deadlines, Due
from acd.errors import AcdError
from acd.floor import Floor
from acd.roster import Roster
from acd.selection import IdleOrder
from acd.skills import SkillIndex
from acd.waiting_line import WaitingLines

FORM: Final = 1  # of the text; another is not read
SAFE: Final = 1 << 53  # whole numbers below it are the same in every JSON
INDICES: Final = (Columns, IdleOrder, SkillIndex, WaitingLines)

# What an array of the text is: its first element.
_LIST, _TUPLE, _SET, _FROZENSET, _DICT, _COUNTER, _DEQUE = range(7)
_BIG, _FLOAT, _OBJECT, _AGAIN, _WORD, _NAMED, _SITE = range(7, 14)
_PLAIN: Final = frozenset({str, bool, type(None)})


class CheckpointError(AcdError):
    """The text is not what `keep` made, or of a version this one cannot read."""


def keep(floor: Floor) -> bytes:
    """The floor as JSON. Raises TypeError for a value of a kind that is not known here."""
    keeper = _Keeper()
    whole = keeper.value(floor)
    classes = [[_path(cls), names] for cls, names in keeper.classes.items()]
    text = {"form": FORM, "classes": classes, "sets": keeper.numbers, "floor": whole}
    try:
        return orjson.dumps(text)
    except TypeError:  # a lone surrogate in what a peer has sent
        return json.dumps(text, separators=(",", ":")).encode()


def take_up(text: bytes | str) -> Floor:
    """The floor again. Raises `CheckpointError`."""
    try:
        kept = _parse(text)
        if kept["form"] != FORM:
            raise CheckpointError(f"form {kept['form']}, not {FORM}")
        reader = _Reader([(_class(path), names) for path, names in kept["classes"]], kept["sets"])
        floor = reader.value(kept["floor"])
        if type(floor) is not Floor:
            raise CheckpointError("it holds no floor")
        make_indices(floor)
        return floor
    except CheckpointError:
        raise
    except Exception as error:  # whatever a damaged text brings about
        raise CheckpointError(f"{type(error).__name__}: {error}") from error


def _parse(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # a lone surrogate, or damage
        return json.loads(text)


def make_indices(floor: Floor) -> None:
    """All that can be found from the rest."""
    roster = floor.roster
    roster.skills = SkillIndex((agent.slot, agent.skills) for agent in roster.agents.values() if not agent.retired)
    roster.idle = IdleOrder()
    roster.columns = Columns()
    for agent in roster.agents.values():
        roster.update(agent)
    floor.lines = WaitingLines()
    for item in floor.items.values():
        if offering.wanted(floor, item):
            floor.lines.add(item)


# --- what is kept of a class -----------------------------------------------------------------------------------------


def _names(cls: type) -> list[str]:
    if cls is Floor:
        return [name for name in Floor.__slots__ if name not in ("events", "commands")]  # outputs are no state
    if is_dataclass(cls):
        return [field.name for field in fields(cls)]
    if issubclass(cls, BaseModel):
        return list(cls.model_fields)
    return [name for base in reversed(cls.__mro__) for name in getattr(base, "__slots__", ())]


def _getter(cls: type, names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:
        return lambda _: ()
    values = attrgetter(*names)
    return values if len(names) > 1 else lambda of: (values(of),)


def _ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("acd", "config")


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _class(path: str) -> type:
    module, _, name = path.partition(":")
    if module.partition(".")[0] not in ("acd", "config"):
        raise CheckpointError(f"{path} is no class of ours")
    found = getattr(sys.modules.get(module) or import_module(module), name)
    if not isinstance(found, type) or not _ours(found):
        raise CheckpointError(f"{path} is no class of ours")
    return found


def _live(deadlines: Deadlines) -> list[tuple[float, int, int, str | int]]:
    """Without those forgotten, whose number in the heap depends on when it was last looked at."""
    return sorted(
        (at, number, int(key[0]), key[1]) for at, number, key in deadlines._heap if deadlines._live.get(key) == number
    )


# --- keeping ---------------------------------------------------------------------------------------------------------


class _Keeper:
    """Objects are numbered as they are met: the second time only the number is written."""

    def __init__(self) -> None:
        self.classes: dict[type, list[str]] = {}
        self.numbers: list[str] = []  # the large ones, each once: sets of agents
        self._numbers: dict[int, int] = {}
        self._met: dict[int, int] = {}
        self._alive: list[object] = []  # made here: must not be collected, or its id would be another's
        self._class_numbers: dict[type, int] = {}
        self._getters: dict[type, Callable[[Any], tuple[Any, ...]]] = {}

    def value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int:
            return value if -SAFE < value < SAFE else self._big(value)
        if kind is float:
            return value if value - value == 0.0 else [_FLOAT, repr(value)]
        if kind is tuple:
            return [_TUPLE, *self._all(value)]
        if issubclass(kind, Enum):
            return [_WORD, self._class(kind, []), value.value]
        if issubclass(kind, tuple):
            return [_NAMED, self._class(kind, []), *self._all(value)]
        if kind is SecretStr:
            return ""  # no business of the floor's
        met = self._met.get(id(value))
        if met is not None:
            return [_AGAIN, met]
        self._met[id(value)] = len(self._met)
        return self._thing(kind, value)

    def _thing(self, kind: type, value: Any) -> Any:
        if kind is dict and all(map(_is_name, value)):
            plain = {name: one for name, one in value.items() if type(one) in _PLAIN}
            return plain if len(plain) == len(value) else {name: self.value(one) for name, one in value.items()}
        if kind is dict or kind is Counter:
            return [_DICT if kind is dict else _COUNTER, *self._all(one for pair in value.items() for one in pair)]
        if kind is list:
            return [_LIST, *self._all(value)]
        if kind is set or kind is frozenset:
            return [_SET if kind is set else _FROZENSET, *self._all(sorted(value))]
        if kind is deque:
            return [_DEQUE, value.maxlen, *self._all(value)]
        if kind in INDICES:
            return [_OBJECT, self._class(kind, [])]
        if kind is Deadlines:
            live = _live(value)
            self._alive.append(live)
            return [_OBJECT, self._class(kind, ["next", "live"]), value._next_number, self.value(live)]
        if not _ours(kind) or not (is_dataclass(kind) or issubclass(kind, BaseModel) or hasattr(kind, "__slots__")):
            raise TypeError(f"a checkpoint knows nothing of {kind.__module__}.{kind.__qualname__}: {value!r:.100}")
        getter = self._getters.get(kind)
        if getter is None:
            names = _names(kind)
            self._class(kind, names)
            getter = self._getters[kind] = _getter(kind, names)
        return [_SITE if issubclass(kind, BaseModel) else _OBJECT, self._class_numbers[kind], *self._all(getter(value))]

    def _all(self, values: Any) -> list[Any]:
        return [one if type(one) in _PLAIN else self.value(one) for one in values]

    def _class(self, cls: type, names: list[str]) -> int:
        number = self._class_numbers.get(cls)
        if number is None:
            if not _ours(cls):
                raise TypeError(f"a checkpoint knows nothing of {cls.__module__}.{cls.__qualname__}")
            number = self._class_numbers[cls] = len(self.classes)
            self.classes[cls] = names
        return number

    def _big(self, value: int) -> list[Any]:
        at = self._numbers.get(value)
        if at is None:
            at = self._numbers[value] = len(self.numbers)
            self.numbers.append(hex(value))
        return [_BIG, at]


def _is_name(key: object) -> bool:
    return type(key) is str


# --- taking up -------------------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, classes: list[tuple[type, list[str]]], numbers: list[str]) -> None:
        self._classes = classes
        self._numbers: list[int] = [int(one, 16) for one in numbers]
        self._met: list[Any] = []

    def value(self, kept: Any) -> Any:
        if type(kept) is dict:
            found: dict[Any, Any] = {}
            self._met.append(found)
            for name, one in kept.items():
                found[name] = self.value(one)
            return found
        if type(kept) is not list:
            return kept
        return self._READ[kept[0]](self, kept)

    def _list(self, kept: list[Any]) -> list[Any]:
        found: list[Any] = []
        self._met.append(found)
        found += [self.value(one) for one in kept[1:]]
        return found

    def _tuple(self, kept: list[Any]) -> tuple[Any, ...]:
        return tuple([self.value(one) for one in kept[1:]])

    def _set(self, kept: list[Any]) -> set[Any]:
        found: set[Any] = set()
        self._met.append(found)
        found.update(self.value(one) for one in kept[1:])
        return found

    def _frozenset(self, kept: list[Any]) -> frozenset[Any]:
        number = self._reserve()
        found = self._met[number] = frozenset(self.value(one) for one in kept[1:])
        return found

    def _dict(self, kept: list[Any]) -> dict[Any, Any]:
        return self._pairs({}, kept)

    def _counter(self, kept: list[Any]) -> dict[Any, Any]:
        return self._pairs(Counter(), kept)

    def _pairs(self, found: dict[Any, Any], kept: list[Any]) -> dict[Any, Any]:
        self._met.append(found)
        for at in range(1, len(kept), 2):
            key = self.value(kept[at])
            found[key] = self.value(kept[at + 1])
        return found

    def _deque(self, kept: list[Any]) -> deque[Any]:
        found: deque[Any] = deque(maxlen=kept[1])
        self._met.append(found)
        found.extend(self.value(one) for one in kept[2:])
        return found

    def _big(self, kept: list[Any]) -> int:
        at: int = kept[1]
        return self._numbers[at]

    def _float(self, kept: list[Any]) -> float:
        return float(kept[1])

    def _again(self, kept: list[Any]) -> Any:
        return self._met[kept[1]]

    def _word(self, kept: list[Any]) -> Any:
        return self._classes[kept[1]][0](kept[2])

    def _named(self, kept: list[Any]) -> Any:
        return self._classes[kept[1]][0](*[self.value(one) for one in kept[2:]])

    def _site(self, kept: list[Any]) -> Any:
        cls, names = self._classes[kept[1]]
        number = self._reserve()
        values = {name: self.value(one) for name, one in zip(names, kept[2:], strict=True)}
        assert issubclass(cls, BaseModel)
        known = {name: one for name, one in values.items() if name in cls.model_fields}
        found = self._met[number] = cls.model_construct(**known)
        return found

    def _object(self, kept: list[Any]) -> Any:
        cls, names = self._classes[kept[1]]
        if cls in INDICES:
            found = cls()
            self._met.append(found)
            return found
        if cls is Deadlines:
            return self._deadlines(kept[2:])
        found = cls.__new__(cls)
        self._met.append(found)
        values = {name: self.value(one) for name, one in zip(names, kept[2:], strict=True)}
        for name in (*_names(cls), *(("events", "commands") if cls is Floor else ())):
            object.__setattr__(found, name, values[name] if name in values else _default(cls, name))
        return found

    def _deadlines(self, kept: list[Any]) -> Deadlines:
        found = Deadlines()
        self._met.append(found)
        found._next_number = kept[0]
        found._heap = [(at, number, (Due(kind), name)) for at, number, kind, name in self.value(kept[1])]
        found._live = {key: number for _, number, key in found._heap}
        return found

    def _reserve(self) -> int:
        self._met.append(None)
        return len(self._met) - 1

    _READ: Final = {
        _LIST: _list, _TUPLE: _tuple, _SET: _set, _FROZENSET: _frozenset, _DICT: _dict, _COUNTER: _counter,
        _DEQUE: _deque, _BIG: _big, _FLOAT: _float, _OBJECT: _object, _AGAIN: _again, _WORD: _word, _NAMED: _named,
        _SITE: _site,
    }  # fmt: skip


def _default(cls: type, name: str) -> Any:
    """Of a field that the version which kept the text did not have. Raises `CheckpointError` if it has none."""
    if is_dataclass(cls):
        field = cls.__dataclass_fields__[name]
        if field.default is not MISSING:
            return field.default
        if field.default_factory is not MISSING:
            return field.default_factory()
    elif cls is Floor:
        return getattr(Floor(1), name)
    elif cls is Roster:
        return getattr(Roster(), name)
    raise CheckpointError(f"nothing is known of {cls.__qualname__}.{name}")
