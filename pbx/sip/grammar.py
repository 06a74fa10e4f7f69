"""The small words of the SIP grammar (RFC 3261 25.1): tokens, quoted strings, escapes, parameters.

Every pattern here is linear in the length of its input: repetitions are possessive (`*+`), so that a hostile value
costs no more than an honest one. Those of groups are atomic instead, `(?>(?:...)*)`: of a possessive one Python before
3.11.5 (Debian 12 has 3.11.2) keeps what the last, failed repetition has taken (CPython issue 106052).
Values come unfolded (a folded line joined by one space): white space is space or tab.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from pbx.sip.errors import BadMessage, SipError

Params = tuple[tuple[str, str | None], ...]  # (name as written, value or None for a flag), in order

WS: Final = r"[ \t]*+"
TOKEN_CHARS: Final = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN: Final = rf"[{TOKEN_CHARS}]++"
QUOTED: Final = r'"(?>(?:[^"\\\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f]++|\\[^\r\n\u0080-\U0010ffff])*)"'
LABEL: Final = r"[A-Za-z0-9_]++(?>(?:-++[A-Za-z0-9_]++)*)"  # underscores are not in RFC 1123 but in many networks
HOST: Final = rf"(?:\[[0-9A-Fa-f:.]++\]|{LABEL}(?>(?:\.{LABEL})*)\.?)"
# gen-value = token / host / quoted-string; bare IPv6 too, as Via has it in `received` (RFC 3261 25.1, via-received),
# and `@` and `|`, of which some peers make tags and branches
BARE: Final = rf"[{TOKEN_CHARS}\[\]:@|]++"
PARAM: Final = rf"{WS};{WS}{TOKEN}(?>(?:{WS}={WS}(?:{BARE}|{QUOTED}))?)"

_TOKEN = re.compile(TOKEN)
_BARE_VALUE = re.compile(BARE)
_PARAM = re.compile(rf"{WS};{WS}({TOKEN})(?>(?:{WS}={WS}({BARE}|{QUOTED}))?)")
_TRAILING = re.compile(rf"{WS}\Z")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_TOP_LEVEL_PLAIN = re.compile(r'[,"<]')
_END_OF_QUOTED = re.compile(r'[^"\\]*+(?>(?:\\.[^"\\]*+)*)"', re.DOTALL)


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def quote(text: str) -> str:
    """`a "b"` -> `"a \\"b\\""`. Control characters are left out: a line end would forge a header."""
    plain = _CONTROL.sub("", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def unquote(text: str) -> str:
    """The meaning of a quoted string; other text comes back as it is."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        text = text[1:-1]
        return _QUOTED_PAIR.sub(r"\1", text) if "\\" in text else text
    return text


def unescape(text: str) -> str:
    """`%41` -> `A` (RFC 3261 25.1 `escaped`). Octets that are no UTF-8 become U+FFFD."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def escape(text: str, allowed: frozenset[str]) -> str:
    """Escape every character not in `allowed` as the octets of its UTF-8."""
    if allowed.issuperset(text):
        return text
    return "".join(
        c if c in allowed else "".join(f"%{octet:02X}" for octet in c.encode("utf-8", "surrogateescape")) for c in text
    )


def split_values(text: str) -> list[str]:
    """The values of a comma-separated header, each stripped; commas in quoted strings and in <> don't separate.

    Empty elements are kept: the grammar has none, so a validator must see them (RFC 4475 3.1.2.1). "" has no values.
    """
    if "," not in text:
        text = text.strip(" \t")  # of all that Unicode calls a space no more than that
        return [text] if text else []
    if '"' not in text and "<" not in text:
        return [one.strip(" \t") for one in text.split(",")]
    values: list[str] = []
    start = position = 0
    while found := _NOT_TOP_LEVEL_PLAIN.search(text, position):
        position = found.end()
        mark = found[0]
        if mark == ",":
            values.append(text[start : position - 1].strip(" \t"))
            start = position
        elif mark == '"':
            end = _END_OF_QUOTED.match(text, position)
            position = end.end() if end else len(text)
        else:
            position = text.find(">", position) + 1 or len(text)
    values.append(text[start:].strip(" \t"))
    return values


def parse_params(text: str, position: int = 0, error: type[SipError] = BadMessage) -> Params:
    """The header parameters from `position` to the end: `;tag=a;x="y z"`. Quoted values come unquoted."""
    params: list[tuple[str, str | None]] = []
    while found := _PARAM.match(text, position):
        name, value = found.groups()
        params.append((name, unquote(value) if value is not None else None))
        position = found.end()
    if not _TRAILING.match(text, position):
        raise error(f"bad parameter at {text[position:][:40]!r}")
    return tuple(params)


def format_params(params: Params) -> str:
    """`;a;b=c;d="e f"`: a value that is neither token nor host is quoted."""
    if not params:
        return ""
    parts: list[str] = []
    for name, value in params:
        if value is None:
            parts.append(f";{name}")
        else:
            parts.append(f";{name}={value if _BARE_VALUE.fullmatch(value) else quote(value)}")
    return "".join(parts)


def param(params: Params, name: str) -> str | None:
    """The value of a parameter (names ignore case); None if it is not there. A flag has the value ""."""
    for key, value in params:
        if key == name or key.lower() == name:
            return value or ""
    return None


def with_param(params: Params, name: str, value: str | None) -> Params:
    """The parameters with `name` set to `value`, at its old place or at the end."""
    if any(key.lower() == name for key, _ in params):
        return tuple((key, value) if key.lower() == name else (key, old) for key, old in params)
    return (*params, (name, value))


def without_params(params: Params, names: Iterable[str]) -> Params:
    gone = frozenset(names)
    return tuple(one for one in params if one[0].lower() not in gone)
