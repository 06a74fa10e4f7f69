"""What the schema says is wrong, in an admin's words: pydantic's errors as Problems at their places.

`Spot` is what the schema knows of a path (its type, its keys); the words come from there, so that a wrong value and a
value out of bounds read the same: `expected a number above 0, found "soon"`.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import annotated_types as at
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.destination_names import NAMED_IN
from config.errors import Problem
from config.fields import Destination, Expected
from config.schema import VERBS, Site
from config.suggestion import did_you_mean
from config.values import Path, Values, in_words, kind_in_words, quoted

KEYS_LISTED = 20  # beside a suggestion
UNITS: Final = {"_ms": ("milliseconds", 20, 0.001), "_s": ("seconds", 15, 1.0), "_days": ("days", 30, 86_400.0)}
"""By how a name ends: what it counts, an example, and how many seconds that is."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the schema."""

    type: Any
    """The bare type, without Annotated and Optional; Any where the schema says nothing."""
    notes: tuple[Any, ...] = ()
    """Bounds and Expected."""

    @classmethod
    def of(cls, annotation: Any, notes: Iterable[Any] = ()) -> Spot:
        collected = list(notes)
        while True:
            if isinstance(annotation, FieldInfo):
                collected += annotation.metadata
                annotation = annotation.annotation
            elif get_origin(annotation) is Annotated:
                for note in annotation.__metadata__:
                    collected += note.metadata if isinstance(note, FieldInfo) else [note]
                annotation = annotation.__origin__
            elif get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
                annotation = Union[tuple(a for a in get_args(annotation) if a is not type(None))]  # noqa: UP007
            else:
                return cls(annotation, tuple(collected))

    @property
    def model(self) -> type[BaseModel] | None:
        return self.type if isinstance(self.type, type) and issubclass(self.type, BaseModel) else None

    @property
    def keys(self) -> list[str]:
        """The keys an admin may write here."""
        return [field.alias or name for name, field in self.model.model_fields.items()] if self.model else []

    def below(self, part: str | int, value: object) -> Spot:
        """The spot of an entry or key; `value` is what stands there (it tells the verb of an IVR state)."""
        if self.model:
            for name, field in self.model.model_fields.items():
                if part in (field.alias, name):
                    return Spot.of(field)
            return Spot(Any)
        arguments = get_args(self.type)
        if get_origin(self.type) is dict:
            entry = Spot.of(arguments[1])
            if get_args(entry.type) == tuple(VERBS.values()):
                verb = next((v for v in VERBS if isinstance(value, Mapping) and v in value), None)
                return Spot(VERBS[verb]) if verb else entry
            return entry
        if get_origin(self.type) is tuple and arguments[-1:] == (...,):
            entry = Spot.of(arguments[0])
            if isinstance(value, Mapping):  # of what may be text or a mapping
                return next((Spot(model) for model in get_args(entry.type) if Spot(model).model), entry)
            return entry
        return Spot(Any)

    @property
    def words(self) -> str:
        """What it takes."""
        for note in self.notes:
            if isinstance(note, Expected):
                return note.words
        if self.type is bool:
            return "true or false"
        if self.type in (int, float):
            return ("a whole number" if self.type is int else "a number") + _bounds(self.notes)
        if get_origin(self.type) is Literal:
            return _either([str(a) for a in get_args(self.type)])
        if self.model or get_origin(self.type) is dict:
            return f"keys and values, as {self.keys[0] if self.keys else 'NAME'}: ..."
        return "a list" if get_origin(self.type) is tuple else "text"


def spot_at(path: Path, value: object) -> Spot:
    """The schema's spot for a path of the site's raw `value`."""
    spot = Spot(Site)
    for part in path:
        if isinstance(value, Mapping) and part != 0:
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif part != 0:  # else a list of one, written without brackets
            value = None
        spot = spot.below(part, value)
    return spot


def problems_of(error: ValidationError, file: str, values: Values) -> Iterable[Problem]:
    """One Problem for each thing pydantic complains of."""
    for detail in error.errors(include_url=False):
        path, kind = detail["loc"], detail["type"]
        node = values.place(path).node
        if kind == "too_short" and (node.items or node.text):
            continue  # it would not be empty if its entries were right
        if kind in ("missing", "extra_forbidden") or path[-1:] == ("[key]",):
            yield _key_problem(detail, file, values)
        else:
            yield _value_problem(detail, file, values)


