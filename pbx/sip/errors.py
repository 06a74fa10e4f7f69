"""Errors of the SIP core.

    SipError                 carries the status to answer with; None: nothing can or may be answered, drop and count
    |-- BadMessage           400 (or another 4xx/5xx): the peer's message can't be taken
    |-- BadResponse          None: a malformed response is dropped (RFC 3261 18.1.2, RFC 4475 3.1.2.5)
    |-- BadUri               400, or 416 for a scheme we don't speak
    |-- BadCredentials       400: an Authorization header that can't be read
    +-- TransactionGone      None: the transaction or dialog ended before this could be done
"""

from __future__ import annotations


class SipError(Exception):
    """Something a peer sent can't be served: `status` is the final response to give, None to drop."""

    default_status: int | None = 400

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.warning = ""  # a Warning line to answer with (RFC 3261 20.43)
        self.message: object = None  # the request, as far as it could be read
        self.status = self.default_status if status is None else status


class BadMessage(SipError):
    """A request that can't be taken."""


class BadResponse(SipError):
    """A response that can't be taken: dropped."""

    default_status = None


class BadUri(SipError):
    """A URI that can't be read (400) or whose scheme is unknown (416)."""


class BadCredentials(SipError):
    """An Authorization header that can't be read."""


class TransactionGone(SipError):
    """The transaction or dialog is over."""

    default_status = None
