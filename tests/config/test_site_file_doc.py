"""The examples of docs/site-file.md are right, and it speaks of every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_origin

import pytest

from config.loader import load
from config.schema import VERBS, Site
from config.words import Spot

DOC = (Path(__file__).parents[2] / "docs" / "site-file.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)
PROMPTS = "welcome web_code destination_menu invalid_choice closed opening_hours music".split()


def test_the_examples_make_one_site(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    for prompt in PROMPTS:
        (tmp_path / "prompts" / f"{prompt}.wav").touch()
    text = "".join(EXAMPLES).replace("queues:\n", "queues:\n  sales: {}\n")
    text = text.replace("  welcome:\n", "  echo: {s: {echo: true}}\n  welcome:\n")
    (tmp_path / "doc.yaml").write_text(text)
    environment = {f"PLATEAU_SECRET_{name.upper()}": "x" * 32 for name in re.findall(r"!secret (\w+)", text)}
    site = load(tmp_path / "doc.yaml", environment)
    assert set(site.model_fields_set) == set(Site.model_fields)


def keys(spot: Spot) -> set[str]:
    """The keys of a spot and of all below it."""
    found = set(spot.keys)
    if spot.model:
        for field in spot.model.model_fields.values():
            found |= keys(Spot.of(field))
    elif get_origin(spot.type) in (dict, tuple):
        found |= keys(Spot.of([a for a in get_args(spot.type) if a is not Ellipsis][-1]))
    return found


def test_every_key_is_spoken_of() -> None:
    known = keys(Spot(Site)).union(*(Spot(model).keys for model in VERBS.values()))
    missing = {key for key in known if not re.search(rf"\b{key}\b", DOC)}
    assert missing == set()
    assert {"max_contacts", "username", "retries", "holidays"} <= known


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_table(verb: str) -> None:
    assert f"**`{verb}`**" in DOC
