"""What a phone says of its user: PIDF (RFC 3863) with the activities of RPID (RFC 4480), read from strangers' XML."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from xml.etree import ElementTree

from pbx.sip.errors import BadMessage

CONTENT_TYPE: Final = "application/pidf+xml"

_PIDF: Final = "{urn:ietf:params:xml:ns:pidf}"
_MODEL: Final = "{urn:ietf:params:xml:ns:pidf:data-model}"
_RPID: Final = "{urn:ietf:params:xml:ns:pidf:rpid}"
_NOTE_LENGTH: Final = 200
_DECLARES = re.compile("<!DOCTYPE|<!ENTITY")  # no PIDF has them, and entities of entities fill a memory

#: RFC 4480 3.2
ACTIVITIES: Final = frozenset(
    "appointment away breakfast busy dinner holiday in-transit looking-for-work lunch meal meeting on-the-phone "
    "performance permanent-absence playing presentation shopping sleeping spectator steering travel tv vacation "
    "working worship".split()
)


class Pidf(NamedTuple):
    """What of a document is passed on."""

    open: bool  # whether he takes calls; without a word of it he does
    activities: tuple[str, ...]  # as ACTIVITIES has them
    note: str


def parse(body: bytes) -> Pidf:
    """Raises BadMessage."""
    try:
        text = body.decode()
        if _DECLARES.search(text):
            raise BadMessage("PIDF with a document type")
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError):
        raise BadMessage("PIDF expected") from None
    if root.tag != f"{_PIDF}presence":
        raise BadMessage("PIDF expected")
    basics = {(one.text or "").strip() for one in root.iterfind(f"{_PIDF}tuple/{_PIDF}status/{_PIDF}basic")}
    found = [
        one.tag.removeprefix(_RPID)
        for activities in root.iter(f"{_RPID}activities") for one in activities
        if one.tag.startswith(_RPID)
    ]  # fmt: skip
    notes = [one for tag in (f"{_PIDF}note", f"{_MODEL}note", f"{_RPID}note") for one in root.iter(tag)]
    note = next((words for one in notes if (words := " ".join((one.text or "").split()))), "")
    activities = tuple(dict.fromkeys(one for one in found if one in ACTIVITIES))
    return Pidf("open" in basics or "closed" not in basics, activities, note[:_NOTE_LENGTH])
