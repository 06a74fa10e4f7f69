"""What we and a peer can do, as SIP says it: option tags and methods (RFC 3261 19.2, 20.5, 20.32, 20.37)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pbx.sip.message import Message

RELIABLE: Final = "100rel"  # RFC 3262
TIMER: Final = "timer"  # RFC 4028

#: What means something to the registrar alone (RFC 3327, RFC 5626), and what a request may require of us.
OF_REGISTRATION: Final = frozenset(("path", "outbound"))
SUPPORTED: Final = frozenset((RELIABLE, TIMER, "replaces", "norefersub", "tdialog")) | OF_REGISTRATION

#: The methods of a peer that change what we send it.
_MINDED: Final = frozenset(("UPDATE", "INFO", "REFER", "MESSAGE", "NOTIFY"))
_NONE: Final[frozenset[str]] = frozenset()


@lru_cache(maxsize=256)
def _tokens(value: str) -> frozenset[str]:
    return frozenset(token for part in value.split(",") if (token := part.strip().lower()))


@lru_cache(maxsize=256)
def _methods(value: str) -> frozenset[str]:
    return frozenset(part.strip() for part in value.split(",")) & _MINDED


def options_of(message: Message, name: str) -> frozenset[str]:
    """The option tags in Supported, Require or Unsupported."""
    if message.get(name) is None:
        return _NONE
    return _tokens(",".join(message.all(name)))


def methods_of(message: Message) -> frozenset[str] | None:
    """Which of the methods that we mind the peer allows; None when it says nothing."""
    if message.get("Allow") is None:
        return None
    return _methods(",".join(message.all("Allow")))
