"""A ladder as an SVG picture: light and dark, without scripts, everything in it escaped."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from pbx.trace.ladder import PLATEAU, Column, Ladder, Row

CSS: Final = files("pbx.trace").joinpath("ladder.css").read_text("utf-8")

_TIMES: Final = 112  # pixels for time and delta
_GAP: Final = 270  # from one lifeline to the next
_MARGIN: Final = 90  # from the outer lifelines to the edges
_HEAD: Final = 58
_ARROW: Final = 36  # height, with the label above
_NOTE: Final = 27
_CHARACTER: Final = 7.0  # width of one at 13 pixels, on the safe side
_NOTE_CHARACTER: Final = 6.4


def ladder_svg(ladder: Ladder) -> str:
    """The picture. Arrows have `data-sequence`, the number of their message in the ring."""
    lanes = len(ladder.columns)
    width = _TIMES + 2 * _MARGIN + (lanes - 1) * _GAP
    heights = [_NOTE if row.kind == "note" else _ARROW for row in ladder.rows]
    height = _HEAD + sum(heights) + (_ARROW if ladder.left_off else 0) + 20
    title = f"Call {ladder.call_id}: " + " - ".join(column.title for column in ladder.columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title>",
        f"<style>{escape(CSS)}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
    ]
    for lane, column in enumerate(ladder.columns):
        parts.extend(_column(_middle(lane), height, column))
    before, top = ladder.started_at, _HEAD
    for row, row_height in zip(ladder.rows, heights, strict=True):
        top += row_height
        y = top - 12
        parts.extend(_times(y, row.at - ladder.started_at, row.at - before))
        parts.append(_note(y, row, width) if row.kind == "note" else _arrow(y, row))
        before = row.at
    if ladder.left_off:
        parts.append(f'<text class="detail" x="{_TIMES}" y="{height - 16}">and {ladder.left_off} more not shown</text>')
    return "\n".join([*parts, "</svg>\n"])


def _middle(lane: int) -> int:
    return _TIMES + _MARGIN + lane * _GAP


def _column(x: int, height: int, column: Column) -> Iterator[str]:
    most = int(_GAP / 8)
    yield f'<text class="title" x="{x}" y="22">{escape(_cut(column.title, most))}</text>'
    yield f'<text class="address" x="{x}" y="38">{escape(_cut(column.address, most))}</text>'
    yield f'<line class="life" x1="{x}" x2="{x}" y1="46" y2="{height - 8}"/>'


def _times(y: int, at: float, delta: float) -> Iterator[str]:
    yield f'<text class="time" x="58" y="{y + 4}">{at:.3f}</text>'
    yield f'<text class="delta" x="108" y="{y + 4}">+{delta:.3f}</text>'


def _arrow(y: int, row: Row) -> str:
    here, there = _middle(row.source), _middle(row.target)
    way = 1 if there > here else -1
    most = int((abs(there - here) - 24) / _CHARACTER)
    times = f" ×{row.repeats}" if row.repeats > 1 else ""
    label = _cut(row.label + times, most)
    room = most - len(label) - 2
    detail = f' <tspan class="detail">{escape(_cut(row.detail, room))}</tspan>' if row.detail and room > 3 else ""
    full = escape(f"{row.label}{times} {row.detail}".strip())
    number = f' data-sequence="{row.sequence}" tabindex="0"' if row.sequence is not None else ""
    return (
        f'<g class="{row.kind}"{number}><title>{full}</title>'
        f'<text class="label" x="{(here + there) // 2}" y="{y - 6}">{escape(label)}{detail}</text>'
        f'<line class="shaft" x1="{here}" x2="{there - 8 * way}" y1="{y}" y2="{y}"/>'
        f'<path class="point" d="M{there} {y}l{-9 * way} -4.5v9z"/></g>'
    )


def _note(y: int, row: Row, width: int) -> str:
    x = _middle(PLATEAU)
    text = _cut(row.label, int((width - x - 10) / _NOTE_CHARACTER))
    length = int(len(text) * _NOTE_CHARACTER) + 16
    return (
        f'<g class="note"><title>{escape(row.label)}</title>'
        f'<rect x="{x - 10}" y="{y - 12}" width="{length}" height="22" rx="6"/>'
        f'<text x="{x - 2}" y="{y + 3}">{escape(text)}</text></g>'
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(0, length - 1)] + "…"
