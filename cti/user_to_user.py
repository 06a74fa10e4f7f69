"""User-to-User (RFC 7433): what a caller's INVITE carries for whom he calls; here the token of a web session.

    User-to-User: 73657373696f6e2d31;encoding=hex;purpose=web-session
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

HEADER: Final = "User-to-User"
VALUES: Final = 3  # of one header that are looked at
_VALUE = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^;,"\s]+))((?:\s*;[^,]*)?)\s*(?:,|$)')
_HEX = re.compile(r";\s*encoding\s*=\s*\"?hex\b", re.IGNORECASE)


def tokens(header: str) -> Iterator[str]:
    """What a header may carry as a token, decoded; ISDN's protocol discriminator (ITU-T Q.931 4.5.30) left off."""
    for found in list(_VALUE.finditer(header))[:VALUES]:
        quoted, plain, parameters = found.groups()
        text = quoted if quoted is not None else plain
        if not _HEX.search(parameters):
            yield text
            continue
        try:
            data = bytes.fromhex(text)
        except ValueError:
            continue
        yield data.lstrip(b"\x00\x04").decode("utf-8", "replace")
