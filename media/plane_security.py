"""What the plane does for security: tells new workers what there will be, and legs what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog

from media import records
from media.plane import MediaError, MediaPort
from media.records import Event
from media.security import srtp_missing

log = structlog.get_logger("media")

_REASONS = {1: "no SRTP, or not this suite"}


class PlaneSecurity:
    """`wanted`: the site has SRTP, so its library must be there."""

    def __init__(self, wanted: bool, counters: Counter[str]) -> None:
        self._wanted, self._counters = wanted, counters
        self.fingerprint = ""
        self.told: dict[int, Callable[[MediaPort, Event], None]] = {
            records.SECURED: self._secured,
            records.INSECURE: self._insecure,
        }

    def check(self) -> None:
        """Raises MediaError, with what is to be installed, if the site wants what the machine can't do."""
        if self._wanted and (missing := srtp_missing()) is not None:
            raise MediaError(missing)

    def upload(self, send: Callable[[bytes], None]) -> None:
        """What a new process must know."""
        if self._wanted:
            send(records.security())

    def _secured(self, port: MediaPort, event: Event) -> None:
        if port.on_secure is not None:
            port.on_secure(True)

    def _insecure(self, port: MediaPort, event: Event) -> None:
        self._counters["media_insecure"] += 1
        log.warning("the sound of a call can't be secured", port=port.number, reason=_REASONS[event.argument])
        if port.on_secure is not None:
            port.on_secure(False)
