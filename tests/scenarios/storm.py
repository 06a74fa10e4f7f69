"""`python -m tests.scenarios.storm --seeds 20000`: each flow over a network that loses, repeats and reorders, by many
seeds; `--each-message`: each flow with each of its messages lost, and repeated soon and late, one fault at a time.
Afterwards no dialog, transaction, timer, port, subscription or parked call may be left on any side, whatever became of
the call. What fails is printed with the command that plays it again; exit status 1 if anything did.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pbx.call import events

from . import lossy_dice
from .cycles import cycles, only_new
from .lossy_calls import FLOWS
from .lossy_office import LossyOffice
from .one_fault import LATE_S, SOON_S, OneFault

assert lossy_dice  # its flow is in FLOWS, and those of lossy_services
LOOKS, LOOK_S = 20, 7.0  # while a flow is on
MOST = 60  # messages of a flow that are lost or repeated one by one, from its first on
PROGRESS_S = 30.0


def play(
    name: str, seed: int, folder: Path, network: OneFault | None = None
) -> tuple[list[str], Counter[str]]:  # fmt: skip
    """What is wrong afterwards, and how often each kind of event was told."""
    world = LossyOffice(folder, seed)
    world.network = None if network is None else network.carry
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


def play_each(name: str, folder: Path, *, both: bool) -> Iterator[tuple[str, list[str]]]:
    """The flow with each of its messages lost, and with each repeated, soon or late by turns or `both`: which message
    and what was wrong."""
    good = OneFault()
    play(name, 0, folder, good)
    for number in range(min(good.carried, MOST)):
        for again_s in (None, *((SOON_S, LATE_S) if both else ((SOON_S, LATE_S)[number % 2],))):
            wrong, _ = play(name, 0, folder, OneFault(number, again_s))
            yield f"message {number} {'lost' if again_s is None else f'again after {again_s} s'}", wrong


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
    parser.add_argument("--each-message", action="store_true", help="one fault at a time, in every place there is")
    asked = parser.parse_args()
    names = [asked.flow] if asked.flow else [*FLOWS]
    return each_message(names) if asked.each_message else seeds(names, range(asked.first, asked.first + asked.seeds))


def each_message(names: Sequence[str]) -> int:
    failed = played = 0
    with tempfile.TemporaryDirectory() as folder, only_new():
        for name in names:
            for what, wrong in play_each(name, Path(folder), both=True):
                played += 1
                if wrong:
                    failed += 1
                    say(f"{name}, {what}: {'; '.join(wrong)}")
            say(f"{name}: {played} played, {failed} failed")
    return 1 if failed else 0


def seeds(names: Sequence[str], those: range) -> int:
    failed, played, said = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, only_new():
        for seed in those:
            for name in names:
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
