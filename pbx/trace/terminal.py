"""Traces and ladders for a terminal: rich Text, in as many columns as there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from rich.text import Text

from pbx.trace.ladder import PLATEAU, Ladder, Row

STYLES: Final = {
    "request": "bold cyan", "provisional": "yellow", "success": "green", "failure": "red", "note": "magenta",
}  # fmt: skip
_TIMES: Final = 19  # columns of time and delta
_NARROWEST: Final = 18  # from one lifeline to the next


def ladder_lines(ladder: Ladder, width: int) -> Iterator[Text]:
    """The ladder, line by line. Lifelines are as far apart as the longest label wants and the width allows."""
    lanes = len(ladder.columns)
    longest = max([len(_label(row)) for row in ladder.rows if row.kind != "note"], default=0) + 6
    titles = max([max(len(column.title), len(column.address)) for column in ladder.columns], default=0) + 2
    room = (width - _TIMES) // lanes
    gap = max(_NARROWEST, min(room, max(longest, titles)))
    middles = [_TIMES + gap // 2 + lane * gap for lane in range(lanes)]
    for attribute, style in (("title", "bold"), ("address", "dim")):
        line = [" "] * (_TIMES + gap * lanes)
        for middle, column in zip(middles, ladder.columns, strict=True):
            text = _cut(getattr(column, attribute), gap - 2)
            _write(line, middle - len(text) // 2, text)
        yield Text("".join(line).rstrip(), style=style)
    before = ladder.started_at
    for row in ladder.rows:
        yield _row(row, ladder, middles, before, max(width, _TIMES + gap * lanes))
        before = row.at
    if ladder.left_off:
        yield Text(f"{'':{_TIMES}}and {ladder.left_off} more that are not shown", style="dim")


def _row(row: Row, ladder: Ladder, middles: list[int], before: float, width: int) -> Text:
    line = [" "] * width
    for middle in middles:
        line[middle] = "│"
    _write(line, 0, f"{row.at - ladder.started_at:9.3f} {f'+{row.at - before:.3f}':>8}")
    if row.kind == "note":
        start = middles[PLATEAU]
        end = _write(line, start, "◆ " + _cut(row.label, width - start - 2))
    else:
        start, end = sorted((middles[row.source], middles[row.target]))
        _arrow(line, start + 1, end, _label(row), to_right=row.source < row.target)
    text = Text("".join(line).rstrip())
    text.stylize("dim", 0, _TIMES)
    text.stylize(STYLES[row.kind], start if row.kind == "note" else start + 1, end)
    return text


def _arrow(line: list[str], start: int, end: int, label: str, *, to_right: bool) -> None:
    space = end - start
    label = f" {_cut(label, space - 4)} "
    left = (space - len(label)) // 2
    shaft = "─" * left + label + "─" * (space - left - len(label))
    _write(line, start, shaft[:-1] + "▶" if to_right else "◀" + shaft[1:])


def _write(line: list[str], start: int, text: str) -> int:
    """Put text into a line; returns the end."""
    start = max(0, start)
    line[start : start + len(text)] = text
    return start + len(text)


def _label(row: Row) -> str:
    times = f" ×{row.repeats}" if row.repeats > 1 else ""
    return f"{row.label}{times}" + (f" {row.detail}" if row.detail else "")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(0, length - 1)] + "…"


def message_line(message: Mapping[str, Any], zone: tzinfo) -> Text:
    """One line of a trace, from what the API says of a message."""
    received = message["direction"] == "received"
    kind = ("request", "provisional", "success", "failure")[_class(message["status"])]
    return Text.assemble(
        (f"{datetime.fromtimestamp(message['at'], zone):%H:%M:%S.%f}"[:-3], "dim"),
        ("  ← " if received else "  → "),
        (f"{message['transport']} {message['peer']:<22}"),
        (f" {message['title']:<26}", STYLES[kind]),
        (f" {message['from']} → {message['to']}" if message["from"] or message["to"] else ""),
        (f"  {message['sdp']}" if message["sdp"] else "", "blue"),
        (f"  {message['call_id']}" if message["call_id"] else "", "dim"),
    )


def _class(status: int) -> int:
    return 0 if not status else 1 if status < 200 else 2 if status < 300 else 3
