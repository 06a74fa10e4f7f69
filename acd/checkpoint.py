"""The floor as text, and the floor made again from it: exactly the same, in this version of the program or a later one.

Nothing here knows the fields of the model: whatever is reachable from the floor is kept, an object by the names of its
fields, so that a field that a later version adds has its default there, and one that it dropped is passed over. A class
has the name of its package and its own: it may move to another module, but not be named anew. Two that hold the same
object hold the same one again. Fields may be plain values, tuples, lists, dicts, sets, deques, enums, named tuples,
dataclasses and classes with `__slots__` of `acd` and `config`, and models of the site; anything else is a TypeError
when it is kept, and a test looks for that.

Indices (`INDICES`) are made anew from what they index.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import partial
from math import isfinite
from operator import attrgetter
from typing import Any, Final

import orjson
from pydantic import BaseModel, SecretStr

from acd import offering, written
from acd.columns import Columns
from acd.deadlines import Deadlines, Due
from acd.errors import AcdError
from acd.floor import Floor
from acd.model import ByChannel, ItemState
from acd.roster import Roster
from acd.selection import IdleOrder
from acd.skills import SkillIndex
from acd.waiting_line import WaitingLines

FORM: Final = 1  # of the text; another is not read
SAFE: Final = 1 << 53  # whole numbers below it are the same in every JSON
_PACKAGES: Final = ("acd", "config")  # whose classes may be kept
INDICES: Final = (ByChannel, Columns, IdleOrder, SkillIndex, WaitingLines)

# What an array of the text is: its first element.
_LIST, _TUPLE, _SET, _FROZENSET, _DICT, _COUNTER, _DEQUE = range(7)
_BIG, _FLOAT, _OBJECT, _AGAIN, _WORD, _NAMED, _SITE = range(7, 14)
_PLAIN: Final = frozenset({str, bool, type(None)})
_NUMBERS: Final = frozenset({int, float, bool})
_JSON: Final = _PLAIN | _NUMBERS
_OUTPUTS: Final = ("events", "commands")  # of the floor: no state


class CheckpointError(AcdError):
    """The text is not what `keep` made, or of a version this one cannot read."""


def keep(floor: Floor) -> bytes:
    """The floor as JSON. Raises TypeError for a value of a kind that is not known here."""
    try:
        return orjson.dumps(_kept(floor, careful=False))
    except orjson.JSONEncodeError:  # a number of more than 64 bits, or a lone surrogate in what a peer has sent
        return json.dumps(_kept(floor, careful=True), separators=(",", ":")).encode()


def _kept(floor: Floor, *, careful: bool) -> dict[str, Any]:
    keeper = _Keeper(careful=careful)
    whole = keeper.value(floor)
    named = [[name_of(cls), names] for cls, names in keeper.classes.items()]
    return {"form": FORM, "classes": named, "sets": keeper.numbers, "floor": whole}


def take_up(text: bytes | str) -> Floor:
    """The floor again. Raises `CheckpointError`."""
    try:
        kept = _parse(text)
        if kept["form"] != FORM:
            raise CheckpointError(f"form {kept['form']}, not {FORM}")
        known = classes()
        reader = _Reader([(_class(name, known), names) for name, names in kept["classes"]], kept["sets"])
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
    for item in (*floor.items.values(), *floor.written.items.values()):
        if item.state is ItemState.QUEUED:
            item.queue.count(item.channel, 1)
    for item in floor.items.values():
        if offering.wanted(floor, item):
            floor.lines.add(item)
    written.index(floor)


# --- what is kept of a class -----------------------------------------------------------------------------------------


def _names(cls: type) -> list[str]:
    if is_dataclass(cls):
        return [field.name for field in fields(cls)]
    if issubclass(cls, BaseModel):
        return list(cls.model_fields)
    return [name for name in _slots(cls) if cls is not Floor or name not in _OUTPUTS]


def _slots(cls: type) -> tuple[str, ...]:
    """Of a class with `__slots__`; compiled ones have their names under another."""
    names: Any = getattr(cls, "__slots__", None) or getattr(cls, "__mypyc_attrs__", ())
    return tuple(names)


def _getter(cls: type, names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:
        return lambda _: ()
    values = attrgetter(*names)
    return values if len(names) > 1 else lambda of: (values(of),)


def _ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in _PACKAGES


def name_of(cls: type) -> str:
    """By which a class is known in every version, in whatever module of its package it is."""
    return f"{cls.__module__.partition('.')[0]}:{cls.__qualname__}"


def classes() -> dict[str, type]:
    """Whatever a text can name. The floor's own imports have brought all of it here."""
    return {
        name_of(found): found
        for path, module in list(sys.modules.items()) if path.partition(".")[0] in _PACKAGES
        for found in vars(module).values() if isinstance(found, type) and found.__module__ == path
    }  # fmt: skip


