"""What the plane does for security: tells new workers what there will be, and legs what came of it."""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import structlog

from media import records
from media.plane import MediaError, MediaPort
from media.records import Event
from media.security import OwnCertificate, SecurityPolicy, srtp_missing

log = structlog.get_logger("media")

_REASONS = {
    1: "no SRTP, or not this suite",
    2: "the handshake failed",
    3: "the peer showed another certificate than its description says",
    4: "the handshake took too long",
}
_COUNTERS = {3: "media_wrong_certificates", 4: "media_handshakes_too_late"}


class Send(Protocol):
    def __call__(self, record: bytes, descriptor: int = -1) -> None: ...


class PlaneSecurity:
    """`policy` None: the site has no SRTP."""

    def __init__(self, policy: SecurityPolicy | None, counters: Counter[str]) -> None:
        self._policy, self._counters = policy, counters
        self._certificate = None if policy is None else OwnCertificate.make()
        self.told: dict[int, Callable[[MediaPort, Event], None]] = {
            records.SECURED: self._secured,
            records.INSECURE: self._insecure,
        }

    @property
    def fingerprint(self) -> str:
        """Ours, as SDP writes it; empty without SRTP."""
        return "" if self._certificate is None else self._certificate.fingerprint

    def check(self) -> None:
        """Raises MediaError, with what is to be installed, if the site wants what the machine can't do."""
        if self._policy is not None and (missing := srtp_missing()) is not None:
            raise MediaError(missing)

    def upload(self, send: Send) -> None:
        """What a new process must know."""
        if self._policy is None or self._certificate is None:
            return
        settings = {
            "certificate": self._certificate.pem.decode(),
            "ciphers": list(self._policy.ciphers),
            "suites": list(self._policy.suites),
            "handshake_s": self._policy.handshake_s,
        }
        descriptor = os.memfd_create("handshakes", os.MFD_CLOEXEC)  # the key is never on a disk
        with open(descriptor, "wb", closefd=False) as file:
            file.write(json.dumps(settings).encode())
        send(records.security(), descriptor)

    def name(self, port: MediaPort) -> None:
        """Give a fresh lease its ICE credentials: 24 and 132 random bits (RFC 8839 5.4)."""
        if self._certificate is not None:
            port.ice_ufrag, port.ice_pwd = secrets.token_urlsafe(3), secrets.token_urlsafe(17)[:22]
            port.ice_ufrag = port.ice_ufrag.replace("-", "+").replace("_", "/")
            port.ice_pwd = port.ice_pwd.replace("-", "+").replace("_", "/")

    def _secured(self, port: MediaPort, event: Event) -> None:
        self._counters["media_handshakes"] += 1
        if port.on_secure is not None:
            port.on_secure(True)

    def _insecure(self, port: MediaPort, event: Event) -> None:
        reason = event.argument
        self._counters["media_insecure"] += 1
        if reason in _COUNTERS:
            self._counters[_COUNTERS[reason]] += 1
        log.warning("the sound of a call can't be secured", port=port.number, reason=_REASONS.get(reason, ""))
        if port.on_secure is not None:
            port.on_secure(False)
