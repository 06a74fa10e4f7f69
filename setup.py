"""Builds the native modules; all static metadata is in pyproject.toml.

* The media loop is written in Cython.
* The SIP core, the calls and the ACD are plain, typed Python that mypyc compiles: the same source at half the CPU time.
  Without the compiled modules (`make pure`, `PLATEAU_PURE=1`) everything runs all the same. Constants of theirs that
  tests set are not `Final`, which would be compiled in.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from mypyc.build import mypycify
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

COMPILED = ("pbx/sip", "pbx/sdp", "pbx/call", "acd")
INTERPRETED = {
    "framing.py",  # inherited from by pbx.transport
    "errors.py",  # exceptions, whose class attributes mypyc does not pass on
    "events.py",  # dataclasses that inherit fields
    "screening.py", "targets.py",  # tests put others in their place
    # Of the ACD: the engine's methods are wrapped when they are loaded, and what callers gave is looked at here.
    "engine.py", "agent_changes.py", "agent_inputs.py", "callback_inputs.py", "input_log.py",
    # What runs seldom, or is put in place of by tests.
    "callback_errors.py", "callback_events.py", "checkpoint.py", "erlang.py", "explain.py", "reload.py", "report.py",
    "restart.py", "rules.py", "site_check.py", "site_check_agents.py", "site_check_routing.py", "statistics_view.py",
    "view.py",
}  # fmt: skip
#: Types are checked by `make lint`; what is imported need not even be installed here.
MYPY = ["--ignore-missing-imports", "--follow-imports=silent", "--no-warn-unused-ignores", "--config-file="]


class BuildNative(build_ext):
    """Says in one line what the machine lacks, instead of a screen of compiler output."""

    def build_extensions(self) -> None:
        compiler = (getattr(self.compiler, "compiler_so", None) or ["cc"])[0]
        header = Path(sysconfig.get_paths()["include"]) / "Python.h"
        if shutil.which(compiler) is None:
            sys.exit(f"plateau: no C compiler ({compiler}); on Debian or Ubuntu: sudo apt-get install build-essential")
        if not header.exists():
            sys.exit(f"plateau: no {header}; on Debian or Ubuntu: sudo apt-get install python3-dev")
        if sys.platform != "linux":
            sys.exit("plateau: the media loop needs Linux (epoll, memfd)")
        super().build_extensions()


def compiled() -> list[Extension]:
    """The modules that mypyc compiles; what was compiled from modules that are no more is removed."""
    for folder in COMPILED:
        for library in Path(folder).glob("*.so"):
            source = library.with_name(library.name.partition(".")[0] + ".py")
            if not source.exists() or source.name in INTERPRETED:
                library.unlink()
    if os.environ.get("PLATEAU_PURE"):
        return []
    found = [path for folder in COMPILED for path in sorted(Path(folder).glob("*.py"))]
    files = [str(path) for path in found if path.name not in INTERPRETED | {"__init__.py"}]
    modules: list[Extension] = mypycify([*MYPY, *files], opt_level="3", debug_level="0")
    return modules


setup(
    cmdclass={"build_ext": BuildNative},
    ext_modules=[
        *cythonize(
            [Extension("media.worker.loop", ["media/worker/loop.pyx"], extra_compile_args=["-O2"])], language_level=3
        ),
        *compiled(),
    ],
)
