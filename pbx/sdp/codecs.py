"""The codecs that we may take, and how descriptions name them."""

from __future__ import annotations

from typing import Final, NamedTuple


class Codec(NamedTuple):
    """One way to write a codec into a description."""

    name: str  # as the site file has it
    encoding: str  # of rtpmap, as we write it
    payload_type: int  # in our offers; the peer's may be another
    clock_hz: int  # of its RTP timestamps
    parameters: str = ""  # of fmtp, as we write it


#: What a name of the site's policy stands for, best first.
CODECS: Final[dict[str, tuple[Codec, ...]]] = {
    "PCMU": (Codec("PCMU", "PCMU/8000", 0, 8000),),  # RFC 3551 6
    "PCMA": (Codec("PCMA", "PCMA/8000", 8, 8000),),
    "G722": (Codec("G722", "G722/8000", 9, 8000),),  # 16 kHz of sound; its clock is 8000 by mistake (RFC 3551 4.5.2)
    "OPUS": (Codec("OPUS", "opus/48000/2", 96, 48000, "useinbandfec=1"),),  # RFC 7587 7
    "L16": (Codec("L16", "L16/16000", 97, 16000), Codec("L16", "L16/8000", 98, 8000)),  # RFC 3551 4.5.11
}

#: By encoding in upper case, without the channel count if it is one.
BY_ENCODING: Final = {form.encoding.upper(): form for forms in CODECS.values() for form in forms}

STATIC: Final = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}  # RFC 3551 6; those that we may take

#: Our payload types of telephone-event by its clock. It counts in the clock of the sound around it (RFC 4733 2.1).
EVENT_TYPES: Final = {8000: 101, 16000: 102, 48000: 103}


def forms_of(codecs: tuple[str, ...]) -> list[Codec]:
    """All that a policy would take, best first."""
    return [form for name in codecs for form in CODECS[name]]
