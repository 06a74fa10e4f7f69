"""Sites to simulate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from config.schema import Site

MakeFloor = Callable[..., Site]


@pytest.fixture(scope="session")
def make_floor() -> MakeFloor:
    """Agents (a number: so many, alike) and queues, whose callers all count."""

    def make(agents: int | Mapping[str, Mapping[str, Any]], **queues: Mapping[str, Any]) -> Site:
        named = {f"a{n}": {} for n in range(1, agents + 1)} if isinstance(agents, int) else agents
        plain = {"wrap_up_s": 0, "service_level": {"within_s": 20, "short_abandon_s": 0}}
        return Site.model_validate(
            {
                "site": "test",
                "listen": {"sip": ["udp:127.0.0.1:5060"]},
                "agents": {name: {"contact": f"sip:{name}@127.0.0.1", **agent} for name, agent in named.items()},
                "queues": {name: {**plain, **queue} for name, queue in (queues or {"sales": {}}).items()},
            }
        )

    return make