def _class(name: str, known: dict[str, type]) -> type:
    module, _, own = name.partition(":")
    found = known.get(f"{module.partition('.')[0]}:{own}")  # the first versions wrote the module
    if found is None:
        raise CheckpointError(f"{name} is no class of ours")
    return found


# --- keeping ---------------------------------------------------------------------------------------------------------


class _Keeper:
    """Objects are numbered as they are met: the second time only the number is written.

    The loop of the server stands still meanwhile, so what is written as it is passes without a look at each value:
    numbers of more than 64 bits among it are refused by `orjson`, and then all is done with care.
    """

    def __init__(self, *, careful: bool) -> None:
        self.classes: dict[type, list[str]] = {}
        self.numbers: list[str] = []  # the large ones, each once: sets of agents
        self._careful = careful
        self._numbers: dict[int, int] = {}
        self._met: dict[int, int] = {}
        self._alive: list[object] = []  # made here: must not be collected, or its id would be another's
        self._class_numbers: dict[type, int] = {}
        self._words: dict[int, list[Any]] = {}  # by identity: words of two enumerations may be equal
        self._how: dict[type, Callable[[Any], Any]] = {
            int: self._int, float: _float, tuple: self._tuple, SecretStr: _secret, dict: self._dict,
            list: partial(self._many, _LIST), set: self._set, frozenset: self._set, deque: self._deque,
            Counter: self._counter, Deadlines: self._deadlines,
        }  # fmt: skip

    def value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        how = self._how.get(kind)
        return (how or self._learn(kind, value))(value)

    def _learn(self, kind: type, value: object) -> Callable[[Any], Any]:
        """How values of a class are kept, found out once."""
        if not _ours(kind):
            raise TypeError(f"a checkpoint knows nothing of {kind.__module__}.{kind.__qualname__}: {value!r:.100}")
        how: Callable[[Any], Any]
        if issubclass(kind, Enum):
            how = self._word
        elif issubclass(kind, tuple):
            how = partial(self._named, self._class(kind, []))
        elif kind in INDICES:
            how = partial(self._object, [_OBJECT, self._class(kind, [])], lambda _: ())
        elif is_dataclass(kind) or issubclass(kind, BaseModel) or _slots(kind):
            names = _names(kind)
            head = [_SITE if issubclass(kind, BaseModel) else _OBJECT, self._class(kind, names)]
            how = partial(self._object, head, _getter(kind, names))
        else:
            raise TypeError(f"a checkpoint knows nothing of {kind.__module__}.{kind.__qualname__}: {value!r:.100}")
        self._how[kind] = how
        return how

    def _class(self, cls: type, names: list[str]) -> int:
        number = self._class_numbers.get(cls)
        if number is None:
            number = self._class_numbers[cls] = len(self.classes)
            self.classes[cls] = names
        return number

    # --- values -----------------------------------------------------------------------------------------------------

    def _int(self, value: int) -> Any:
        if -SAFE < value < SAFE:
            return value
        at = self._numbers.get(value)
        if at is None:
            at = self._numbers[value] = len(self.numbers)
            self.numbers.append(hex(value))
        return [_BIG, at]

    def _word(self, value: Enum) -> list[Any]:
        found = self._words.get(id(value))
        if found is None:
            found = self._words[id(value)] = [_WORD, self._class(type(value), []), value.value]
        return found

    def _tuple(self, value: tuple[Any, ...]) -> list[Any]:
        return [_TUPLE, *self._all(value)]

    def _named(self, number: int, value: tuple[Any, ...]) -> list[Any]:
        return [_NAMED, number, *self._all(value)]

    def _as_they_are(self, kinds: set[type], values: Collection[Any]) -> bool:
        """Whether these need no look each."""
        if self._careful or not kinds <= _JSON:
            return False
        if float not in kinds:
            return True
        return kinds <= _NUMBERS and isfinite(sum(values))  # one that is not makes the sum so

    def _all(self, values: Collection[Any]) -> Iterable[Any]:
        if self._as_they_are(set(map(type, values)), values):
            return values
        how_of = self._how
        return [
            one if (kind := type(one)) in _PLAIN else (how_of.get(kind) or self._learn(kind, one))(one)
            for one in values
        ]

    # --- what may be met again --------------------------------------------------------------------------------------

    def _again(self, value: object) -> list[int] | None:
        met = self._met.get(id(value))
        if met is not None:
            return [_AGAIN, met]
        self._met[id(value)] = len(self._met)
        return None

    def _object(self, head: list[int], values: Callable[[Any], tuple[Any, ...]], value: object) -> list[Any]:
        met, number, how_of = self._met, id(value), self._how
        if number in met:
            return [_AGAIN, met[number]]
        met[number] = len(met)
        found: list[Any] = [*head]
        for one in values(value):
            kind = type(one)
            if kind in _PLAIN or (kind is int and -SAFE < one < SAFE):
                found.append(one)
            else:
                found.append((how_of.get(kind) or self._learn(kind, one))(one))
        return found

    def _dict(self, value: dict[Any, Any]) -> Any:
        met, number = self._met, id(value)
        if number in met:
            return [_AGAIN, met[number]]
        met[number] = len(met)
        if not value:
            return {}
        if set(map(type, value)) != {str}:
            return self._pairs(_DICT, value)
        if self._as_they_are(set(map(type, value.values())), value.values()):
            return value
        return {name: one if type(one) in _PLAIN else self.value(one) for name, one in value.items()}

    def _counter(self, value: Counter[Any]) -> list[Any]:
        return self._again(value) or self._pairs(_COUNTER, value)

    def _pairs(self, kind: int, value: dict[Any, Any]) -> list[Any]:
        return [kind, *[self.value(one) for pair in value.items() for one in pair]]

    def _many(self, kind: int, value: Collection[Any]) -> list[Any]:
        return self._again(value) or ([kind, *self._all(value)] if value else [kind])

    def _set(self, value: set[Any] | frozenset[Any]) -> list[Any]:
        return self._again(value) or [_SET if type(value) is set else _FROZENSET, *self._all(sorted(value))]

    def _deque(self, value: deque[Any]) -> list[Any]:
        return self._again(value) or [_DEQUE, value.maxlen, *self._all(value)]

    def _deadlines(self, value: Deadlines) -> list[Any]:
        again = self._again(value)
        if again is not None:
            return again
        entries, last = value.entries()
        live = [(at, number, int(kind), name) for at, number, (kind, name) in entries]
        self._alive.append(live)
        return [_OBJECT, self._class(Deadlines, ["next", "live"]), last, self.value(live)]


def _float(value: float) -> Any:
    return value if isfinite(value) else [_FLOAT, repr(value)]


def _secret(_: SecretStr) -> str:
    return ""  # no business of the floor's


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
        for name in (*_names(cls), *(_OUTPUTS if cls is Floor else ())):
            object.__setattr__(found, name, values[name] if name in values else _default(cls, name))
        return found

    def _deadlines(self, kept: list[Any]) -> Deadlines:
        place = self._reserve()
        live = [(at, number, (Due(kind), name)) for at, number, kind, name in self.value(kept[1])]
        found = self._met[place] = Deadlines(live, kept[0])
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
        return getattr(Floor(), name)
    elif cls is Roster:
        return getattr(Roster(), name)
    raise CheckpointError(f"nothing is known of {cls.__qualname__}.{name}")
