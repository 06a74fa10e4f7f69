"""JSON lines between a softphone's two processes."""

from __future__ import annotations

import json
import os

from bench.softphones.channel import Channel, Lines


def test_commands_are_cut_wherever_the_pipe_cuts_them() -> None:
    lines = Lines()
    assert lines.feed(b'{"id": 1, "do": "call"}\n{"id": 2') == [{"id": 1, "do": "call"}]
    assert lines.feed(b', "do": "end"}\n\n') == [{"id": 2, "do": "end"}]


def test_answers_refusals_and_events_are_one_line_each() -> None:
    read_end, write_end = os.pipe()
    channel = Channel(write_end)
    channel.answer(1)
    channel.refuse(2, "no such call")
    channel.event("ended", call=3)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        answered, refused, event = (json.loads(line) for line in pipe)
    assert answered == {"id": 1, "ok": {}}
    assert refused == {"id": 2, "error": "no such call"}
    assert (event["event"], event["call"]) == ("ended", 3) and event["at"] > 0


def test_a_parent_that_went_away_is_no_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    Channel(write_end).event("ended", call=1)
    os.close(write_end)
