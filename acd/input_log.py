"""The engine's inputs, written down as they come, and played again.

The engine is deterministic, so its inputs since a checkpoint make the same floor of it: the same order, states,
counters, statistics and numbers. `with_log` makes every public method of `Engine` that takes `now` tell `engine.log`
first; an input that another input makes is no entry of its own. What an entry cannot say (a site) is told as None: the
log goes on from a new checkpoint.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import orjson

from acd.errors import AcdError

if TYPE_CHECKING:
    from acd.engine import Engine

Log = Callable[[bytes | None], None]
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_ASIDE = "_kept_apart"  # mark on a method: "no input", or "not replayable"


def no_input(method: F) -> F:
    """A method with `now` that only looks: nothing of the floor is another after it."""
    setattr(method, _ASIDE, "no input")
    return method


def not_replayable(method: F) -> F:
    """An input whose arguments no entry can hold: a checkpoint has to follow."""
    setattr(method, _ASIDE, "not replayable")
    return method


def with_log(engine: type[T]) -> type[T]:
    """Class decorator of the engine."""
    for name, method in inspect.getmembers(engine, inspect.isfunction):
        how = getattr(method, _ASIDE, None)
        if name.startswith("_") or how == "no input" or "now" not in inspect.signature(method).parameters:
            continue
        setattr(engine, name, _told(name, method, replayable=how is None))
    return engine


def inputs_of(engine: type[object]) -> list[str]:
    """The names of the inputs that are logged, the replayable ones."""
    return [name for name, method in inspect.getmembers(engine, inspect.isfunction) if hasattr(method, "replayable")]


def _told(name: str, method: Callable[..., Any], *, replayable: bool) -> Callable[..., Any]:
    @wraps(method)
    def told(self: Any, *args: Any, **others: Any) -> Any:
        log = self.log
        if log is None:
            return method(self, *args, **others)
        if replayable:
            log(entry(name, args, others))
        self.log = None  # what this input makes of itself is not told
        try:
            return method(self, *args, **others)
        finally:
            self.log = log
            if not replayable:
                log(None)

    if replayable:
        told.replayable = True  # type: ignore[attr-defined]
    return told


def entry(name: str, args: tuple[Any, ...], others: dict[str, Any]) -> bytes:
    """[name, arguments] or [name, arguments, named ones]; the time is one of them."""
    what = [name, args, others] if others else [name, args]
    try:
        found = orjson.dumps(what)
        if found.count(b"null") <= args.count(None):  # else it may stand for a number that is none
            return found
    except TypeError:  # a lone surrogate, a number of more than 64 bits
        pass
    return _ENCODE(what).encode()


def replay(engine: Engine, entries: Iterable[list[Any]]) -> int:
    """Play entries that were read back from JSON; how many. The outputs are thrown away.

    What an input refused then, it refuses again. Raises whatever else goes wrong.
    """
    log, engine.log = engine.log, None
    played = 0
    try:
        for name, args, *others in entries:
            method, words = _method(type(engine), name)
            for at, word in words.items():
                args[at - 1] = word(args[at - 1])
            try:
                method(engine, *args, **(others[0] if others else {}))
            except AcdError:
                pass
            engine.take()
            played += 1
    finally:
        engine.log = log
    return played


_METHODS: dict[tuple[type, str], tuple[Callable[..., Any], dict[int, type[Enum]]]] = {}


def _method(engine: type[Engine], name: str) -> tuple[Callable[..., Any], dict[int, type[Enum]]]:
    """The input and, of its arguments, those that are words of an enumeration. KeyError if there is no such input."""
    found = _METHODS.get((engine, name))
    if found is None:
        method: Any = getattr(engine, name, None)
        if not hasattr(method, "replayable"):
            raise KeyError(f"no input {name!r}")
        hints = get_type_hints(method)
        words = {
            at: hints[parameter] for at, parameter in enumerate(inspect.signature(method).parameters)
            if isinstance(hints.get(parameter), type) and issubclass(hints[parameter], Enum)
        }  # fmt: skip
        found = _METHODS[engine, name] = (method, words)
    return found
