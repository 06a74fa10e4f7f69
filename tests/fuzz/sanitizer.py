"""The media loop under AddressSanitizer and UndefinedBehaviorSanitizer: a build of its own, and what a worker needs to
run it. What they find ends the worker.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILDS = ROOT / ".fuzz" / "sanitized"
# Records are packed, so what they hold is not aligned, and gcc shifts negative numbers left as one expects.
SANITIZE = "-fsanitize=address,undefined -fno-sanitize=alignment,shift-base -fno-sanitize-recover=undefined"
FLAGS = f"{SANITIZE} -fno-omit-frame-pointer"


class SanitizerMissing(Exception):
    """The compiler has no sanitizers, or the build failed."""


def library() -> Path:
    """libasan, which must be loaded first. Raises SanitizerMissing."""
    path = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=False).stdout
    if not os.path.isabs(path.strip()):
        raise SanitizerMissing("gcc has no libasan")
    return Path(path.strip()).resolve()


def built() -> Path:
    """The loop with sanitizers; built once for the same source. Raises SanitizerMissing."""
    sources = sorted((ROOT / "media/worker").glob("*.p[yx][xi]"))
    mark = hashlib.sha256(b"".join(one.read_bytes() for one in sources) + FLAGS.encode()).hexdigest()[:12]
    folder = BUILDS / mark
    if not (found := list(folder.glob("media/worker/loop*.so"))):
        command = [sys.executable, "setup.py", "-q", "build_ext", "--force", f"--build-lib={folder}"]
        command.append(f"--build-temp={folder / 'objects'}")
        flags = {"CFLAGS": f"{FLAGS} -g -O1", "LDFLAGS": FLAGS, "PLATEAU_PURE": "1"}
        made = subprocess.run(command, cwd=ROOT, env=os.environ | flags, capture_output=True, text=True, check=False)
        if made.returncode or not (found := list(folder.glob("media/worker/loop*.so"))):
            raise SanitizerMissing(made.stderr[-2000:])
    return found[0]


@contextmanager
def sanitized(reports: Path) -> Iterator[None]:
    """Media workers that are started meanwhile run the loop with sanitizers; what they write to standard error, the
    reports among it, goes to `reports`."""
    options = "exitcode=99:detect_leaks=0:print_stacktrace=1"
    values = {
        "PLATEAU_LOOP": str(built()),
        "LD_PRELOAD": str(library()),
        "ASAN_OPTIONS": f"{options}:allocator_may_return_null=1",
        "UBSAN_OPTIONS": f"{options}:halt_on_error=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(Path(__file__).parent / "sanitized"),
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    sys.stderr.flush()
    kept = os.dup(2)
    with reports.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
