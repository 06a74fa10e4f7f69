"""The phones of the house: extensions and what they may do."""

from __future__ import annotations

from pydantic import Field

from config.fields import Names, Secret
from config.model import Model


class Extension(Model):
    """A phone that registers: its key is its number and its user name."""

    password: Secret
    name: str = ""
    caller_id: str | None = None
    max_contacts: int = Field(5, ge=1, le=50)
    qualify_s: float | None = Field(None, ge=0)
    pickup_groups: Names = ()
    picks_up: Names = ()
