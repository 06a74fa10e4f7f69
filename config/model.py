"""What every part of the site file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from config.fields import Secret


class Model(BaseModel):
    """A frozen part of the site; a key nobody knows is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Login(Model):
    username: str
    password: Secret
