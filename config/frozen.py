"""Values: made once, never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """A class decorator: `dataclass(frozen=True, slots=True)` to the type checker, which refuses assignments.

    At run time nothing does: to refuse them, a frozen dataclass sets its fields by `object.__setattr__`, and takes five
    times as long to make. For what is made often: a queued call makes thirty events, commands and the like.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
