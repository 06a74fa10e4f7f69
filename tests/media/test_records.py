"""The records have the sizes and numbers the native side was built with."""

from __future__ import annotations

import pytest

from media import records
from media.plane import PLAYLIST_LONGEST, RemoteMedia
from media.worker import loop

REMOTE = RemoteMedia("192.0.2.7", 4000, "PCMA", 8, 101)


def test_both_sides_agree() -> None:
    assert records.VERSION == loop.RECORD_VERSION
    assert records.COMMAND_BYTES == loop.COMMAND_BYTES
    assert records.EVENT_BYTES == loop.EVENT_BYTES
    assert PLAYLIST_LONGEST == loop.PLAYLIST_LONGEST
    assert records.PROMPTS_MOST == loop.PROMPTS_MOST


def test_every_command_has_the_one_size() -> None:
    commands = [
        records.hello(30), records.ping(), records.lease(1, 2), records.connect(1, 2, REMOTE),
        records.bridge(1, 2, 3, 4), records.play(1, 2, 3, [7] * 32, True),
        records.play(1, 2, 3, [], False), records.silence(1, 2),
        records.echo(1, 2), records.send_digit(1, 2, "#", 100), records.release(1, 2), records.prompt(3),
        records.forget(3), records.record(1, 2, 3, 4, 5), records.mask(1, 2, 3, True), records.stop_recording(1, 2, 3),
        records.stop(), records.watch(1, 2, 1000), records.tell_stats(1, 2, 3), records.retire(),
        records.open_missing(),
    ]  # fmt: skip
    assert {len(command) for command in commands} == {records.COMMAND_BYTES}
    assert len({command[0] for command in commands}) == 20


@pytest.mark.parametrize(
    ("host", "port", "family"),
    [
        ("192.0.2.7", 4000, 4),
        ("2001:db8::1", 4000, 6),
        ("0.0.0.0", 4000, 0),
        ("::", 4000, 0),
        ("192.0.2.7", 0, 0),
        ("phone.example.com", 4000, 0),
    ],
)
def test_addresses_nothing_can_be_sent_to(host: str, port: int, family: int) -> None:
    record = records.connect(0, 1, RemoteMedia(host, port, "PCMU", 0))
    assert int.from_bytes(record[16:18], "little") == family


def test_odd_numbers_do_not_raise() -> None:
    """Numbers come from the peer's SDP."""
    records.connect(0, 1, RemoteMedia("192.0.2.7", 65535, "PCMU", 300, 400))
    records.send_digit(0, 1, "1", -5)
    records.send_digit(0, 1, "1", 10**6)


def test_torn_message() -> None:
    assert records.events(b"") == []
    assert records.events(b"x" * 39) == []
    assert len(records.events(bytes(records.EVENT_BYTES + 1))) == 1
