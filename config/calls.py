"""Calls: how their signalling is kept up, and what who is held hears."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from config.model import Model

Reliable = Literal["supported", "required", "off"]
MIN_SESSION_S = 90  # RFC 4028 4: no session interval may be shorter


class SessionTimer(Model):
    """Each side of a call is asked now and then whether it is still there (RFC 4028): at half of `expires_s`. Who
    wants to be asked more often than each `min_s` is refused. `expires_s: 0` asks nobody."""

    expires_s: int = Field(default=1800, ge=0, le=86_400)
    min_s: int = Field(default=MIN_SESSION_S, ge=MIN_SESSION_S, le=86_400)

    @model_validator(mode="after")
    def _in_order(self) -> SessionTimer:
        if self.expires_s and self.expires_s < self.min_s:
            raise ValueError(f"expected expires_s to be 0 or at least min_s ({self.min_s})")
        return self


class Calls(Model):
    """`hold`: who is held hears our music (`music`), or the wish to hold is passed to his phone (`pass`). `hold_music`
    is the prompt; unless told, the one that is called `music`, if there is one. `reliable_provisional`: whether
    ringing and early media are acknowledged (RFC 3262)."""

    session_timer: SessionTimer = SessionTimer()
    reliable_provisional: Reliable = "supported"
    hold: Literal["music", "pass"] = "music"
    hold_music: str | None = None
