"""The kept corpus and some thousand mutations of it, the same each time; `python -m tests.fuzz` goes on from there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz import fuzz_flows, fuzz_message, fuzz_readers
from tests.fuzz.budget import TooSlow, checked
from tests.fuzz.mutator import MAX_BYTES, mutate

CORPUS = Path(__file__).parent / "corpus"
MUTATIONS = 16_000
LEAST = {"message": 50, "readers": 20}  # kept inputs
MAX_CORPUS_BYTES = 1_000_000


def inputs(target: str) -> list[bytes]:
    files = sorted((CORPUS / target).iterdir())
    assert len(files) >= LEAST[target], "the kept corpus is gone"
    return [file.read_bytes() for file in files]


def test_the_corpus_is_read_and_refused_as_declared() -> None:
    for data in inputs("message"):
        checked(fuzz_message.run, data, fuzz_message.LIMIT_S)


@pytest.mark.parametrize("seed", range(4))
def test_mutations(seed: int) -> None:
    kept, dice = inputs("message"), random.Random(seed)
    for _ in range(MUTATIONS // 4):
        checked(fuzz_message.run, mutate(dice.choice(kept), dice, kept), fuzz_message.LIMIT_S)


def test_readers() -> None:
    kept, dice = inputs("readers"), random.Random(1)
    for data in [*kept, *(mutate(dice.choice(kept), dice, kept) for _ in range(MUTATIONS // 4))]:
        checked(fuzz_readers.run, data, fuzz_readers.LIMIT_S)


@pytest.mark.parametrize("seed", range(60))
def test_flows(seed: int) -> None:
    """What decides them is of every length: nothing, the first moves, whole rounds."""
    dice = random.Random(seed)
    checked(fuzz_flows.run, dice.randbytes(dice.choice((0, 8, 200, 3000))) + bytes((seed,)), fuzz_flows.LIMIT_S)


def test_the_corpus_stays_small() -> None:
    assert sum(file.stat().st_size for file in CORPUS.rglob("*") if file.is_file()) < MAX_CORPUS_BYTES


def test_mutations_are_bounded_and_repeatable() -> None:
    data = b"v: a\r\n" * 20_000
    made = [mutate(data, random.Random(seed)) for seed in range(50)]
    assert made == [mutate(data, random.Random(seed)) for seed in range(50)]
    assert max(map(len, made)) <= MAX_BYTES
    assert mutate(b"", random.Random(1)) is not None


def test_what_is_always_slow_is_told() -> None:
    def slow(data: bytes) -> None:
        sum(range(200_000))

    with pytest.raises(TooSlow):
        checked(slow, b"", limit_s=0.0001)
