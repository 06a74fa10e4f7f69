"""Errors of session descriptions.

    SdpError                 `status` is the SIP response to give, `reason` says why
    |-- BadSdp               400: the text can't be read
    +-- NotAcceptable        488: read, but there is nothing in it that we can do
        |-- NoCommonCodec    488: audio, in codecs we don't have
        +-- NotSecure        488: SRTP where there must be none, or none where there must be
"""

from __future__ import annotations


class SdpError(Exception):
    """A session description that can't be served."""

    status = 400
    warning = 0  # code of the Warning to give with it (RFC 3261 20.43); 0: none

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadSdp(SdpError):
    """Text that is no session description."""


class NotAcceptable(SdpError):
    """A description without a stream that we could take."""

    status = 488
    warning = 304


class NoCommonCodec(NotAcceptable):
    """Audio in codecs that we don't have."""

    warning = 305


class NotSecure(NotAcceptable):
    """Not the security that the site wants for this peer."""

    warning = 302
