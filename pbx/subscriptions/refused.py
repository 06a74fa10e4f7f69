"""What SUBSCRIBE and PUBLISH have in common: how long something shall live, and how a request is refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pbx.sip.errors import SipError
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.switch import Switch

LEAST_S: Final = 60
MOST_S: Final = 7200


class Refused(SipError):
    """Ends the processing with a status and header lines."""

    def __init__(self, status: int, headers: str = "") -> None:
        super().__init__("", status)
        self.headers = headers


def refuse(
    error: SipError, transaction: ServerTransaction, switch: Switch, counters: Counter[str], counter: str, now: float
) -> None:
    """Answer what could not be done; counted as `counter` with the status behind it."""
    status = error.status or 400
    counters[f"{counter}_{status}"] += 1
    headers = error.headers if isinstance(error, Refused) else ""
    transaction.respond(status, now, to_tag=switch.ids.token(), reason=error.reason or None, headers=headers)


def expires_of(request: Request) -> int | None:
    """What the request asks for, in seconds; None when it leaves it to us."""
    text = request.get("Expires")
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 10 else None


def check_expires(request: Request) -> None:
    """Raises Refused for a time that is too brief (RFC 6665 4.2.1.1, RFC 3903 6): 423."""
    if 0 < (expires_of(request) or 0) < LEAST_S:
        raise Refused(423, f"Min-Expires: {LEAST_S}\r\n")
