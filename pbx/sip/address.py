"""The values of From, To, Contact, Route and their like: name-addr / addr-spec with parameters (RFC 3261 20.10, 25.1).

`Address` is the value; `tag_of`, `uri_of`, `with_tag` do the same on text, for the hot path (tests hold them equal);
the `validate_*` functions refuse what RFC 4475 calls invalid, with no object built for a good value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pbx.sip.errors import BadMessage, BadUri
from pbx.sip.grammar import (
    PARAM,
    QUOTED,
    TOKEN,
    WS,
    Params,
    format_params,
    param,
    parse_params,
    quote,
    split_values,
    unquote,
    with_param,
)
from pbx.sip.uri import OTHER_URI, SIP_URI, TEL_URI, Uri

__all__ = [
    "Address", "display_name_of", "parts_of", "split_values", "tag_of", "uri_of", "validate_address",
    "validate_contact", "with_tag",
]  # fmt: skip

_DISPLAY = rf"(?>(?:{QUOTED}{WS}|{TOKEN}(?>(?:[ \t]++{TOKEN})*){WS})?)"
_NAME_ADDR = re.compile(rf"{WS}({_DISPLAY})<([^<>]*+)>")
# RFC 3261 20.10: a bare addr-spec has no comma, semicolon or question mark; what follows `;` is the header's.
_ADDR_SPEC = re.compile(rf"{WS}([^\s<>\",;?]++)")
_GOOD = re.compile(
    rf"{WS}(?:{_DISPLAY}<(?:{SIP_URI}|{TEL_URI}|{OTHER_URI})>|[A-Za-z][A-Za-z0-9+.\-]*+:[^\s<>\",;?]++)"
    rf"(?>(?:{PARAM})*){WS}"
)
_BARE_SIP = re.compile(rf"{SIP_URI}|{TEL_URI}|{OTHER_URI}")
_IN_BRACKETS = re.compile(rf"{SIP_URI}|{TEL_URI}|{OTHER_URI}")
_SIMPLE_TAIL = re.compile(rf"{TOKEN}\Z")
_PLAIN_NAME = re.compile(rf"{TOKEN}(?>(?: {TOKEN})*)")


@dataclass(frozen=True, slots=True)
class Address:
    """One name-addr or addr-spec with the header's parameters. Written as name-addr always: that is never ambiguous."""

    display_name: str | None  # unquoted
    uri: Uri
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one value; BadMessage or BadUri if it is none, BadUri 416 if its scheme is not ours."""
        name, uri, position = parts_of(text)
        return cls(name, Uri.parse(uri), parse_params(text, position))

    @property
    def tag(self) -> str | None:
        return param(self.params, "tag")

    def param(self, name: str) -> str | None:
        """The value of a header parameter, "" for a flag, None if absent."""
        return param(self.params, name)

    def with_param(self, name: str, value: str | None) -> Address:
        return Address(self.display_name, self.uri, with_param(self.params, name, value))

    def __str__(self) -> str:
        name = ""
        if self.display_name is not None:
            name = quote(self.display_name)  # without control characters: what is left may need no quotes
            name = f"{name[1:-1] if _PLAIN_NAME.fullmatch(name, 1, len(name) - 1) else name} "
        return f"{name}<{self.uri}>{format_params(self.params)}"


def parts_of(text: str) -> tuple[str | None, str, int]:
    """(display name unquoted or None, URI text, where the header parameters begin)."""
    found = _NAME_ADDR.match(text)
    if found is not None:
        name = found[1].strip(" \t")
        return (unquote(name) if name else None), found[2], found.end()
    found = _ADDR_SPEC.match(text)
    if found is None or ":" not in found[1] or "<" in text[: text.find(";", found.end())]:
        raise BadMessage(f"bad address {text[:60]!r}")
    return None, found[1], found.end()


def tag_of(value: str) -> str | None:
    """The tag of a From or To value, None if it has none."""
    at = value.find(";tag=")  # the first: of two in one value it is the one that everything else reads
    if at < 0:
        tail = value[value.rfind(">") + 1 :]
        if ";" not in tail and '"' not in tail:  # a quoted parameter may hold a ">"
            return None
    elif _SIMPLE_TAIL.match(value, at + 5):
        return value[at + 5 :]  # a token up to the end: neither in quotes nor in <>
    return param(parse_params(value, parts_of(value)[2]), "tag")


def uri_of(value: str) -> str:
    """The URI text of a name-addr or addr-spec value."""
    opening = value.find("<")
    if opening < 0:
        return value.partition(";")[0].strip(" \t")
    if value[0] == '"' and "\\" not in value:
        opening = value.find("<", value.find('"', 1))  # a display name may hold a "<"
    elif '"' in value and value.find('"') < opening:
        return parts_of(value)[1]
    if opening > 0 or value[0] == "<":
        closing = value.find(">", opening)
        if closing > 0:
            return value[opening + 1 : closing]
    return parts_of(value)[1]


def display_name_of(value: str) -> str:
    """The display name of a From or To value, unquoted; "" if it has none."""
    if value.startswith("<") or "<" not in value:
        return ""
    return parts_of(value)[0] or ""


def with_tag(value: str, tag: str) -> str:
    """The value with a tag; unchanged if it has one already (RFC 3261 8.2.6.2)."""
    return f"{value};tag={tag}" if tag_of(value) is None else value


def validate_address(value: str) -> None:
    """Refuse a From or To value that RFC 3261 25.1 does not allow (RFC 4475 3.1.2.6, 3.1.2.14, 3.1.2.15)."""
    if _GOOD.fullmatch(value) is None:
        _refuse(value)
    if "<" not in value:
        _validate_bare(value)


def validate_contact(text: str) -> None:
    """Refuse a Contact header line (one or several values, or `*`) with a bad value (RFC 4475 3.1.2.1, 3.1.2.13)."""
    if "," not in text:
        if text.strip(" \t") != "*":
            validate_address(text)
        return
    for value in split_values(text):
        validate_address(value)


def _validate_bare(value: str) -> None:
    found = _ADDR_SPEC.match(value)
    if found is None or _BARE_SIP.fullmatch(found[1]) is None:
        raise BadUri(f"bad URI in {value[:60]!r}")


def _refuse(value: str) -> None:
    """Say what is wrong with a value that `_GOOD` did not take."""
    _, uri, position = parts_of(value)
    if _IN_BRACKETS.fullmatch(uri) is None:
        raise BadUri(f"bad URI {uri[:60]!r}")
    parse_params(value, position)
    raise BadMessage(f"bad address {value[:60]!r}")
