"""Builds the native modules; all static metadata is in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    ext_modules=cythonize(
        [Extension("media.worker.loop", ["media/worker/loop.pyx"], extra_compile_args=["-O2"])],
        language_level=3,
    )
)
