"""What rtpengine shows at a port, as it says when it makes one: its keys of SDES, its certificate, its half of ICE.

Our descriptions need them before rtpengine hears of the peer; it keeps to them whichever the peer takes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from media.security import SUITES

_CRYPTO = re.compile(r"a=crypto:(\d+) (\w+) inline:([A-Za-z0-9+/]+)=*")


@dataclass(frozen=True, slots=True)
class Own:
    """Of one port. Empty: it has no SRTP."""

    keys: dict[str, bytes] = field(default_factory=dict, repr=False)  # by suite
    tags: dict[str, str] = field(default_factory=dict)  # of a=crypto, by suite: an answer must name it
    fingerprint: str = ""
    ufrag: str = ""
    pwd: str = field(default="", repr=False)

    @classmethod
    def read(cls, sdp: object) -> Own:
        """From an offer of rtpengine's. What can't be read is left out."""
        keys, tags, values = {}, {}, {"fingerprint": "", "ice-ufrag": "", "ice-pwd": ""}
        lines = sdp.decode("ascii", "replace").splitlines() if isinstance(sdp, bytes) else []
        for line in lines:
            if (found := _CRYPTO.match(line)) is not None and found[2] in SUITES:
                key = _key(found[3])
                if len(key) == sum(SUITES[found[2]]):
                    keys[found[2]], tags[found[2]] = key, found[1]
            name, _, value = line.removeprefix("a=").partition(":")
            if name in values:
                values[name] = value.strip()
        return cls(keys, tags, values["fingerprint"], values["ice-ufrag"], values["ice-pwd"])


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
