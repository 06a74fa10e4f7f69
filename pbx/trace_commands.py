"""What `plateau trace` and `plateau ladder` do: ask the running server, show what it says."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
from rich.console import Console
from rich.text import Text

from pbx.trace.ladder import Ladder
from pbx.trace.terminal import ladder_lines, message_line

MAX_LINE_BYTES = 1 << 20


class AskError(Exception):
    """The server can't be asked, or says no: one line."""


class NotThere(AskError):
    """No server runs there."""


@asynccontextmanager
async def asked(
    base: str, token: str, path: str, query: Mapping[str, str] | None = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The server's good answer. Raises AskError."""
    limits = aiohttp.ClientTimeout(total=None, sock_connect=5)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(base, headers=headers, timeout=limits, read_bufsize=MAX_LINE_BYTES) as session,
            session.get(path, params=query) as answer,
        ):
            if answer.status != 200:
                problem = await answer.json(content_type=None) if "json" in answer.content_type else {}
                raise AskError(f"{base} says: {problem.get('detail') or answer.status}")
            yield answer
    except aiohttp.ClientConnectionError:
        raise NotThere(f"nothing listens at {base}: is the server running? (plateau serve SITE)") from None
    except aiohttp.ClientPayloadError:
        raise AskError(f"{base} cut the connection: it has stopped, or this terminal was too slow") from None


async def trace(base: str, token: str, query: Mapping[str, str], zone: tzinfo, out: Console, *, verbose: bool) -> None:
    """Show messages as they come. Raises AskError."""
    async with asked(base, token, "/v1/trace", query) as answer:
        async for line in answer.content:
            message = json.loads(line)
            if message["type"] == "message":
                out.print(message_line(message, zone), soft_wrap=True)
                if verbose:
                    out.print(Text(f"{message['text']}\n", style="dim"), soft_wrap=True)
            elif message["reason"] != "all":
                raise AskError(f"{message['reason']} ({message['missed']} missed)")


async def trace_to_file(base: str, token: str, query: Mapping[str, str], file: Path) -> int:
    """Write messages as pcapng, `-` is standard output; returns the bytes written. Raises AskError, OSError."""
    written = 0
    async with asked(base, token, "/v1/trace.pcapng", query) as answer:
        with _opened(file) as target:
            async for chunk in answer.content.iter_any():
                await asyncio.to_thread(_write, target, chunk)
                written += len(chunk)
    return written


def _opened(file: Path) -> BinaryIO:
    return open(file if str(file) != "-" else sys.stdout.fileno(), "wb")


def _write(target: BinaryIO, chunk: bytes) -> None:
    target.write(chunk)
    target.flush()


async def ladder(base: str, token: str, call: str | None, out: Console) -> None:
    """Show a call's ladder; without `call` that of the last call. Raises AskError."""
    call = call or await _last_call(base, token)
    async with asked(base, token, f"/v1/calls/{call}/ladder") as answer:
        found = Ladder.of_view(await answer.json())
    out.print(Text(f"call {found.call_id}", style="bold"))
    for line in ladder_lines(found, out.width):
        out.print(line, soft_wrap=True)


async def _last_call(base: str, token: str) -> str:
    """The call that began last, live or over."""
    calls: list[tuple[float, str]] = []
    for path, name in (("/v1/calls", "calls"), ("/v1/cdrs?limit=1", "cdrs")):
        async with asked(base, token, path) as answer:
            calls += [_started(call) for call in (await answer.json())[name]]
    if not calls:
        raise AskError("there was no call yet")
    return max(calls)[1]


def _started(call: Mapping[str, Any]) -> tuple[float, str]:
    return call.get("started_at") or call.get("since") or 0.0, call.get("call_id") or call["id"]
