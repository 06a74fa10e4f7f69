"""Modules of `pbx.call` may be asked for in any order, compiled ones too."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["park", "conference", "supervision", "outbound"])
def test_a_module_is_the_first_that_is_asked_for(module: str) -> None:
    command = [sys.executable, "-c", f"import pbx.call.{module}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
