"""`python -m tests.scenarios.storm --seeds 20000`: each flow over a network that loses, repeats and reorders, by many
seeds. Afterwards no dialog, transaction, timer, port, subscription or parked call may be left on any side, whatever
became of the call. What fails is printed with the command that plays it again; exit status 1 if anything did.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pbx.call import events

from . import lossy_dice
from .cycles import cycles, only_new
from .lossy_calls import FLOWS
from .lossy_office import LossyOffice

assert lossy_dice  # its flow is in FLOWS, and those of lossy_services
LOOKS, LOOK_S = 20, 7.0  # while a flow is on
PROGRESS_S = 30.0


def play(name: str, seed: int, folder: Path) -> tuple[list[str], Counter[str]]:
    """What is wrong afterwards, and how often each kind of event was told."""
    world = LossyOffice(folder, seed)
    with cycles() as found:
        FLOWS[name](world)
        wrong = [one for _ in range(LOOKS) for one in look(world)]
        world.run(2000)
        for agent in list(world.agents.values()):
            for side in agent.sides.values():
                side.cancel()
        world.run(200)
    wrong += [f"{one} in a reference cycle" for one in found]
    wrong += [f"{count} {what} left" for what, count in world.leaks().items()]
    wrong += [f"{world.counters[name]} {name}" for name in ("sip_malformed",) if world.counters[name]]
    return wrong + unpaired(world.events), Counter(type(event).__name__ for event in world.events)


def look(world: LossyOffice) -> list[str]:
    """Some seconds pass; what is wrong then?"""
    world.run(LOOK_S)
    return world.astray()


def unpaired(told: Sequence[object]) -> list[str]:
    """Calls and legs whose end was told more or less often than once."""
    begun = {event.call_id for event in told if isinstance(event, events.CallStarted)}
    ended = Counter(event.call_id for event in told if isinstance(event, events.CallEnded))
    legs = {(event.call_id, event.leg) for event in told if isinstance(event, events.LegStarted | events.LegMoved)}
    over = Counter((event.call_id, event.leg) for event in told if isinstance(event, events.LegEnded))
    callers = {(call_id, 1) for call_id in begun}
    wrong = [f"call {one} ended {ended[one]} times" for one in begun | set(ended) if ended[one] != 1]
    return wrong + [f"leg {one} ended {over[one]} times" for one in (legs | set(over)) - callers if over[one] != 1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.storm", description=__doc__.partition(":")[0])
    parser.add_argument("--seeds", type=int, default=100, help="of each flow; default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="the first seed; default: %(default)s")
    parser.add_argument("--flow", choices=sorted(FLOWS), help="only this one")
    asked = parser.parse_args()
    failed, played, said = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, only_new():
        for seed in range(asked.first, asked.first + asked.seeds):
            for name in (asked.flow,) if asked.flow else FLOWS:
                played += 1
                try:
                    wrong, _ = play(name, seed, Path(folder))
                except Exception:
                    wrong = [traceback.format_exc()]
                if wrong:
                    failed += 1
                    say(f"--flow {name} --first {seed} --seeds 1: {'; '.join(wrong)}")
            if time.monotonic() - said > PROGRESS_S:
                said = time.monotonic()
                say(f"{played} played, {failed} failed, seed {seed}")
    say(f"{played} played, {failed} failed")
    return 1 if failed else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
