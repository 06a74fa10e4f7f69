"""The site's sockets: where SIP and HTTP are served, and how they are secured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.fields import DigestAlgorithm, HostPortText, ListenerText, OneOrMany
from config.model import Model


class Listen(Model):
    """The sockets. `advertise` is the address peers reach us at, when it is not the one we listen on (NAT). `digest`:
    the algorithms that phones are asked for, in that order (RFC 8760)."""

    sip: Annotated[tuple[ListenerText, ...], OneOrMany] = Field(min_length=1)
    http: HostPortText | None = None
    advertise: str | None = None
    digest: Annotated[tuple[DigestAlgorithm, ...], OneOrMany] = Field(("MD5",), min_length=1)
