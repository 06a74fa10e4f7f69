"""Via (RFC 3261 20.42, 18.2; RFC 3581): where a request came from and where its responses go.

`Via` is the value; `branch_of`, `via_stamp`, `reply_to` do the same on text, for the hot path (tests hold them equal).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pbx.sip.errors import BadMessage
from pbx.sip.grammar import (
    HOST,
    PARAM,
    TOKEN,
    WS,
    Params,
    format_params,
    param,
    parse_params,
    split_values,
    with_param,
    without_params,
)

MAGIC: Final = "z9hG4bK"  # RFC 3261 8.1.1.7: a branch that begins so is unique and names the transaction

_VIA = re.compile(
    rf"{WS}SIP{WS}/{WS}2\.0{WS}/{WS}({TOKEN})[ \t]++({HOST})(?>(?:{WS}:{WS}([0-9]{{1,5}}))?)(?=[ \t]*+(?:;|\Z))",
    re.IGNORECASE,
)
_GOOD = re.compile(rf"SIP/2\.0/{TOKEN} {HOST}(?>(?::[0-9]{{1,5}})?)(?>(?:{PARAM})+)", re.IGNORECASE)
_BRANCH = re.compile(r";branch=([^;,\s=\"]++)(?=[;,]|\Z)")
_SIMPLE = re.compile(r"[^ ]++ (\[[^\]]*+\]|[^\s:;,\"]++)(?>(?::([0-9]{1,5}))?);([^\s,\"]*+)\Z")


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value."""

    transport: str  # UDP, TCP, TLS ... upper case
    host: str  # of sent-by; IPv6 in brackets
    port: int | None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        found = _VIA.match(text)
        if found is None:
            raise BadMessage(f"bad Via {text[:60]!r}")
        port = int(found[3]) if found[3] else None
        if port is not None and not 0 < port < 65536:
            raise BadMessage("Via port out of range")
        return cls(found[1].upper(), found[2], port, parse_params(text, found.end()))

    @property
    def branch(self) -> str | None:
        return param(self.params, "branch")

    @property
    def received(self) -> str | None:
        return param(self.params, "received")

    @property
    def rport(self) -> int | None:
        """The port the request came from, None if absent or not yet filled in."""
        value = param(self.params, "rport")
        return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 5 else None

    @property
    def wants_rport(self) -> bool:
        return param(self.params, "rport") is not None

    def stamped(self, src_host: str, src_port: int) -> Via:
        """As a server must note where the request really came from (RFC 3261 18.2.1, RFC 3581 4)."""
        params = without_params(self.params, ("received",))
        if self.wants_rport:
            params = with_param(params, "rport", str(src_port))
        if self.wants_rport or _bare(self.host) != src_host:
            params = (*params, ("received", src_host))
        return Via(self.transport, self.host, self.port, params)

    def reply_to(self, src_host: str, src_port: int) -> tuple[str, int]:
        """Where responses go over UDP (RFC 3261 18.2.2, RFC 3581 4). `maddr` is not followed: it would let a
        stranger aim our responses at others; the source address is always right for a unicast request."""
        return src_host, src_port if self.wants_rport else self.port or (5061 if self.transport == "TLS" else 5060)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{format_params(self.params)}"


def validate_via(text: str) -> None:
    """Refuse a Via header line with a value that is none (RFC 4475 3.1.2.1)."""
    if _GOOD.fullmatch(text):
        return
    values = split_values(text)
    if not values:
        raise BadMessage("empty Via")
    for value in values:
        Via.parse(value)


_TOP = re.compile(rb"\r?\n(?:via|v)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


def top_via(message: bytes) -> Via:
    """The topmost Via of a message not otherwise read. Raises BadMessage."""
    found = _TOP.search(message)
    values = split_values(found[1].decode("utf-8", "surrogateescape")) if found else None
    if not values:
        raise BadMessage("no Via")
    return Via.parse(values[0])


def with_via(message: bytes, via: Via) -> bytes:
    """A request of ours, whose one Via this takes the place of."""
    found = _TOP.search(message)
    assert found is not None
    return message[: found.start(1)] + str(via).encode() + message[found.end(1) :]


def branch_of(via: str) -> str | None:
    """The branch of a Via value, None if it has none."""
    found = _BRANCH.search(via)
    if found is not None and '"' not in via:
        return found[1]
    if ";" not in via:
        return None
    return Via.parse(split_values(via)[0]).branch


def via_stamp(via: str, src_host: str, src_port: int) -> str:
    """The Via value with `received` and `rport` as a server must add them (RFC 3261 18.2.1, RFC 3581 4)."""
    if "%" in src_host:  # its zone is ours alone (RFC 4007 11)
        src_host = src_host.partition("%")[0]
    found = _SIMPLE.match(via)
    if found is None or "received" in (params := found[3]):
        return str(Via.parse(via).stamped(src_host, src_port))
    if "rport" not in params:
        if "RPORT" in params.upper():
            return str(Via.parse(via).stamped(src_host, src_port))
        return via if _bare(found[1]) == src_host else f"{via};received={src_host}"
    head, mark, tail = via.partition(";rport")
    if not mark or (tail and tail[0] != ";") or ";rport" in tail:
        return str(Via.parse(via).stamped(src_host, src_port))
    return f"{head};rport={src_port}{tail};received={src_host}"


def reply_to(via: str, src_host: str, src_port: int) -> tuple[str, int]:
    """(host, port) that responses to this request go to over UDP; see `Via.reply_to`."""
    if ";rport" in via:
        tail = via.partition(";rport")[2]
        if not tail or tail[0] in ";=":
            return src_host, src_port
    found = _SIMPLE.match(via)
    if found is not None and via.startswith("SIP/2.0/UDP ") and "RPORT" not in found[3].upper():
        port = int(found[2] or 5060)
        if 0 < port < 65536:
            return src_host, port
    return Via.parse(via).reply_to(src_host, src_port)


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") else host
