"""Registrations: of phones and trunks here, for how long and how many; and ours at carriers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from config.fields import Expected, OneOrMany, SipUri
from config.model import Model

_USER = "the user of a SIP address, as 33180000000"
_LOOSE = "sip:HOST;lr, the address of a proxy"
LooseRoute = Annotated[str, Field(pattern=r"^sips?:[^\s<>,]+;lr(;[^\s<>,]*)?$"), Expected(_LOOSE)]


class Registration(Model):
    """How long a registration holds (RFC 3261 10.3): what a phone asks for, not less than `min_s` and cut at `max_s`;
    `default_s` when it asks for nothing. `at_limit`: what becomes of one contact more than `max_contacts`. `outbound`:
    several connections of one phone are kept apart (RFC 5626). `service_route`: the proxies through which phones are to
    call (RFC 3608)."""

    min_s: int = Field(default=60, ge=1, le=3600)
    max_s: int = Field(default=3600, ge=60, le=604_800)
    default_s: int = Field(default=3600, ge=60, le=604_800)
    at_limit: Literal["replace oldest", "refuse"] = "replace oldest"
    outbound: bool = True
    service_route: Annotated[tuple[LooseRoute, ...], OneOrMany] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Registration:
        if not self.min_s <= self.default_s <= self.max_s:
            raise ValueError("expected min_s <= default_s <= max_s")
        return self


class Register(Model):
    """How Plateau registers at a carrier. `every_s`: what it asks for; the carrier may say otherwise. `user`: the
    account's number, when the login has another name. `contact_user`: what the carrier is to call us by. `registrar`:
    where, when it is not the gateway."""

    every_s: int = Field(default=600, ge=60, le=86_400)
    user: Annotated[str, Field(pattern=r"^[^\s@<>\"]+$"), Expected(_USER)] | None = None
    contact_user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.!~*'()&=+$,;?/-]+$"), Expected(_USER)] | None = None
    registrar: SipUri | None = None


def _register(value: Any) -> Any:
    """`register: true` is all that most carriers need."""
    if isinstance(value, str | bool):
        text = str(value).lower()
        return {} if text in ("true", "yes", "on") else None if text in ("false", "no", "off") else value
    return value


RegisterText = Annotated[
    Register | None,
    BeforeValidator(_register, json_schema_input_type=bool | Register | None),
    Expected("true, or how to register: every_s, user, contact_user, registrar"),
]