def _key_problem(detail: ErrorDetails, file: str, values: Values) -> Problem:
    """A key that is missing, unknown or wrongly written."""
    path, kind = detail["loc"], detail["type"]
    path = path[:-1] if path[-1] == "[key]" else path
    place = values.place(path)
    parent = spot_at(path[:-1], values.value)
    found, hint = quoted(str(path[-1])), ""
    if kind == "missing":
        found, expected = "none", f"the key {path[-1]}"
    elif kind == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), parent.keys)
        many = hint and len(parent.keys) > KEYS_LISTED
        expected = "another key" if many else f"a key of: {', '.join(parent.keys)}"
    elif kind == "value_error":
        expected = _told(detail)
    else:
        expected = Spot.of(get_args(parent.type)[0]).words if get_origin(parent.type) is dict else "a name"
    return Problem(file, place.key_line, place.key_column, place.shown, found, expected, hint)


def _value_problem(detail: ErrorDetails, file: str, values: Values) -> Problem:
    path, kind = detail["loc"], detail["type"]
    spot = spot_at(path, values.value)
    written = values.written(path)
    while spot.type is Any and len(path) > len(written):  # pydantic adds the members of unions
        path = path[:-1]
        spot = spot_at(path, values.value)
    place = values.places[written]
    hides = spot.type is SecretStr or spot.model or get_origin(spot.type) in (dict, tuple)
    found = kind_in_words(place.node) if hides else in_words(place.node)
    expected, hint = spot.words, ""
    if kind == "value_error":
        expected = _told(detail)
        hint = _destination(place.node.text, values.value) if spot.type is Destination else ""
        if place.node.kind == "mapping":
            names = [key.text for key, _ in place.node.pairs()]
            found = ", ".join(names) or found
            if spot.model is None:  # an IVR state without its verb
                hint = next(filter(None, (did_you_mean(name, VERBS) for name in names)), "")
    elif kind in ("too_short", "string_too_short"):
        of_text = spot.type in (str, SecretStr)
        expected, found = (spot.words, "no text") if of_text else ("at least one entry", "none")
    elif spot.model and place.node.is_null and not any(one.is_required() for one in spot.model.model_fields.values()):
        hint = f"{path[-1]}: {{}} takes all as it is by default"
    elif any(isinstance(note, at.Le) and note.le == 1 for note in spot.notes):
        hint = _share(place.node.text)
    elif spot.type in (int, float) and not kind.startswith(("greater", "less")):
        expected, hint = _amount(str(path[-1]), place.node.text, expected)
    elif kind == "literal_error":
        hint = did_you_mean(place.node.text, [str(a) for a in get_args(spot.type)])
    on_its_key = place.node.kind != "scalar" or place.node.is_null
    line, column = (place.key_line, place.key_column) if on_its_key else (place.line, place.column)
    return Problem(file, line, column, place.shown, found, expected, hint)


def _amount(name: str, text: str, expected: str) -> tuple[str, str]:
    """What is no number where one of seconds is expected, and which it may have been meant for: 3m is 180."""
    unit = next((unit for unit in UNITS if name.endswith(unit)), None)
    if unit is None or name.endswith("_per_s"):
        return expected, ""
    words, example, in_seconds = UNITS[unit]
    meant = _DURATION.fullmatch(text.strip().lower())
    if meant is None:
        return f"a number of {words}, such as {example}", ""
    seconds = float(meant[1]) * _SECONDS["ms" if meant[2] == "ms" else meant[2][0]]
    return f"a number of {words}, such as {example}", f"did you mean {seconds / in_seconds:.6g}?"


def _share(text: str) -> str:
    """80, or 80 %, where 0.8 is expected."""
    meant = re.fullmatch(r"(\d+(?:\.\d+)?) ?%?", text)
    return f"did you mean {float(meant[1]) / 100:.6g}?" if meant and 1 < float(meant[1]) <= 100 else ""


def _destination(text: str, site: object) -> str:
    """A name without the word that says what it is."""
    sections = site if isinstance(site, Mapping) else {}
    for kind, section in NAMED_IN.items():
        names = sections.get(section)
        if isinstance(names, Mapping) and text in names:
            return f"did you mean {kind} {text}?"
    return did_you_mean(text, ["hang up"])


def _told(detail: ErrorDetails) -> str:
    return str(detail["msg"]).removeprefix("Value error, ").removeprefix("expected ")


def _bounds(notes: Iterable[Any]) -> str:
    low = high = above = None
    for note in notes:
        if isinstance(note, at.Gt):
            above = note.gt
        elif isinstance(note, at.Ge):
            low = note.ge
        elif isinstance(note, at.Le):
            high = note.le
    if above is not None:
        return f" above {above}" + (f", at most {high}" if high is not None else "")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" of at least {low}" if low is not None else f" of at most {high}" if high is not None else ""


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
