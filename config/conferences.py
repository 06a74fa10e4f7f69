"""Several who talk together: conference rooms, and who may listen to whose calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from config.fields import Expected, Names, OneOrMany, Secret
from config.model import Model

MEMBERS_MOST = 64  # of one conference
NEW = "new"  # `conference new`: a room of its own for each call that goes there
_PIN = "digits, best as !secret NAME"

Mode = Literal["monitor", "whisper", "barge"]


def _pin(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError(f"expected {_PIN}")
    return value


Pin = Annotated[Secret, BeforeValidator(_pin), Expected(_PIN)]


class Room(Model):
    """A room. Who goes there, by `to: conference NAME`, types the `pin` if there is one (`#` after it, three tries),
    and hears all who are there. Who is alone hears `music`."""

    pin: Pin | None = None
    ask_pin: Names = ()
    wrong_pin: Names = ()
    max_members: int = Field(default=32, ge=2, le=MEMBERS_MOST)
    music: str | None = None


class Supervisor(Model):
    """What an extension may do with calls of `agents` (all of them, unless told): `monitor` hears both sides and is
    heard by nobody, `whisper` is heard by the agent alone, `barge` by both."""

    agents: Names | None = None
    modes: Annotated[tuple[Mode, ...], OneOrMany] = Field(("monitor", "whisper", "barge"), min_length=1)


class Supervision(Model):
    """Who may listen to agents' calls: extensions. `beep` is the prompt that the agent, and he alone, hears when that
    begins; without it he hears nothing."""

    beep: str | None = None
    supervisors: dict[str, Supervisor] = Field(default_factory=dict)
