"""docs/cti-protocol.md against the program: addresses, message types and examples."""

from __future__ import annotations

import json
import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

import acd.callback_events
import acd.events
import ivr.events
import pbx.call.events
import pbx.routing.events
from cti import domain_events, models
from cti.codes import is_code
from cti.commands import COMMANDS
from cti.events import wire_name
from cti.routes import ROUTES
from cti.screen_pop import POP_BYTES, PopSent
from cti.web_sessions import SESSION_BYTES

TEXT = (Path(__file__).parents[2] / "docs" / "cti-protocol.md").read_text()
BLOCKS: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.S)]
EVENTS = {
    wire_name(kind): set(kind.__annotations__) - {"topic"}
    for module in (
        acd.events, acd.callback_events, ivr.events, pbx.call.events, pbx.routing.events, domain_events,
    )
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind)
}


def test_every_address_in_it_exists() -> None:
    addresses = set(re.findall(r"`(GET|POST) (/[^`? ]*)`", TEXT))
    assert len(addresses) > 10 and addresses <= {(route.method, route.path) for route in ROUTES}


def test_every_event_is_in_it() -> None:
    assert {name for name in EVENTS if f"`{name}`" not in TEXT} == set()


@pytest.mark.parametrize("example", [b for b in BLOCKS if b.get("type") in EVENTS], ids=lambda b: b["type"])
def test_event_examples_have_the_events_fields(example: dict[str, Any]) -> None:
    assert set(example) == EVENTS[example["type"]] | {"type", "sequence"}


def test_pop_examples_have_the_pops_fields() -> None:
    for example in (b for b in BLOCKS if b.get("type") in ("offer", "connected", "retract")):
        full = example["type"] == "offer"
        pop = PopSent(1.0, example["type"], "p", "marie", "c", "no_answer", {"attributes": {}} if full else None)
        assert set(json.loads(pop.encode(1))) == set(example)


def test_other_examples_fit_the_models() -> None:
    post = next(b for b in BLOCKS if "token" in b and "basket" in b)
    models.WebSessionPost.model_validate(post)
    models.WebSessionStored.model_validate(next(b for b in BLOCKS if "calls_updated" in b))
    assert is_code(models.Code.model_validate(next(b for b in BLOCKS if "code" in b)).code)
    models.Problem.model_validate(next(b for b in BLOCKS if "errors" in b))
    assert {b["command"] for b in BLOCKS if "command" in b} <= set(COMMANDS)
    for command in COMMANDS:
        assert f"`{command}`" in TEXT


def test_numbers_in_it_are_the_programs() -> None:
    assert f"{SESSION_BYTES:,} bytes" in TEXT and f"{POP_BYTES // 1024} kB" in TEXT
