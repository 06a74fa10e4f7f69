"""Header names: compact forms, canonical spelling, and which may stand only once (RFC 3261 7.3, 20)."""

from __future__ import annotations

COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
    "y": "Identity",
}  # fmt: skip

KNOWN = (
    *COMPACT.values(), "Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Authentication-Info",
    "Authorization", "CSeq", "Call-Info", "Content-Disposition", "Content-Language", "Date", "Diversion", "Error-Info",
    "Expires", "History-Info", "In-Reply-To", "MIME-Version", "Max-Forwards", "Min-Expires", "Min-SE", "Organization",
    "P-Asserted-Identity", "P-Preferred-Identity", "Path", "Priority", "Privacy", "Proxy-Authenticate",
    "Proxy-Authorization", "Proxy-Require", "RAck", "RSeq", "Reason", "Record-Route", "Remote-Party-ID", "Replaces",
    "Reply-To", "Require", "Retry-After", "Route", "Server", "Service-Route", "Subscription-State", "Timestamp",
    "Unsupported", "User-Agent", "User-to-User", "WWW-Authenticate", "Warning",
)  # fmt: skip

_BY_LOWER = {name.lower(): name for name in KNOWN} | COMPACT

#: As received -> canonical, for the spellings that real peers send: one dict look-up on the hot path.
CANONICAL: dict[str, str] = {
    spelling: name for lower, name in _BY_LOWER.items() for spelling in (lower, lower.upper(), lower.title(), name)
}

SINGLE = frozenset(
    ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires", "Date")
)  # fmt: skip


def canonical(name: str) -> str:
    """The canonical spelling of a header name; a name nobody knows stays as it was received."""
    return CANONICAL.get(name) or _BY_LOWER.get(name.lower(), name)
