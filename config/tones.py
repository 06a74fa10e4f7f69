"""The tones that a site may name in place of a prompt: `tone:KIND` or `tone:KIND:COUNTRY`, as tone:busy:gb.

Frequencies and cadences of ITU-T E.180 supplement 2 (tones used in national networks), the plain ones of each country.
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "tone:"
UNIVERSAL = ("beep", "noise", "silence", "sit")
NATIONAL = ("dial", "ringback", "busy", "congestion")
KINDS = (*NATIONAL, *UNIVERSAL)


class Country(NamedTuple):
    """Each tone as `FREQUENCIES/ON_ms,0/OFF_ms,...`, again and again; without a time it is continuous. `400+450` are
    heard together, `400*16` is 400 Hz that swells 16 times a second."""

    dial: str
    ringback: str
    busy: str
    congestion: str


_AMERICAN = Country("350+440", "440+480/2000,0/4000", "480+620/500,0/500", "480+620/250,0/250")
_EUROPEAN = Country("425", "425/1000,0/4000", "425/500,0/500", "425/200,0/200")
_TWICE = ",0/200,400+450/400,0/2000"

COUNTRIES: dict[str, Country] = {
    "at": Country("420", "420/1000,0/5000", "420/400,0/400", "420/200,0/200"),
    "au": Country("413+438", "413+438/400,0/200,413+438/400,0/2000", "425/375,0/375", "425/375,0/375,420/375,0/375"),
    "be": Country("425", "425/1000,0/3000", "425/500,0/500", "425/167,0/167"),
    "ca": _AMERICAN,
    "ch": _EUROPEAN,
    "de": Country("425", "425/1000,0/4000", "425/480,0/480", "425/240,0/240"),
    "dk": _EUROPEAN,
    "es": Country(
        "425", "425/1500,0/3000", "425/200,0/200", "425/200,0/200,425/200,0/200,425/200,0/600"
    ),
    "fi": Country("425", "425/1000,0/4000", "425/300,0/300", "425/200,0/200"),
    "fr": Country("440", "440/1500,0/3500", "440/500,0/500", "440/250,0/250"),
    "gb": Country("350+440", f"400+450/400{_TWICE}", "400/375,0/375", "400/400,0/350,400/225,0/525"),
    "ie": Country("425", f"400+450/400{_TWICE}", "425/500,0/500", "425/250,0/250"),
    "it": Country("425/200,0/200,425/600,0/1000", "425/1000,0/4000", "425/500,0/500", "425/200,0/200"),
    "jp": Country("400", "400*16/1000,0/2000", "400/500,0/500", "400/500,0/500"),
    "nl": Country("425", "425/1000,0/4000", "425/500,0/500", "425/250,0/250"),
    "no": _EUROPEAN,
    "nz": Country("400", f"400+450/400{_TWICE}", "400/500,0/500", "400/250,0/250"),
    "pl": Country("425", "425/1000,0/4000", "425/500,0/500", "425/500,0/500"),
    "pt": Country("425", "425/1000,0/5000", "425/500,0/500", "425/200,0/200"),
    "se": Country("425", "425/1000,0/5000", "425/250,0/250", "425/250,0/750"),
    "us": _AMERICAN,
}


def pattern(name: str, country: str) -> str | None:
    """What a national tone's name means in a site of `country`; None if it is none."""
    kind, _, named = name.removeprefix(PREFIX).partition(":")
    where = named or country.lower()
    if not name.startswith(PREFIX) or kind not in NATIONAL or (named and named not in COUNTRIES):
        return None
    found: str = getattr(COUNTRIES.get(where, _EUROPEAN), kind)
    return found


def known(name: str) -> bool:
    """Whether it is the name of a tone."""
    return name.removeprefix(PREFIX) in UNIVERSAL or pattern(name, "") is not None


def expected(name: str) -> str:
    """What a wrong name should have been."""
    kind = name.removeprefix(PREFIX).partition(":")[0]
    if kind in NATIONAL:
        return f"tone:{kind} or tone:{kind}:COUNTRY, of {', '.join(COUNTRIES)}"
    return "a tone: " + ", ".join(PREFIX + kind for kind in KINDS)
