"""Which libopus is taken."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from config.schema import PortRange
from media.plane import MediaError
from media.worker import opus
from media.worker_plane import WorkerPlane

LOAD = "import sys; from media.worker.loop import load_opus; print(load_opus(sys.argv[1:]))"


@pytest.mark.parametrize("name", opus.libraries())
def test_every_library_codes(name: str) -> None:
    """Debian's, and the one in PyAV's wheel; each in a process of its own, since the first one stays."""
    code = "from media.worker.loop import SoundDecoder as D, SoundEncoder as E; "
    code += "print(len(D(111).decode(E(111).encode(bytes(640)))))"
    command = [sys.executable, "-c", f"{LOAD}; {code}", "libnone.so.7", name]
    done = subprocess.run(command, capture_output=True, text=True)
    version, size = done.stdout.splitlines()
    assert version.startswith("libopus")
    assert size == "640"


def test_without_it_there_is_no_opus() -> None:
    code = "from media.worker.loop import SoundEncoder as E; E(9); E(111)"
    done = subprocess.run([sys.executable, "-c", f"{LOAD}; {code}", "libnone.so.7"], capture_output=True, text=True)
    assert done.stdout == "None\n"
    assert "ValueError: codec 111 can't be encoded" in done.stderr


async def test_a_site_with_opus_does_not_start_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise OSError(name)

    assert opus.missing() is None
    monkeypatch.setattr(ctypes, "CDLL", none)
    opus.missing.cache_clear()
    try:
        plane = WorkerPlane("127.0.0.1", None, PortRange(41000, 41001), opus=True)
        with pytest.raises(MediaError, match="apt-get install libopus0"):
            await plane.start()
    finally:
        opus.missing.cache_clear()
