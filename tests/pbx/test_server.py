"""The composition root: every example site can be built, whatever its agents and phones do from the first moment on."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest

from cti.quality import Quality
from pbx.features import Features
from pbx.recordings import Recordings
from pbx.server import Server
from pbx.watching import Watching

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "sites"
SITES = [path for path in sorted(FOLDER.glob("*.yaml")) if ".secrets" not in path.name]


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.stem)
def test_every_example_site_is_built(site: Path, tmp_path: Path) -> None:
    text = site.read_text("utf-8").replace("sqlite:///", f"sqlite:///{tmp_path}/")
    copy = tmp_path / site.name
    copy.write_text(text.replace("prompts: prompts", f"prompts: {site.parent}/prompts"), "utf-8")
    for secret in site.parent.glob("*.secrets.yaml"):
        (tmp_path / secret.name).write_bytes(secret.read_bytes())

    async def build() -> None:
        await Server(copy).close()

    asyncio.run(build())


@pytest.mark.parametrize(
    ("part", "places"),
    [
        (Features, ("pbx/features.py", "pbx/call/rooms.py")), (Quality, ("cti/quality.py",)),
        (Recordings, ("pbx/recordings.py",)), (Watching, ("pbx/watching.py",)),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)  # fmt: skip
def test_parts_follow_the_kinds_of_events_that_they_look_at(part: Any, places: tuple[str, ...]) -> None:
    """Read from the source of their methods `event`."""
    looked_at = set()
    for place in places:
        tree = ast.parse((ROOT / place).read_text("utf-8"))
        methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "event"]
        for node in ast.walk(methods[0]):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "events":
                looked_at.add(node.attr)
            elif isinstance(node, ast.Name) and node.id in ("ItemConnected", "LegQuality"):
                looked_at.add(node.id)
    assert looked_at == {kind.__name__ for kind in part.FOLLOWS}
