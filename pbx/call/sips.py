"""SIPS: who calls by it is not overheard between us and our neighbours (RFC 3261 12.1.1, 26.2.2; RFC 5630)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pbx.sip.address import uri_of
from pbx.sip.errors import SipError
from pbx.sip.message import Request

if TYPE_CHECKING:
    from pbx.call.targets import Target

NOT_ALLOWED: Final = 'Warning: 380 plateau "SIPS Not Allowed"\r\n'  # RFC 5630 5.1.1.2


def is_sips(uri: str) -> bool:
    return uri[:5].lower() == "sips:"


def asked_by(request: Request) -> str:
    """Of the URIs that decide whether our Contact is to be SIPS, the one that is; else the Request-URI (12.1.1)."""
    if is_sips(request.uri):
        return request.uri
    name = "Contact" if request.get("Record-Route") is None else "Record-Route"
    values = request.values(name)
    try:
        uri = uri_of(values[0]) if values else ""
    except SipError:
        return request.uri
    return uri if is_sips(uri) else request.uri


def kept(target: Target, *, call_is_sips: bool) -> Target | None:
    """A target without the hops that may not be used for it: one that is SIPS, or is called by a SIPS call, is reached
    by TLS or not at all. Behind a Path there are more hops, which TLS to the first one says nothing of."""
    fallback = None if target.fallback is None else kept(target.fallback, call_is_sips=call_is_sips)
    itself = is_sips(asks_of(target))
    if not (itself or call_is_sips):
        return target if fallback is target.fallback else replace(target, fallback=fallback)
    hops = [hop for hop in (target.hop, *target.alternatives) if hop.secure]
    if not hops or (call_is_sips and target.route and not itself):
        return fallback
    return replace(target, hop=hops[0], alternatives=tuple(hops[1:]), fallback=fallback)


def asks_of(target: Target) -> str:
    """The URI that decides whether our Contact to a target is SIPS: the top Route, or the Request-URI (8.1.1.8)."""
    if target.route and not is_sips(target.uri):
        return uri_of(target.route[0])
    return target.uri
