"""Scanners by what they say of themselves: the tools that look for open switches rarely care to change it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pbx.sip.message import Request

#: Substrings of User-Agent, any case.
USER_AGENTS: Final = (
    "friendly-scanner", "friendly-request", "sipvicious", "sipcli", "sundayddr", "pplsip", "vaxsipuseragent",
    "sip-scan", "iwar", "sivus", "smap", "sippts",
)  # fmt: skip
#: What a probe has in From, whatever its User-Agent: sipvicious, nmap.
_FROM: Final = ("sipvicious", "sip:100@1.1.1.1", "sip:nm@nm")
_REMEMBERED: Final = 2048  # User-Agents


class Scanners:
    """Knows scanners, the site's own list included."""

    __slots__ = ("_agents", "_known", "_names")

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._names = (*USER_AGENTS, *[name.lower() for name in more])
        self._known = re.compile("|".join(re.escape(name) for name in self._names))
        self._agents: dict[str, str | None] = {}  # User-Agent -> what it matched

    def match(self, request: Request) -> str | None:
        """The fingerprint that this request bears; None for a decent one."""
        agent = request.get("User-Agent")
        if agent is not None:
            try:
                name = self._agents[agent]
            except KeyError:
                name = self._look(agent)
            if name is not None:
                return name
        origin = request.get("From") or ""
        for mark in _FROM:
            if mark in origin:
                return mark
        return None

    def _look(self, agent: str) -> str | None:
        if len(self._agents) >= _REMEMBERED:
            self._agents.clear()
        found = self._known.search(agent.lower())
        name = self._agents[agent] = found[0] if found else None
        return name
