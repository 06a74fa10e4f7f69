"""Why a call ends, as SIP says it (RFC 3326): what we tell, and what a peer told, to be passed on."""

from __future__ import annotations

import re
from typing import Final

from pbx.sip.message import Message

CLEARED: Final = 'Q.850;cause=16;text="Normal call clearing"'
ELSEWHERE: Final = 'SIP;cause=200;text="Call completed elsewhere"'
SILENT: Final = 'Q.850;cause=102;text="No media received"'
EXPIRED: Final = 'SIP;cause=408;text="Session expired"'

_LONGEST: Final = 200  # characters of a Reason that is passed on
_CAUSE = re.compile(r"\s*([A-Za-z0-9.]{1,16})\s*;.*?\bcause\s*=\s*([0-9]{1,3})\b", re.IGNORECASE)
_USUAL: Final = frozenset(("Q.850 16", "Q.850 31", "SIP 200", "SIP 487"))


def reason_of(message: Message) -> str:
    """The Reason of a BYE or CANCEL as it may be passed on: without its text, in which peers write their names and
    addresses; "" when there is none that could be one."""
    value = message.get("Reason")
    found = _CAUSE.match(value) if value is not None and len(value) <= _LONGEST else None
    return "" if found is None else f"{found[1]};cause={found[2]}"


def in_words(reason: str) -> str:
    """A Reason that is worth a place in a call's record, as " (Q.850 41)"; "" for a usual end."""
    found = _CAUSE.match(reason)
    if found is None or (cause := f"{found[1].upper()} {found[2]}") in _USUAL:
        return ""
    return f" ({cause})"
