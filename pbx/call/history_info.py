"""History-Info (RFC 7044): to whom a request was sent before it came here, one entry a target, oldest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from pbx.sip.address import Address
from pbx.sip.errors import SipError
from pbx.sip.grammar import escape, split_values, unescape
from pbx.sip.uri import USER_ALLOWED, user_of

MOST: Final = 10  # entries that are passed on: the last ones
_INDEX: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,19}")
_CAUSE: Final = re.compile(r"[1-6][0-9]{2}")
_MARKS: Final = ("rc", "mp", "np")  # how the target came about, of which entry
_PRIVATE: Final = frozenset(("history", "header", "session"))  # RFC 7044 10.1.2, RFC 3323 4.2

#: RFC 7044 10.2 takes the cause from the response that the forward stands for (RFC 3326).
_CAUSES: Final = {
    "unconditional": 302, "user-busy": 486, "no-answer": 408, "unavailable": 480, "deflection": 302,
    "do-not-disturb": 486,
}  # fmt: skip


class Entry(NamedTuple):
    """One target. Its host is not kept: it would tell a peer of others' networks."""

    number: str
    place: str  # "1.2.1"
    cause: str = ""
    mark: str = ""  # as written: `;mp=1`
    private: bool = False


class Forward(NamedTuple):
    """One of our own: who did not take the call, and why."""

    number: str
    reason: str  # as in RFC 5806


def read(headers: Sequence[tuple[str, str]]) -> tuple[Entry, ...]:
    """The entries of an INVITE; without those that can't be read."""
    values: list[str] = []
    private = False
    for name, line in headers:
        lower = name.lower()
        if lower == "history-info":
            values += split_values(line)
        elif lower == "privacy":
            private = private or _is_private(line)
    entries = (_entry(value, private) for value in values[-MOST:])
    return tuple(entry for entry in entries if entry is not None)


def _entry(value: str, private: bool) -> Entry | None:
    try:
        address = Address.parse(value)
    except SipError:
        return None
    uri = address.uri
    index = address.param("index") or ""
    if not _INDEX.fullmatch(index):
        return None
    marks = ((name, address.param(name) or "") for name in _MARKS)
    mark = next((f";{name}={of}" for name, of in marks if _INDEX.fullmatch(of)), "")
    cause = uri.param("cause") or ""
    asked = any(name.lower() == "privacy" and _is_private(unescape(text)) for name, text in uri.headers)
    return Entry(
        uri.username, index, cause if _CAUSE.fullmatch(cause) else "", mark, private or asked or not uri.username
    )


def _is_private(value: str) -> bool:
    return any(one.strip().lower() in _PRIVATE for one in re.split("[;,]", value))


def line(past: Sequence[Entry], forwards: Sequence[Forward], uri: str, host: str, *, hide: bool) -> str:
    """The header line for an INVITE to `uri`: what came in, then our forwards and the target. `host` is written behind
    the numbers. `hide`: private entries are made anonymous; else they go with their wish (10.1.2)."""
    if not past and not forwards:
        return ""
    values = [_written(entry, host, hide) for entry in past]
    index = past[-1].place if past else ""
    targets = [(f"sip:{escape(one.number, USER_ALLOWED)}@{host}", one.number) for one in forwards]
    targets.append((uri.partition("?")[0], user_of(uri)))
    reason, number = "", past[-1].number if past else ""
    for position, (who, user) in enumerate(targets):
        mark = f";{'rc' if user == number and not reason else 'mp'}={index}" if index else ""
        index = f"{index}.1" if index else "1"
        cause = f";cause={_CAUSES.get(reason, 302)}" if reason else ""
        values.append(f"<{who}{cause}>;index={index}{mark}")
        number, reason = user, forwards[position].reason if position < len(forwards) else ""
    return f"History-Info: {', '.join(values)}\r\n"


def _written(entry: Entry, host: str, hide: bool) -> str:
    wish = "?Privacy=history" if entry.private else ""
    cause = f";cause={entry.cause}" if entry.cause else ""
    who = f"sip:{escape(entry.number, USER_ALLOWED)}@{host}{cause}{wish}"
    if (entry.private and hide) or not entry.number:
        who = f"sip:anonymous@anonymous.invalid{cause}"
    return f"<{who}>;index={entry.place}{entry.mark}"
