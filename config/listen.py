"""The site's sockets: where SIP and HTTP are served, and how they are secured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.fields import (
    DigestAlgorithm,
    HostPortText,
    ListenerText,
    Name,
    NameserverText,
    Network,
    OneOrMany,
    Origin,
    Seconds,
)
from config.model import Model


class Certificate(Model):
    """A certificate with the chain below it, and its private key: PEM files, relative to the site file. The key may
    stand in the certificate's file."""

    certificate: str
    key: str | None = None


class Tls(Model):
    """What encrypted SIP (`tls`, `wss`) shows and asks for. `names`: other certificates for those who call us by
    another host name (SNI). `ca`: who signs the servers we call; `client_ca`: who signs the peers that call us. Without
    them: whom the system trusts. Read again on SIGHUP; connections that stand are kept. Handshakes of all callers
    together: `handshakes_per_s` may begin, `handshakes_at_once` be under way; more are dropped."""

    certificate: str | None = None
    key: str | None = None
    names: dict[Name, Certificate] = Field(default_factory=dict)
    ca: str | None = None
    client_ca: str | None = None
    client_certificates: Literal["none", "optional", "required"] = "none"
    handshakes_per_s: float = Field(default=300, gt=0)
    handshakes_at_once: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _shows_something(self) -> Tls:
        if self.certificate is None and (self.key or self.names or self.client_certificates != "none"):
            raise ValueError("expected certificate beside key, names or client_certificates")
        return self


class Listen(Model):
    """The sockets. `advertise` is the address peers outside `local_networks` reach us at, when it is not the one we
    listen on (NAT): one for IPv4, one for IPv6, and a host name that stands for both. `digest`: the algorithms that
    phones are asked for, in that order (RFC 8760). A request above `udp_max_bytes` goes by TCP (RFC 3261 18.1.1).
    Registered phones are asked with OPTIONS every `qualify_s` seconds whether they are there (0: never)."""

    sip: Annotated[tuple[ListenerText, ...], OneOrMany] = Field(min_length=1)
    http: HostPortText | None = None
    advertise: Annotated[tuple[str, ...], OneOrMany] = ()
    local_networks: Annotated[tuple[Network, ...], OneOrMany] | None = None
    nameservers: Annotated[tuple[NameserverText, ...], OneOrMany] = ()
    tls: Tls | None = None
    origins: Annotated[tuple[Origin, ...], OneOrMany] = ()
    digest: Annotated[tuple[DigestAlgorithm, ...], OneOrMany] = Field(("MD5",), min_length=1)
    qualify_s: float = Field(default=0, ge=0)
    udp_max_bytes: int = Field(default=1300, ge=500, le=65_000)
    idle_s: Seconds = 900
    max_connections: int = Field(default=10_000, ge=1)
    max_connections_per_address: int = Field(default=100, ge=1)
