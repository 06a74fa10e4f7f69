"""Errors of session descriptions.

    SdpError                 `status` is the SIP response to give, `reason` says why
    |-- BadSdp               400: the text can't be read
    +-- NotAcceptable        488: read, but there is nothing in it that we can do
        +-- NoCommonCodec    488: audio, in codecs we don't have
"""

from __future__ import annotations


class SdpError(Exception):
    """A session description that can't be served."""

    status = 400

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadSdp(SdpError):
    """Text that is no session description."""


class NotAcceptable(SdpError):
    """A description without a stream that we could take."""

    status = 488


class NoCommonCodec(NotAcceptable):
    """Audio in codecs that we don't have."""
