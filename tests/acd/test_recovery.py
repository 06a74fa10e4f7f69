"""Random histories, with checkpoints taken and the server killed anywhere: the floor that is made again is the same,
and goes on the same."""

from __future__ import annotations

import json

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import initialize, rule

from acd.checkpoint import keep, take_up
from acd.engine import Engine
from acd.input_log import inputs_of, replay
from tests.acd import test_properties


class Killed(test_properties.Floor):
    """`text` and `entries` are what the database has."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.entries: list[bytes] = []
        self.checkpoint()

    def listen(self, entry: bytes | None) -> None:
        if entry is None:  # it cannot be replayed: what comes after builds on a new checkpoint
            self.text, self.entries = keep(self.engine.floor), []
        else:
            self.entries.append(entry)

    @rule()
    def checkpoint(self) -> None:
        self.text, self.entries = keep(self.engine.floor), []
        self.engine.log = self.listen

    @rule()
    def freeze_and_thaw(self) -> None:
        """In place of what the engine's own properties do: killed, and started again."""
        again = Engine.on(take_up(self.text))
        assert replay(again, [json.loads(entry) for entry in self.entries]) == len(self.entries)
        assert keep(again.floor) == keep(self.engine.floor)
        self.engine = again
        self.engine.log = self.listen

    @rule(queue=st.sampled_from(["asia", "nowhere"]), item=st.sampled_from(["c1", "c9"]))
    def refused(self, queue: str, item: str) -> None:
        """An input that cannot be is refused in the replay, too."""
        for what in (lambda: self.engine.enqueue(item, "nowhere", {}, self.now), lambda: self.engine.login("?", 0.0)):
            try:
                what()
            except Exception as error:
                assert type(error).__name__ in ("UnknownQueue", "UnknownAgent")


TestKilled = Killed.TestCase
TestKilled.settings = settings(derandomize=True, deadline=None, max_examples=120, stateful_step_count=40)


def test_every_input_is_logged() -> None:
    assert {"enqueue", "abandon", "complete", "answer", "fail", "login", "tick", "phone_calls"} <= set(
        inputs_of(Engine)
    )
    assert not {"reconfigure", "take", "next_deadline", "holds"} & set(inputs_of(Engine))
