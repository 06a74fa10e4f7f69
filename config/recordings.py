"""Recording of calls: where, in which form, how long it is kept."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from config.fields import Expected, Number, OneOrMany, Seconds, Secret
from config.model import Model

#: What a path may be made of.
FIELDS = ("call", "date", "time", "queue", "agent", "from", "to", "direction")
_PATH = "a path of words and " + ", ".join(f"{{{field}}}" for field in FIELDS) + ", with {call}, as {date}/{call}"
_PART = re.compile(r"(?:[A-Za-z0-9+_-]|\{(?:" + "|".join(FIELDS) + r")\})(?:[A-Za-z0-9+_.-]|\{(?:"
                   + "|".join(FIELDS) + r")\})*")  # fmt: skip
_KEY = "64 hexadecimal digits, as from: openssl rand -hex 32; best as !secret NAME"


def _path(value: str) -> str:
    if "{call}" not in value or not all(_PART.fullmatch(part) for part in value.split("/")):
        raise ValueError(f"expected {_PATH}")
    return value


def _key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", value.get_secret_value()):
        raise ValueError(f"expected {_KEY}")
    return value


class Recordings(Model):
    """Calls are recorded into `folder` when a queue, an extension, a trunk or one of `numbers` says `record`, or when
    somebody asks for it. Left is the caller, right whom he hears. With `key` files are enciphered. `format: opus` is
    made of the WAV file after the call."""

    folder: str | None = None
    path: Annotated[str, AfterValidator(_path), Expected(_PATH)] = "{date}/{call}"
    sound: Literal["stereo", "mixed"] = "stereo"
    format: Literal["wav", "opus"] = "wav"
    key: Annotated[Secret, AfterValidator(_key), Expected(_KEY)] | None = None
    numbers: Annotated[tuple[Number, ...], OneOrMany] = ()
    keys: Literal["heard", "hidden"] = "heard"
    beep_every_s: int = Field(default=0, ge=0, le=600)
    mask_at_most_s: Seconds = 300
    longest_s: Seconds = 14_400
    keep_days: float | None = Field(default=None, gt=0)
    min_free_mb: int = Field(default=500, ge=0)

    @model_validator(mode="after")
    def _has_a_folder(self) -> Recordings:
        if self.folder is None and (self.key or self.numbers):
            raise ValueError("expected folder: where recordings are kept")
        return self
