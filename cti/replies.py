"""Answers as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

NOT_KEPT: Final = {"Cache-Control": "no-store"}


def reply(body: Mapping[str, Any], status: int = 200) -> web.Response:
    """JSON that no cache keeps."""
    text = json.dumps(body, separators=(",", ":"), default=str)
    return web.Response(text=text, status=status, content_type="application/json", headers=NOT_KEPT)
