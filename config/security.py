"""The site's defence: how much one source may ask for, what it is banned for, when calls are shed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.fields import Network, OneOrMany, Seconds
from config.model import Model

Networks = Annotated[tuple[Network, ...], OneOrMany]


class SourceRate(Model):
    """Requests outside dialogs (INVITE, REGISTER, OPTIONS ...) of one address that is no trunk and no proxy."""

    requests_per_s: float = Field(default=50, gt=0)
    burst: int = Field(default=500, ge=1)


class CallRate(Model):
    """Calls of one extension."""

    calls_per_s: float = Field(default=5, gt=0)
    burst: int = Field(default=20, ge=1)


class Ban(Model):
    """When an address is sent away: `after` wrong passwords at once (one counts half after `within_s`), or `names`
    users asked for without proving to be one. The first ban lasts `for_s`, each further one twice as long, `at_most_s`
    at most. Where phones are registered (an office behind one address), `registered_factor` times as much is borne."""

    after: int = Field(default=10, ge=1)
    within_s: Seconds = 60
    names: int = Field(default=50, ge=1, le=10_000)
    for_s: Seconds = 600
    at_most_s: Seconds = 86_400
    registered_factor: float = Field(default=5, ge=1)


class Shedding(Model):
    """New calls are refused while requests wait longer than `target_delay_s` to be read."""

    target_delay_s: float = Field(default=0.1, ge=0.01, le=1)


class Security(Model):
    """What the server bears from whom. `proxies` are trusted neighbours that many phones come by: they have no limit
    and are told of overload (RFC 7339); `never_ban` only says who is not banned. Trunks' addresses never are."""

    per_source: SourceRate = SourceRate()
    per_extension: CallRate = CallRate()
    ban: Ban = Ban()
    overload: Shedding = Shedding()
    never_ban: Networks = ()
    proxies: Networks = ()
    scanners: Annotated[tuple[str, ...], OneOrMany] = ()
