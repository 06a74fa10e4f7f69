"""Trunks: carriers and other PBXs, in and out."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from config.fields import Network, OneOrMany, SipUri
from config.model import Login, Model


class Trunk(Model):
    """A carrier or another PBX. Calls from its addresses (`from`), or from where it registered, are its calls."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    sources: Annotated[tuple[Network, ...], OneOrMany] = Field((), alias="from")
    gateway: SipUri | None = None
    login: Login | None = None
    registers_as: Login | None = None
    caller_id: str | None = None
    max_calls: int | None = Field(None, ge=1)
    calls_per_s: float | None = Field(None, gt=0)
    tls_name: Annotated[tuple[str, ...], OneOrMany] = ()

    @model_validator(mode="after")
    def _reachable(self) -> Trunk:
        if not self.sources and not self.gateway and not self.registers_as:
            raise ValueError("expected at least one of: from, gateway, registers_as")
        return self
