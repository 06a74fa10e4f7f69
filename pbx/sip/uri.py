"""SIP and tel URIs (RFC 3261 19.1, RFC 3966): a value type, and text functions for the hot path.

The text functions (`user_of`, `host_port_of`) build no objects; tests hold them equal to `Uri`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from pbx.sip.errors import BadUri
from pbx.sip.grammar import HOST, Params, escape, param, unescape

_ALNUM: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_UNRESERVED: Final = frozenset(_ALNUM + "-_.!~*'()")
USER_ALLOWED: Final = _UNRESERVED | frozenset("&=+$,;?/")
PASSWORD_ALLOWED: Final = _UNRESERVED | frozenset("&=+$,")

# `#` must be escaped in a user part, but phones dial `*21#` with it bare; nothing else could be meant.
_USER: Final = r"(?>(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]++|%[0-9A-Fa-f]{2})+)"
_PASSWORD: Final = r"(?>(?:[A-Za-z0-9\-_.!~*'()&=+$,]++|%[0-9A-Fa-f]{2})*)"
_PARAM_CHARS: Final = r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]++|%[0-9A-Fa-f]{2})"
_URI_PARAMS: Final = rf"(?>(?:;(?>{_PARAM_CHARS}+)(?>(?:=(?>{_PARAM_CHARS}*))?))*)"
_HEADER_CHARS: Final = r"(?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$]++|%[0-9A-Fa-f]{2})"
_URI_HEADER: Final = rf"(?>{_HEADER_CHARS}+)=(?>{_HEADER_CHARS}*)"
_URI_HEADERS: Final = rf"(?>(?:\?{_URI_HEADER}(?>(?:&{_URI_HEADER})*))?)"
_PORT: Final = r"(?>(?::[0-9]{1,5})?)"

SIP_URI_PLAIN: Final = rf"(?i:sips?):(?:{_USER}(?>(?::{_PASSWORD})?)@)?{HOST}{_PORT}{_URI_PARAMS}"  # no headers
SIP_URI: Final = SIP_URI_PLAIN + _URI_HEADERS
TEL_URI: Final = rf"(?i:tel):\+?[0-9A-Fa-f*#\-.()]++{_URI_PARAMS}"
OTHER_URI: Final = r"(?!(?i:sips?|tel):)[A-Za-z][A-Za-z0-9+.\-]*+:[^\s<>\"]++"  # absoluteURI of another scheme

_SIP = re.compile(
    rf"(sips?):(?:({_USER})(?>(?::({_PASSWORD}))?)@)?({HOST})(?>(?::([0-9]{{1,5}}))?)({_URI_PARAMS})(?:\?(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_TEL = re.compile(rf"tel:(\+?[0-9A-F*#\-.()]++)({_URI_PARAMS})", re.IGNORECASE)
_HEADERS = re.compile(rf"{_URI_HEADER}(?>(?:&{_URI_HEADER})*)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_REQUEST_URI = re.compile(rf"{SIP_URI_PLAIN}|{TEL_URI}")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_VISUAL = re.compile(r"[-.()]")
_HOST_PORT = re.compile(
    r"sips?:(?:[^@]*+@)?(\[[0-9A-Fa-f:.]++\]|[^:;?\[\]]++)(?>(?::([0-9]++))?)([;?].*)?\Z", re.IGNORECASE | re.DOTALL
)
_TRANSPORT = re.compile(r";transport(?>(?:=([^;]*+))?)(?=;|$)", re.IGNORECASE)

# RFC 3261 19.1.4: one of these in only one of two URIs makes them differ, even at its default value.
_DECISIVE: Final = ("user", "ttl", "method", "maddr", "transport")


@dataclass(frozen=True, slots=True)
class Uri:
    """A sip, sips or tel URI. Parts are kept as written, escapes included, so that `str(Uri.parse(x)) == x`.

    `==` compares the writing; `matches` is the comparison of RFC 3261 19.1.4 (which is not transitive, so not `==`).
    """

    scheme: str  # sip, sips or tel, lower case
    user: str | None  # as written; `username` is what it means. The number of a tel URI
    password: str | None
    host: str  # IPv6 in brackets; empty for tel
    port: int | None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read a URI; BadUri with 416 for a scheme we don't speak (RFC 3261 8.2.2.1), with 400 for bad syntax."""
        found = _SIP.fullmatch(text)
        if found is None:
            return cls._parse_tel(text)
        scheme, user, password, host, port, params, headers = found.groups()
        if headers is not None and not _HEADERS.fullmatch(headers):
            raise BadUri("bad headers in URI")
        return cls(
            scheme.lower(), user, password, host, _port(port), _params(params),
            tuple(_pair(one) for one in headers.split("&")) if headers else (),
        )  # fmt: skip

    @classmethod
    def _parse_tel(cls, text: str) -> Uri:
        found = _TEL.fullmatch(text)
        if found is None:
            raise _what_is_wrong(text)
        return cls("tel", found[1], None, "", None, _params(found[2]))

    @classmethod
    def sip(cls, user: str | None, host: str, port: int | None = None, params: Params = ()) -> Uri:
        """A sip URI from plain values: the user is escaped, an IPv6 address gets its brackets."""
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return cls("sip", escape(user, USER_ALLOWED) if user is not None else None, None, host, port, params)

    @property
    def username(self) -> str:
        """The user part unescaped, "" if there is none."""
        return unescape(self.user) if self.user else ""

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case."""
        value = param(self.params, "transport")
        return value.lower() if value else None

    def param(self, name: str) -> str | None:
        """The value of a parameter, "" for a flag, None if absent."""
        return param(self.params, name)

    def __str__(self) -> str:
        params = "".join([f";{k}" if v is None else f";{k}={v}" for k, v in self.params]) if self.params else ""
        if self.scheme == "tel":
            return f"tel:{self.user}{params}"
        user = "" if self.user is None else self.user if self.password is None else f"{self.user}:{self.password}"
        user += "" if self.user is None else "@"
        port = "" if self.port is None else f":{self.port}"
        headers = "?" + "&".join(f"{name}={value}" for name, value in self.headers) if self.headers else ""
        return f"{self.scheme}:{user}{self.host}{port}{params}{headers}"

    def matches(self, other: Uri) -> bool:
        """Equality of RFC 3261 19.1.4, or of RFC 3966 5 for tel."""
        if self.scheme != other.scheme:
            return False
        if self.scheme == "tel":
            return _number(self) == _number(other) and _tel_params(self) == _tel_params(other)
        return (
            _normal(self.user) == _normal(other.user)
            and _normal(self.password) == _normal(other.password)
            and self.port == other.port
            and _host(self.host) == _host(other.host)
            and _params_match(self.params, other.params)
            and _header_set(self.headers) == _header_set(other.headers)
        )


def validate_request_uri(text: str) -> None:
    """Refuse what is no Request-URI: <>, white space, embedded headers (RFC 4475 3.1.2.7-11), unknown schemes."""
    if _REQUEST_URI.fullmatch(text) is None:
        if "?" in text and _SIP.fullmatch(text):
            raise BadUri("headers in Request-URI")
        raise _what_is_wrong(text)


def user_of(uri: str) -> str:
    """The user (unescaped, without password) of a sip URI, the number of a tel URI; "" if there is none."""
    colon = uri.find(":") + 1
    at = uri.find("@", colon)
    if at < 0:
        if uri[:colon].lower() != "tel:":
            return ""
        return uri[colon:].partition(";")[0]
    user = uri[colon:at]
    if ":" in user:
        user = user[: user.index(":")]
    return unescape(user) if "%" in user else user


def host_port_of(uri: str) -> tuple[str, int | None, str | None]:
    """(host, port or None, transport parameter in lower case or None) of a sip URI; IPv6 comes without brackets."""
    found = _HOST_PORT.match(uri)
    if found is None:
        raise _what_is_wrong(uri)
    host, port, rest = found.groups()
    if host[0] == "[":
        host = host[1:-1].replace(":::", "::")  # RFC 5118 4.10: RFC 3261's grammar has a colon too many
    transport = None
    if rest and ";" in rest and (carried := _TRANSPORT.search(rest.partition("?")[0])):
        transport = carried[1].lower() if carried[1] else None
    return host, _port(port) if port else None, transport


def _what_is_wrong(text: str) -> BadUri:
    scheme = _SCHEME.match(text)
    if scheme is None:
        return BadUri(f"not a URI: {text[:60]!r}")
    if scheme[1].lower() not in ("sip", "sips", "tel"):
        return BadUri(f"unsupported URI scheme {scheme[1][:20]!r}", 416)
    return BadUri(f"bad URI {text[:60]!r}")


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if len(text) > 5 or not 0 < (port := int(text)) < 65536:
        raise BadUri("port out of range")
    return port


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _params(text: str) -> Params:
    if not text:
        return ()
    pairs = [one.partition("=") for one in text[1:].split(";")]
    return tuple([(name, value if equals else None) for name, equals, value in pairs])


def _plain_if_unreserved(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _normal(text: str | None) -> str | None:
    """Escapes of unreserved characters undone: only those mean the same either way (19.1.4)."""
    return _ESCAPE.sub(_plain_if_unreserved, text) if text and "%" in text else text


def _host(host: str) -> str:
    if host.startswith("["):
        try:
            return ipaddress.IPv6Address(host[1:-1]).compressed
        except ValueError:
            pass
    return host.lower().removesuffix(".")


def _number(uri: Uri) -> str:
    return _VISUAL.sub("", uri.user or "").lower()


def _tel_params(uri: Uri) -> dict[str, str]:
    lowered = {name.lower(): (value or "").lower() for name, value in uri.params}
    return {name: _VISUAL.sub("", value) if name == "ext" else value for name, value in lowered.items()}


def _params_match(mine: Params, theirs: Params) -> bool:
    if mine == theirs:
        return True
    a = {(_normal(k) or "").lower(): (_normal(v) or "").lower() for k, v in mine}
    b = {(_normal(k) or "").lower(): (_normal(v) or "").lower() for k, v in theirs}
    return all(a[k] == b[k] for k in a.keys() & b.keys()) and not any((k in a) != (k in b) for k in _DECISIVE)


def _header_set(headers: tuple[tuple[str, str], ...]) -> frozenset[tuple[str, str]]:
    return frozenset((unescape(name).lower(), unescape(value)) for name, value in headers)
