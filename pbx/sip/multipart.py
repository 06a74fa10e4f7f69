"""Bodies of several parts (RFC 2046 5.1): the session description may come with others, that are not for us
(RFC 5621 3.1)."""

from __future__ import annotations

import re
from typing import Final

SDP: Final = "application/sdp"
_MOST_PARTS: Final = 16
_DEEPEST: Final = 2  # parts that have parts
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_FIELD = re.compile(rb"^(content-(?:type|transfer-encoding))[ \t]*:[ \t]*(.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_PLAIN: Final = (b"7bit", b"8bit", b"binary")  # encodings that change nothing


def description_in(kind: str, body: bytes, depth: int = _DEEPEST) -> bytes:
    """The session description in a body of the type `kind`; b"" if there is none."""
    base = kind.partition(";")[0].strip().lower()
    if base == SDP:
        return body
    found = _BOUNDARY.search(kind)
    if not depth or found is None or not base.startswith("multipart/"):
        return b""
    boundary = (found[1] or found[2]).encode("utf-8", "surrogateescape")
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS)[1:]:
        line, _, rest = part.partition(b"\r\n")
        if line.strip(b" \t"):  # the end, or a longer boundary
            continue
        head, _, content = (b"\r\n" + rest).partition(b"\r\n\r\n")
        fields = {name.lower(): value for name, value in _FIELD.findall(head.replace(b"\r\n", b"\n"))}
        if fields.get(b"content-transfer-encoding", b"binary").lower() in _PLAIN:
            inside = fields.get(b"content-type", b"").decode("utf-8", "surrogateescape")
            inner = description_in(inside, content, depth - 1)
            if inner:
                return inner
    return b""
