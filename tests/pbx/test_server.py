"""The composition root: every example site can be built, whatever its agents and phones do from the first moment on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pbx.server import Server

FOLDER = Path(__file__).parents[2] / "config" / "sites"
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
