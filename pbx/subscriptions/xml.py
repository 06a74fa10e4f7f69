"""Text that is safe in XML: names and numbers of strangers end up in documents."""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
_QUOTE = {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


def text(value: str) -> str:
    """Between tags."""
    return escape(_ILLEGAL.sub("", value))


def attribute(value: str) -> str:
    """Between double quotes."""
    return escape(_ILLEGAL.sub("", value), _QUOTE)
