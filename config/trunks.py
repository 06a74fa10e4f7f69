"""Trunks: carriers and other PBXs, in and out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from config.calls import Reliable
from config.fields import Codecs, Expected, Network, OneOrMany, SipUri
from config.media import Dtmf, OnSilence, OwnSilence, OwnSrtp
from config.model import Login, Model
from config.registration import RegisterText

_HEADER = "a header name that begins with X-, as X-Order; or User-to-User, Priority, Accept-Language"
_NAMES = r"[Xx]-[A-Za-z0-9-]+|User-to-User|Priority|Accept-Language"
HeaderPattern = Annotated[
    str, Field(pattern=rf"^([Xx]-[A-Za-z0-9-]*\*|{_NAMES})$"), Expected(f"{_HEADER}; or X-Order* for all that begin so")
]
HeaderName = Annotated[str, Field(pattern=rf"^({_NAMES})$"), Expected(_HEADER)]
Domain = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]+$"), Expected("a host, as sip.carrier.example")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,500}$"), Expected("a line of text")]


class Gateway(Model):
    """One way to a trunk. The lowest `priority` that works comes first; among equals calls are shared by `weight`."""

    uri: SipUri
    priority: int = Field(default=0, ge=0, le=65_535)
    weight: int = Field(default=1, ge=0, le=65_535)


def _gateway(value: Any) -> Any:
    return {"uri": value} if isinstance(value, str) else value


GatewayText = Annotated[Gateway, BeforeValidator(_gateway, json_schema_input_type=str | Gateway)]


class HeaderRules(Model):
    """Which headers pass (`X-Order*`), which of those do not after all, and which are added to every INVITE."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    passes: Annotated[tuple[HeaderPattern, ...], OneOrMany] = Field((), alias="pass")
    drop: Annotated[tuple[HeaderPattern, ...], OneOrMany] = ()


class LeavingRules(HeaderRules):
    set: dict[HeaderName, HeaderValue] = Field(default_factory=dict)


class TrunkHeaders(Model):
    """What crosses between this trunk and the others: `in` with its calls to us, `out` with our calls to it. Nothing
    crosses that is not named."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    entering: HeaderRules = Field(HeaderRules(), alias="in")
    leaving: LeavingRules = Field(LeavingRules(), alias="out")


class Trunk(Model):
    """A carrier or another PBX. Calls from its addresses (`from`), from where it registered, or by TLS with a
    certificate for `tls_name` are its calls, at most `calls_per_s` of them. Calls to it go to its `gateway` or the best
    of its `gateways`, which are asked with OPTIONS every `probe_s` seconds (0: never) whether they live: `down_after`
    failures in a row take one out, `up_after` answers bring it back. While another is left, one that says nothing to a
    call for `try_s` is given up. A `trusted` one is believed who calls, and told who calls and who forwarded even if
    the caller wants to be unknown; `domain` is the host that it wants to see behind our numbers. `record`:
    its calls are recorded, in and out, from the answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    sources: Annotated[tuple[Network, ...], OneOrMany] = Field((), alias="from")
    gateway: SipUri | None = None
    gateways: tuple[GatewayText, ...] = Field((), max_length=20)
    probe_s: float = Field(default=30, ge=0)
    down_after: int = Field(default=2, ge=1, le=100)
    up_after: int = Field(default=2, ge=1, le=100)
    try_s: float = Field(default=4, gt=0, le=32)
    login: Login | None = None
    registers_as: Login | None = None
    registration: RegisterText = Field(default=None, alias="register")
    caller_id: str | None = None
    max_calls: int | None = Field(default=None, ge=1)
    calls_per_s: float | None = Field(default=None, gt=0)
    refer: bool = False
    redirects: Literal["follow", "refuse"] = "refuse"
    reliable_provisional: Reliable | None = None
    trusted: bool = False
    domain: Domain | None = None
    headers: TrunkHeaders = TrunkHeaders()
    codecs: Codecs | None = None
    srtp: OwnSrtp = None
    dtmf: Dtmf = "auto"
    silent_after_s: OwnSilence = None
    on_silence: OnSilence | None = None
    record: bool = False
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
