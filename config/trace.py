"""Seeing SIP: what the server remembers of its messages, and who is sent copies of them."""

from __future__ import annotations

from pydantic import Field, model_validator

from config.fields import HostPortText, Secret
from config.model import Model


class Homer(Model):
    """A Homer server (HEPv3 by UDP) that gets a copy of every SIP message. `capture_id` is this site's number there."""

    address: HostPortText
    capture_id: int = Field(default=2001, ge=0, le=0xFFFF_FFFF)
    password: Secret | None = None


class Trace(Model):
    """The last SIP messages, kept in memory for `plateau trace` and call ladders: so many minutes, and so much memory
    at most. 0 keeps none."""

    minutes: float = Field(default=10, ge=0, le=1440)
    megabytes: float = Field(default=32, ge=0, le=4096)
    homer: Homer | None = None

    @property
    def on(self) -> bool:
        return self.minutes > 0 and self.megabytes > 0

    @model_validator(mode="after")
    def _homer_reads_the_ring(self) -> Trace:
        if self.homer is not None and not self.on:
            raise ValueError("expected minutes and megabytes above 0: what homer gets is taken from there")
        return self
