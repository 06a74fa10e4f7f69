"""The process in which atheris runs one target: `python -m tests.fuzz.engine TARGET FINDINGS [libFuzzer options]`.

An input that fails is written to FINDINGS, one for each place where something was raised, and the run goes on.
"""

from __future__ import annotations

import hashlib
import importlib
import random
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris

from tests.fuzz.budget import TooSlow, checked
from tests.fuzz.mutator import mutate

INSTRUMENTED = ["pbx.sip", "pbx.sdp"]


class Findings:
    """Writes the first input of each kind of failure."""

    def __init__(self, name: str, folder: Path, target: Callable[[bytes], None]) -> None:
        self.name = name
        self.folder = folder
        self.target = target
        self.known: set[str] = set()

    def __call__(self, data: bytes) -> None:
        try:
            checked(self.target, data)
        except TooSlow as error:
            if self._slow_by_itself(data):
                self._write(data, error)
        except Exception as error:
            self._write(data, error)

    def _slow_by_itself(self, data: bytes) -> bool:
        """Whether it is slow in a process without atheris, whose counting costs three times what is counted."""
        suspect = self.folder / "suspect"
        suspect.write_bytes(data)
        done = subprocess.run([sys.executable, "-m", "tests.fuzz", self.name, "--replay", str(suspect)], check=False)
        return done.returncode != 0

    def _write(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__}-" + "-".join(f"{frame.name}:{frame.lineno}" for frame in frames[-3:])
        kind = "slow" if isinstance(error, TooSlow) else place
        if kind in self.known:
            return
        self.known.add(kind)
        name = f"{hashlib.sha256(kind.encode()).hexdigest()[:12]}"
        (self.folder / name).write_bytes(data)
        (self.folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)))
        sys.stderr.write(f"FOUND {place}: {error!r:.200} -> {self.folder / name}\n")


def mutation(data: bytes, max_size: int, seed: int) -> bytes:
    """Half by the words of SIP, half by libFuzzer's own ways, which know what compares were nearly met."""
    if seed & 1:
        return bytes(atheris.Mutate(data, max_size)[:max_size])
    return mutate(data, random.Random(seed))[:max_size]


def main() -> None:
    name, folder = sys.argv[1:3]
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module(f"tests.fuzz.fuzz_{name}")
    findings = Findings(name, Path(folder), target.run)
    atheris.Setup([sys.argv[0], *sys.argv[3:]], findings, custom_mutator=mutation)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
