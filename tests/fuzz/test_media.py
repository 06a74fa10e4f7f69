"""A short run of the media target; `make fuzz-media` goes on from there. The first one builds the loop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz import fuzz_media, sanitizer


@pytest.mark.parametrize("seed", range(2))
def test_packets_and_orders(seed: int) -> None:
    fuzz_media.run(seed, 4000)


def test_what_a_sanitizer_finds_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends with a report."""

    async def play(dice: object, moves: int, folder: Path) -> None:
        os.write(2, b"==1==ERROR: AddressSanitizer: heap-buffer-overflow\n")

    monkeypatch.setattr(fuzz_media, "play", play)
    with pytest.raises(fuzz_media.Finding, match="heap-buffer-overflow"):
        fuzz_media.run(1, 1)


def test_the_library_is_loaded_first() -> None:
    assert sanitizer.library().name.startswith("libasan")
