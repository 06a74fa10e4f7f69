"""From an event to a row of the journal: JSON is made once, how to read each class is found out once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson

_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
_PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME  # `str` shows them
_ID_FIELDS: Final = ("call_id", "item_id")  # an item is a call that waits: its id is the call's


class JournalRow(NamedTuple):
    """One row of the journal, its JSON read."""

    seq: int  # 1, 2, 3 ... in order of happening
    at: float  # seconds since 1970 (UTC)
    kind: str  # the event's class
    call_id: str | None
    data: dict[str, Any]  # the event's other fields


class _Plan(NamedTuple):
    kind: str
    call_id: Callable[[Any], str | None]
    data: Callable[[Any], dict[str, Any]]


def clean(text: str) -> str:
    """Text that every database stores: NUL and lone surrogates, which a peer may have sent us, become U+FFFD."""
    if text.isprintable():  # the common case; false for both
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def encode(data: object) -> str:
    """Pure ASCII, so that any text passes. Raises TypeError or ValueError for what JSON has no words for."""
    try:
        found = orjson.dumps(data, option=_PLAIN)
        if found.isascii():
            return found.decode("ascii")
    except TypeError:  # lone surrogates, large numbers, whatever is shown by its `str`
        pass
    return _ENCODE(data)


class RowMaker:
    """Reads events of any frozen dataclass with `at`; `call_id`, `item_id` or else a callback's id goes into its own
    column."""

    def __init__(self) -> None:
        self._plans: dict[type, _Plan] = {}

    def read(self, seq: int, event: Any) -> JournalRow:
        """Raises TypeError, AttributeError or ValueError when it is no event."""
        plan = self._plans.get(type(event)) or self._learn(type(event))
        call_id = plan.call_id(event)
        return JournalRow(
            seq, float(event.at), plan.kind, None if call_id is None else clean(call_id), plan.data(event)
        )

    def _learn(self, cls: type) -> _Plan:
        names = [field.name for field in fields(cls)]
        ids = [name for name in _ID_FIELDS if name in names]
        rest = tuple(name for name in names if name != "at" and name not in ids)
        whose = ids[0] if ids else "callback_id" if "callback_id" in names else None  # this one stays in the data, too
        plan = _Plan(cls.__name__, attrgetter(whose) if whose else _nothing, _reader(rest))
        self._plans[cls] = plan
        return plan


def _nothing(_event: Any) -> None:
    return None


def _reader(names: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    if not names:
        return lambda _event: {}
    if len(names) == 1:  # attrgetter of one name gives the value, not a tuple
        name, value = names[0], attrgetter(names[0])
        return lambda event: {name: value(event)}
    values = attrgetter(*names)
    return lambda event: dict(zip(names, values(event), strict=True))
