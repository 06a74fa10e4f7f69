"""What a caller hears in a flow: prompts by name, values said in words, texts to speak.

    welcome                                   the prompt welcome
    tone:busy                                 a tone
    "{number:rooms}"                          the call attribute `rooms`, said as a number
    {text: "Hello {name}.", voice: en-gb}     spoken; values between braces as above
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from config.fields import Expected
from config.model import Model
from config.speech import Voice

GENDERS = ("masculine", "feminine")
#: How a value may be said, and what may stand after a second colon.
KINDS: dict[str, tuple[str, ...]] = {
    "number": GENDERS, "ordinal": GENDERS, "digits": (), "money": ("a currency, as EUR",), "time": (), "date": (),
    "duration": (),
}  # fmt: skip
_NOW = ("time", "date")  # without an attribute: of now
TEXT_LONGEST = 1000  # characters
_SLOT = re.compile(r"\{([^{}]*)\}")
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]*")
_CURRENCY = re.compile(r"[A-Z]{3}")
_EXPECTED = "a prompt, as welcome, a value to say, as \"{number:rooms}\", or {text: WHAT IS SPOKEN}"


@dataclass(frozen=True, slots=True)
class Slot:
    """A value to say. `kind` "text": the attribute as it is. `attribute` None: now."""

    kind: str
    attribute: str | None
    option: str = ""


@lru_cache(maxsize=4096)
def parts(text: str) -> tuple[str | Slot, ...]:
    """A text and the values in it, in order. ValueError, in an admin's words."""
    pieces = _SLOT.split(text)
    if any(brace in literal for literal in pieces[::2] for brace in "{}"):
        raise ValueError("expected a closing brace for each opening one, as {number:rooms}")
    found = [_slot(piece) if n % 2 else piece for n, piece in enumerate(pieces)]
    return tuple(piece for piece in found if piece != "")


def slot_of(item: str) -> Slot | None:
    """The value that an item of a list says; None: it is a prompt's name."""
    if "{" not in item:
        return None
    (slot,) = parts(item)
    assert isinstance(slot, Slot)
    return slot


def _slot(inside: str) -> Slot:
    kind, *more = inside.split(":")
    if kind not in KINDS:
        if more or not _ATTRIBUTE.fullmatch(kind):
            raise ValueError(f"expected {{KIND:ATTRIBUTE}} with a kind of: {', '.join(KINDS)}; or {{ATTRIBUTE}}")
        return Slot("text", kind)
    attribute, option = more[0] if more else None, more[1] if len(more) > 1 else ""
    if attribute is None and kind not in _NOW:
        raise ValueError(f"expected {{{kind}:ATTRIBUTE}}, as {{{kind}:rooms}}")
    if attribute is not None and not _ATTRIBUTE.fullmatch(attribute):
        raise ValueError("expected a call attribute after the colon: small letters, digits and _, as web_code")
    options = KINDS[kind]
    right = bool(_CURRENCY.fullmatch(option)) if kind == "money" else option in options
    if len(more) > 2 or (option and not right):
        raise ValueError(f"expected {' or '.join(options) or 'nothing'} after {{{kind}:{attribute}")
    return Slot(kind, attribute, option)


def _text(text: str) -> str:
    parts(text)
    if not text.strip() or len(text) > TEXT_LONGEST:
        raise ValueError(f"expected a text of 1 to {TEXT_LONGEST} characters")
    return text


class Spoken(Model):
    """A text to speak, in `voice`. `instead` is the prompt played when it can't be spoken in time."""

    text: Annotated[str, AfterValidator(_text)]
    voice: Voice | None = None
    instead: str | None = None


def _saying(value: Any) -> Any:
    if isinstance(value, dict):
        if "text" not in value:
            hint = " between quotes" if any(":" in str(key) for key in value) else ""
            raise ValueError(f"expected {_EXPECTED}{hint}")
        return Spoken.model_validate(value)
    if isinstance(value, str) and ("{" in value or "}" in value):
        if len(parts(value)) != 1 or slot_of(value) is None:
            raise ValueError("expected one value between braces and nothing else; texts are {text: ...}")
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str | dict | Spoken) else value


Saying = str | Spoken
Sayings = Annotated[
    tuple[Annotated[Saying, BeforeValidator(_saying), Expected(_EXPECTED)], ...],
    BeforeValidator(_one_or_many, json_schema_input_type=str | Spoken | list[str | Spoken]),
    Expected("a prompt, a text, or a list of them"),
]


def in_words(sayings: Iterable[Saying]) -> str:
    """For people: `welcome, "Hello {name}."`."""
    return ", ".join(one if isinstance(one, str) else f'"{one.text}"' for one in sayings)

