"""What a call's history adds to the INVITEs it makes: who forwarded it (RFC 5806, RFC 7044), who transferred it
(RFC 3892)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pbx.call import history_info
from pbx.call.history_info import Entry
from pbx.call.history_info import Forward as Diversion
from pbx.sip.grammar import escape
from pbx.sip.uri import USER_ALLOWED

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.targets import Target

__all__ = ["MOST_FORWARDS", "Diversion", "invite_headers", "with_history"]

MOST_FORWARDS: Final = 5  # of one call: what forwards more often goes in a circle that we don't see


def with_history(call: Call, target: Target) -> Target:
    """The target with what the call's history adds to its INVITE, if the peer may know."""
    targets = call.switch.targets
    past = targets.past(call)
    before, own = targets.forwards(call, target)
    if not target.history or not (before or own or past or call.referred_by):
        return target
    referred_by = targets.known_as(call.referred_by, target)
    lines = invite_headers(
        [*before, *own], referred_by, target.uri, target.hop.host, past, own if past else None,
        hide=target.trunk is None,
    )  # fmt: skip
    fallback = None if target.fallback is None else with_history(call, target.fallback)
    return replace(target, headers=target.headers + lines, fallback=fallback)


def invite_headers(
    diversions: Sequence[Diversion], referred_by: str, uri: str, host: str, past: Sequence[Entry] = (),
    own: Sequence[Diversion] | None = None, *, hide: bool = True,
) -> str:  # fmt: skip
    """The header lines for an INVITE to `uri`; `host` is written behind the numbers, so that the peer learns no address
    but its own. `own`: the diversions that `past`, the history that came in, does not tell of; None: all."""
    host = f"[{host}]" if ":" in host else host
    lines = f"Referred-By: <sip:{escape(referred_by, USER_ALLOWED)}@{host}>\r\n" if referred_by else ""
    for one in reversed(diversions):  # 5806 4: the last on top
        lines += f"Diversion: <sip:{escape(one.number, USER_ALLOWED)}@{host}>;reason={one.reason};counter=1\r\n"
    return lines + history_info.line(past, diversions if own is None else own, uri, host, hide=hide)
