"""Registrations of phones and trunks: for how long, how many, and how their connections are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from config.model import Model


class Registration(Model):
    """How long a registration holds (RFC 3261 10.3): what a phone asks for, not less than `min_s` and cut at `max_s`;
    `default_s` when it asks for nothing. `at_limit`: what becomes of one contact more than `max_contacts`. `outbound`:
    several connections of one phone are kept apart (RFC 5626)."""

    min_s: int = Field(60, ge=1, le=3600)
    max_s: int = Field(3600, ge=60, le=604_800)
    default_s: int = Field(3600, ge=60, le=604_800)
    at_limit: Literal["replace oldest", "refuse"] = "replace oldest"
    outbound: bool = True

    @model_validator(mode="after")
    def _in_order(self) -> Registration:
        if not self.min_s <= self.default_s <= self.max_s:
            raise ValueError("expected min_s <= default_s <= max_s")
        return self
