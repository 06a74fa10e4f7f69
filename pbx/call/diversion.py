"""What a call's history adds to the INVITEs it makes: who forwarded it (RFC 5806, RFC 7044), who transferred it
(RFC 3892)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pbx.sip.grammar import escape
from pbx.sip.uri import USER_ALLOWED

MOST_FORWARDS: Final = 5  # of one call: what forwards more often goes in a circle that we don't see


class Diversion(NamedTuple):
    """One forward."""

    number: str  # who forwarded
    reason: str  # as in RFC 5806: unconditional, user-busy, no-answer, unavailable, deflection, do-not-disturb


#: RFC 7044 10.2 takes the cause from the response that the forward stands for (RFC 3326).
_CAUSES: Final = {
    "unconditional": 302, "user-busy": 486, "no-answer": 408, "unavailable": 480, "deflection": 302,
    "do-not-disturb": 486,
}  # fmt: skip


def invite_headers(diversions: Sequence[Diversion], referred_by: str, uri: str, host: str) -> str:
    """The header lines for an INVITE to `uri`; `host` is written behind the numbers, so that the peer learns no address
    but its own."""
    host = f"[{host.partition('%')[0]}]" if ":" in host else host
    lines = f"Referred-By: <sip:{escape(referred_by, USER_ALLOWED)}@{host}>\r\n" if referred_by else ""
    if not diversions:
        return lines
    uris = [f"sip:{escape(one.number, USER_ALLOWED)}@{host}" for one in diversions]
    for one, who in zip(reversed(diversions), reversed(uris), strict=True):  # 5806 4: the last on top
        lines += f'Diversion: <{who}>;reason={one.reason};counter=1\r\n'
    # 7044 9.2: an entry for each target in turn; the cause stands with the target that it led to, and tells why.
    index = "1"
    history = [f"<{uris[0]}>;index=1"]
    for one, who in zip(diversions, (*uris[1:], uri.partition("?")[0]), strict=True):
        index += ".1"
        history.append(f"<{who};cause={_CAUSES.get(one.reason, 302)}>;index={index};mp={index[:-2]}")
    return f"{lines}History-Info: {', '.join(history)}\r\n"
