"""Queues and agents outlive the server: what the last one kept is made a floor again, what this one does is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog

from acd.agent_state import State
from acd.checkpoint import CheckpointError, keep, take_up
from acd.desk import Desk
from acd.engine import Engine
from acd.floor import Floor
from acd.input_log import replay
from cti.screen_pop import ScreenPops
from pbx.call.call import Call
from pbx.store.floor import FloorStore, KeptCheckpoint, KeptInputs

log = structlog.get_logger("pbx")


class Rebuilt(NamedTuple):
    """What could be made of what was kept."""

    floor: Floor | None
    inputs: int  # replayed
    problems: tuple[str, ...]  # each in a few words


class Recovery:
    """Joins the desk with its store."""

    def __init__(
        self, url: str, buffer_inputs: int, desk: Desk, pops: ScreenPops, counters: Counter[str]
    ) -> None:
        """Raises BadUrl."""
        self._desk, self._pops, self._counters = desk, pops, counters
        self.store = FloorStore(url, self._snapshot, counters, buffer_inputs=buffer_inputs)

    def _snapshot(self) -> tuple[float, bytes]:
        floor = self._desk.engine.floor
        return floor.now, keep(floor)

    async def open(self) -> None:
        """The desk, which still waits, has the last server's floor. Raises DatabaseUnreachable."""
        found = rebuild(*await self.store.read())
        self._counters["floor_inputs_replayed"] += found.inputs
        if found.floor is not None:
            self._desk.take_up(found.floor)
        self._tell(found)
        self._desk.engine.log = self.store.append
        self.store.start()

    def revived(self, call: Call) -> None:
        """A call that outlived the last server: in a queue again, or on the screen of the agent who talks."""
        attempt = call.connected
        if self._desk.revived(call) and attempt is not None and attempt.agent is not None:
            self._pops.again(call, attempt.agent, self._desk.engine.floor.items[call.id].queue.name)

    def _tell(self, found: Rebuilt) -> None:
        what: dict[str, Any] = {}
        if found.floor is not None:
            what["calls"] = len(found.floor.items)
            agents = found.floor.roster.agents.values()
            what["agents"] = sum(agent.state is not State.LOGGED_OUT for agent in agents)
            what["inputs"] = found.inputs
        if found.problems:
            self._counters["floor_recovery_problems"] += 1
            how = "in part" if found.floor is not None else "not at all"
            why = "; ".join(found.problems)
            log.error("queues and agents are not as the last server left them", restored=how, why=why, **what)
        elif found.floor is not None:
            log.info("queues and agents are as the last server left them", **what)


def rebuild(checkpoints: Sequence[KeptCheckpoint], rows: Sequence[KeptInputs]) -> Rebuilt:
    """The newest checkpoint that can be read, and all inputs after it up to a gap or one that cannot be played."""
    problems: list[str] = []
    for checkpoint in checkpoints:
        try:
            engine = Engine.on(take_up(checkpoint.text))
        except CheckpointError as error:
            problems.append(f"checkpoint {checkpoint.number}: {error}")
            continue
        entries, problem = _entries(rows, checkpoint.number)
        played = 0
        try:
            for entry in entries:
                replay(engine, [entry])
                played += 1
        except Exception as error:  # what it did in part is undone by doing all before it anew
            problem = f"input {checkpoint.number + played} ({str(entries[played])[:60]}): {error!r}"
            engine = Engine.on(take_up(checkpoint.text))
            replay(engine, entries[:played])
        return Rebuilt(engine.floor, played, (*problems, problem) if problem else tuple(problems))
    return Rebuilt(None, 0, tuple(problems))


def _entries(rows: Sequence[KeptInputs], number: int) -> tuple[list[list[Any]], str | None]:
    """What follows checkpoint `number`, and what is wrong with the rest."""
    found: list[list[Any]] = []
    for row in rows:
        if row.first < number:
            continue
        if row.first != number:
            return found, f"inputs {number} to {row.first - 1} are missing"
        try:
            entries = json.loads(row.data)
        except ValueError as error:
            return found, f"inputs from {number} on: {error}"
        if not isinstance(entries, list) or len(entries) != row.inputs:
            return found, f"inputs from {number} on: not {row.inputs} of them"
        found += entries
        number += row.inputs
    return found, None
