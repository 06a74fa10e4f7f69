"""Trunks: carriers and other PBXs, in and out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from config.fields import Network, OneOrMany, SipUri
from config.model import Login, Model
from config.registration import RegisterText


class Gateway(Model):
    """One way to a trunk. The lowest `priority` that works comes first; among equals calls are shared by `weight`."""

    uri: SipUri
    priority: int = Field(0, ge=0, le=65_535)
    weight: int = Field(1, ge=0, le=65_535)


def _gateway(value: Any) -> Any:
    return {"uri": value} if isinstance(value, str) else value


GatewayText = Annotated[Gateway, BeforeValidator(_gateway, json_schema_input_type=str | Gateway)]


class Trunk(Model):
    """A carrier or another PBX. Calls from its addresses (`from`), from where it registered, or by TLS with a
    certificate for `tls_name` are its calls, at most `calls_per_s` of them. Calls to it go to its `gateway` or the best
    of its `gateways`, which are asked with OPTIONS every `probe_s` seconds (0: never) whether they live: `down_after`
    failures in a row take one out, `up_after` answers bring it back. While another is left, one that says nothing to a
    call for `try_s` is given up."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    sources: Annotated[tuple[Network, ...], OneOrMany] = Field((), alias="from")
    gateway: SipUri | None = None
    gateways: tuple[GatewayText, ...] = Field((), max_length=20)
    probe_s: float = Field(30, ge=0)
    down_after: int = Field(2, ge=1, le=100)
    up_after: int = Field(2, ge=1, le=100)
    try_s: float = Field(4, gt=0, le=32)
    login: Login | None = None
    registers_as: Login | None = None
    registration: RegisterText = Field(None, alias="register")
    caller_id: str | None = None
    max_calls: int | None = Field(None, ge=1)
    calls_per_s: float | None = Field(None, gt=0)
    refer: bool = False
    redirects: Literal["follow", "refuse"] = "refuse"
    tls_name: Annotated[tuple[str, ...], OneOrMany] = ()

    @model_validator(mode="after")
    def _can_register(self) -> Trunk:
        if self.registration is not None and (self.login is None or not (self.ways or self.registration.registrar)):
            raise ValueError("expected login and a gateway (or register: {registrar: ...}) beside register")
        return self

    @model_validator(mode="after")
    def _reachable(self) -> Trunk:
        if self.gateway and self.gateways:
            raise ValueError("expected either gateway or gateways")
        if not (self.sources or self.ways or self.registers_as or self.tls_name or self.registration):
            raise ValueError("expected at least one of: from, gateway, gateways, register, registers_as, tls_name")
        return self

    @property
    def ways(self) -> tuple[Gateway, ...]:
        """The gateways, however they were written."""
        return self.gateways or ((Gateway(uri=self.gateway),) if self.gateway else ())
