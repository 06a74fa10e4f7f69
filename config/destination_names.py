"""The names behind destinations: `queue NAME` and the like must exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from config.conferences import NEW
from config.findings import Finding, Names
from config.schema import Destination, ParkingLot
from config.values import Path

NAMED_IN = {
    "extension": "extensions", "queue": "queues", "ivr": "ivr", "trunk": "trunks", "group": "groups", "park": "park",
    "pickup": "extensions", "conference": "conferences",
}  # fmt: skip
"""In which section the name stands, by what comes before it."""
_NAMELESS = (Destination("pickup", "group"), Destination("conference", NEW))
ACTS = ("pickup", "set", "add", "supervise", "agent")  # destinations that act for who dials them
PLACEHOLDER = re.compile(r"\{number(:\d+)?\}")


def check_destination(
    destination: Destination, path: Path, names: Names, *, template: bool = False
) -> Iterator[Finding]:
    """The name behind `queue NAME` and the like; in the dial plan it may hold {number}."""
    name = PLACEHOLDER.sub("", destination.name) if template else destination.name
    if "{" in name or "}" in name:
        expected = "{number} or {number:N}" if template else "no { }: only the dial plan has a dialled number"
        yield Finding(path, f'"{destination}"', expected)
    elif destination.kind == "park":
        yield from _park_place(destination.name, path, names)
    elif destination.kind == "supervise" and name == destination.name:
        yield from _supervised(name.partition(" ")[2], path, names)
    elif name == destination.name and destination.kind in NAMED_IN and destination not in _NAMELESS:
        word = "extension" if destination.kind == "pickup" else destination.kind
        yield from names.check(NAMED_IN[destination.kind], name, path, word)


def _park_place(name: str, path: Path, names: Names) -> Iterator[Finding]:
    """`LOT` or `LOT SLOT`; the slot may hold {number}."""
    lot, _, slot = name.partition(" ")
    if "{" not in lot:
        yield from names.check("park", lot, path, "parking lot")
    lots = names.raw.get("park")
    spec = lots.get(lot) if isinstance(lots, Mapping) else None
    written = spec.get("slots") if isinstance(spec, Mapping) else None
    if slot and "{" not in slot and isinstance(written, str):
        try:
            slots = ParkingLot.model_validate({"slots": str(written)}).slots
        except ValueError:  # a mistake of its own
            return
        if not slots.has(slot):
            yield Finding(path, f'"{slot}"', f"a slot of the lot {lot}, one of {written}")


def _supervised(name: str, path: Path, names: Names) -> Iterator[Finding]:
    """An agent, or his extension."""
    if name not in names.of("extensions"):
        yield from names.check("agents", name, path, "agent")
