"""Answers as JSON."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from aiohttp import web

NOT_KEPT: Final = {"Cache-Control": "no-store"}
AT_ONCE_S: Final = 0.005  # of work between two looks at what else there is to do
One = TypeVar("One")


def reply(body: Mapping[str, Any], status: int = 200) -> web.Response:
    """JSON that no cache keeps."""
    return _json(_text(body), status)


async def reply_with(body: Mapping[str, Any], name: str, rows: Iterable[Mapping[str, Any]]) -> web.Response:
    """The same with a member more, a list of what may be very many."""
    texts = await in_slices(map(_text, rows))
    return _json(f"{_text({**body, name: []})[:-2]}{','.join(texts)}]}}", 200)


async def in_slices(values: Iterable[One]) -> list[One]:
    """All of them, made a few at a time: calls do not wait for ten thousand rows."""
    found, until = list[One](), time.perf_counter() + AT_ONCE_S
    for value in values:
        found.append(value)
        if time.perf_counter() > until:
            await asyncio.sleep(0)
            until = time.perf_counter() + AT_ONCE_S
    return found


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


def _json(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json", headers=NOT_KEPT)
