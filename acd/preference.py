"""One agent is waited for: whom an attribute of the call names, or who talked with this number last.

He must serve the queue; the last one must also be able to do what it needs. He is waited for as long as he is logged
in and the queue's `wait_s` is not over, and he is asked once: if he does not take the call, others are asked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd.agent_state import State
from acd.events import ItemPrefers, ItemRelaxed
from acd.model import Agent, WorkItem

if TYPE_CHECKING:
    from acd.floor import Floor

MOST_NUMBERS = 50_000  # remembered at once; beyond, the one that called longest ago is forgotten
DAY_S = 86_400.0


class Talks:
    """Who talked with which number last. Bounded in number and, once `keep_s` is over, in time."""

    __slots__ = ("_last", "forgotten", "keep_s")

    def __init__(self) -> None:
        self.keep_s = 0.0  # the longest that any queue looks back; 0: nothing need be remembered
        self.forgotten = 0  # numbers, because there were too many
        self._last: dict[str, tuple[str, float]] = {}  # number -> agent, when; oldest first

    def __len__(self) -> int:
        return len(self._last)

    def remember(self, number: str, agent: str, now: float) -> None:
        if not number or not self.keep_s:
            return
        self._last.pop(number, None)
        self._last[number] = (agent, now)
        while self._oldest()[1] < now - self.keep_s:
            del self._last[self._oldest()[0]]
        if len(self._last) > MOST_NUMBERS:
            self.forgotten += 1
            del self._last[self._oldest()[0]]

    def last(self, number: str, since: float) -> str | None:
        """The agent who talked with it, if that was at `since` or later."""
        agent, at = self._last.get(number, (None, 0.0))
        return None if at < since else agent

    def set_back(self, by_s: float) -> None:
        """See `acd.set_back`."""
        self._last = {number: (agent, at - by_s) for number, (agent, at) in self._last.items()}

    def _oldest(self) -> tuple[str, float]:
        number, (_, at) = next(iter(self._last.items()))
        return number, at


def begin(floor: Floor, item: WorkItem) -> None:
    """Whom the item waits for, if anybody, now that it is known who calls."""
    wanted = item.queue.prefer
    if wanted is None or floor.now >= item.queued_at + wanted.wait_s or item.preference_over:
        item.preferred = None
        return
    agent = _wanted(floor, item)
    name = None if agent is None else agent.name
    if name is not None and name != item.preferred:
        floor.tell(ItemPrefers(floor.now, item.id, item.queue.name, name, item.queued_at + wanted.wait_s))
    item.preferred = name


def _wanted(floor: Floor, item: WorkItem) -> Agent | None:
    wanted, roster = item.queue.prefer, floor.roster
    assert wanted is not None
    agent = roster.agents.get(str(item.attributes.get(wanted.attribute, "")))
    if agent is not None and _can(agent, item.queue.members):
        return agent
    if wanted.last_agent_days is None or not item.caller:
        return None
    name = floor.talks.last(item.caller, floor.now - wanted.last_agent_days * DAY_S)
    agent = None if name is None else roster.agents.get(name)
    fits = roster.eligible(item.queue, item.attributes, len(item.queue.steps) - 1)
    return agent if agent is not None and _can(agent, fits) else None


def _can(agent: Agent, serving: int) -> bool:
    return agent.state is not State.LOGGED_OUT and not agent.retired and bool(serving >> agent.slot & 1)


def waits_for(floor: Floor, item: WorkItem) -> Agent | None:
    """The agent who is still waited for. If he is no longer, that is told, and it is over."""
    wanted, name = item.queue.prefer, item.preferred
    if name is None:
        return None
    agent = floor.roster.agents.get(name)
    if agent is None or not _can(agent, item.queue.members):
        why = "logged out"
    elif wanted is None or floor.now >= item.queued_at + wanted.wait_s:
        why = "waited for long enough"
    else:
        return agent
    give_up(floor, item, why)
    return None


def give_up(floor: Floor, item: WorkItem, why: str) -> None:
    """He is no longer waited for."""
    name, item.preferred, item.preference_over = item.preferred, None, True
    floor.tell(ItemRelaxed(floor.now, item.id, item.queue.name, item.step, None, f"no longer for {name} alone: {why}"))
