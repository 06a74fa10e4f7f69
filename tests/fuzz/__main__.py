"""`python -m tests.fuzz TARGET`: long runs with atheris, replay of an input, and the kept corpus.

    message   one input as message, stream and session description, and every value in it (fuzz_message)
    flows     a whole switch, its peers and its network by the input (fuzz_flows)
    readers   one input of a reader of the media plane, which the first octet names (fuzz_readers)

New inputs go to .fuzz/TARGET, those that fail to .fuzz/findings; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.arcs import fewest
from tests.fuzz.budget import checked
from tests.fuzz.findings import Findings
from tests.fuzz.mutator import TOKENS, mutate

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "corpus"
WORK = ROOT / ".fuzz"
TARGETS = ("message", "flows", "readers")
MAX_WORD = 64  # of libFuzzer
PROGRESS_S = 30.0  # from one line to the next


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=1_000_000, help="executions; default: %(default)s")
    parser.add_argument("--max-bytes", type=int, default=4096, help="longest input; default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="after the run take what goes new ways into the corpus")
    parser.add_argument("--seed", type=int, help="without atheris: mutations of the corpus and of each other, by dice")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="run these inputs once, without atheris")
    asked = parser.parse_args()
    if asked.replay:
        return replay(asked.target, asked.replay)
    if asked.seed is not None:
        return throw(asked.target, asked.runs, asked.max_bytes, asked.seed)
    status = fuzz(asked.target, asked.runs, asked.max_bytes)
    if asked.keep:
        keep(asked.target)
    return status


def replay(target: str, files: list[Path]) -> int:
    """1 if one of them fails; the exception is shown."""
    module = importlib.import_module(f"tests.fuzz.fuzz_{target}")
    for file in files:
        checked(module.run, file.read_bytes(), module.LIMIT_S)
    return 0


def throw(target: str, runs: int, max_bytes: int, seed: int) -> int:
    """Four times as fast as atheris, and blind: what a mutation changed is kept for a while to be mutated again."""
    module, dice = importlib.import_module(f"tests.fuzz.fuzz_{target}"), random.Random(seed)
    pool = [data for data in inputs(target) if len(data) <= max_bytes]
    kept = len(pool)
    findings = Findings(WORK / "findings", module.run, module.LIMIT_S)
    began = told = time.perf_counter()
    for number in range(1, runs + 1):
        data = mutate(dice.choice(pool), dice, pool)[:max_bytes]
        findings(data)
        if number % 10 == 0:
            if len(pool) < 2 * kept:
                pool.append(data)
            else:
                pool[dice.randrange(kept, len(pool))] = data
        now = time.perf_counter()
        if now - told > PROGRESS_S or number == runs:
            told = now
            sys.stdout.write(
                f"{number:,} runs, {number / (now - began):,.0f} a second, {len(findings.known)} findings\n"
            )
            sys.stdout.flush()
    return 1 if findings.known else 0


def inputs(target: str) -> list[bytes]:
    """The kept corpus and what earlier runs found."""
    folders = (KEPT / target, WORK / target)
    return [file.read_bytes() for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]


def fuzz(target: str, runs: int, max_bytes: int) -> int:
    findings = WORK / "findings"
    for folder in (findings, WORK / target, KEPT / target):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(findings.glob("*.txt"))
    words = WORK / "words"
    words.write_text("".join(f'"{escaped(token)}"\n' for token in TOKENS if len(token) <= MAX_WORD))
    options = [f"-runs={runs}", f"-max_len={max_bytes}", f"-dict={words}", "-print_final_stats=1", "-verbosity=0"]
    folders = [str(WORK / target), str(KEPT / target)]
    done = engine(target, findings, *options, *folders)
    new = sorted(set(findings.glob("*.txt")) - before)
    for file in new:
        sys.stdout.write(f"finding: {file}\n")
    return 1 if new or done else 0


def escaped(token: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in token)


def keep(target: str) -> None:
    """Take what goes a new way into the kept corpus; what a smaller input shows as well leaves it."""
    run = importlib.import_module(f"tests.fuzz.fuzz_{target}").run
    kept = fewest(run, inputs(target))
    for file in (KEPT / target).iterdir():
        file.unlink()
    for data in kept:
        (KEPT / target / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def engine(target: str, findings: Path, *options: str) -> int:
    command = [sys.executable, "-m", "tests.fuzz.engine", target, str(findings), *options]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
