"""Builds the native modules; all static metadata is in pyproject.toml."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


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


setup(
    cmdclass={"build_ext": BuildNative},
    ext_modules=cythonize(
        [Extension("media.worker.loop", ["media/worker/loop.pyx"], extra_compile_args=["-O2"])],
        language_level=3,
    ),
)
