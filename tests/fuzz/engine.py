"""The process in which atheris runs one target: `python -m tests.fuzz.engine TARGET FINDINGS [libFuzzer options]`."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from pathlib import Path

import atheris
from atheris.import_hook import HookManager

from tests.fuzz.findings import Findings
from tests.fuzz.mutator import mutate

INSTRUMENTED = {"pbx", "media"}


def mutation(data: bytes, max_size: int, seed: int) -> bytes:
    """Half by the words of SIP, half by libFuzzer's own ways."""
    if seed & 1:
        return bytes(atheris.Mutate(data, max_size)[:max_size])
    return mutate(data, random.Random(seed))[:max_size]


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    # `instrument_imports` would watch every compare, too: four times the cost, for words that the mutator knows.
    with HookManager(INSTRUMENTED, set(), True, trace_dataflow=False):
        target = importlib.import_module(f"tests.fuzz.fuzz_{name}")

    def is_slow(data: bytes) -> bool:
        """In a process without atheris, whose counting costs three times what is counted."""
        suspect = folder / "suspect"
        suspect.write_bytes(data)
        command = [sys.executable, "-m", "tests.fuzz", name, "--replay", str(suspect)]
        return subprocess.run(command, capture_output=True, check=False).returncode != 0

    findings = Findings(folder, target.run, target.LIMIT_S, is_slow)
    atheris.Setup([sys.argv[0], *sys.argv[3:]], findings, custom_mutator=mutation)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
