"""Conference rooms and supervisors: their keys, and the names they speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.conferences import Room, Supervision
from config.errors import SiteError
from config.loader import load

HEAD = """site: x
listen: {sip: ['udp:127.0.0.1:5060']}
extensions: {101..103: {password: x}}
agents: {anna: {extension: 101}, ben: {extension: 102}}
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + text)
    try:
        load(path)
    except SiteError as error:
        return [str(one).partition(": ")[2] for one in error.problems]
    return []


def test_everything_that_fits(tmp_path: Path) -> None:
    assert not problems(
        tmp_path,
        "conferences: {sales: {pin: 0123, max_members: 10}}\n"
        "supervision: {supervisors: {103: {agents: [anna, ben], modes: monitor}}}\n"
        "numbers: {'800': conference sales, '801': conference new}\n"
        "dial_plan:\n  - {match: '*3X.', to: 'add {number:2}'}\n"
        "  - {match: '*41XXX', to: 'supervise monitor {number:3}'}\n  - {match: '*5', to: supervise barge anna}\n"
        "  - {match: '*6', to: supervise whisper 102}\n",
    )


def test_a_pin_keeps_its_zeros() -> None:
    room = Room.model_validate({"pin": "0123"})
    assert room.pin is not None and room.pin.get_secret_value() == "0123" and "0123" not in repr(room)


def test_all_modes_and_agents_unless_told() -> None:
    supervision = Supervision.model_validate({"supervisors": {"103": {}}})
    assert supervision.supervisors["103"].modes == ("monitor", "whisper", "barge")
    assert supervision.supervisors["103"].agents is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("numbers: {'800': conference sale}\nconferences: {sales: {}}\n", "an existing conference"),
        ("conferences: {new: {}}\n", "another name"),
        ("conferences: {sales: {pin: abcd}}\n", "digits"),
        ("conferences: {sales: {max_members: 65}}\n", "64"),
        ("supervision: {supervisors: {109: {}}}\n", "an existing extension"),
        ("supervision: {supervisors: {103: {agents: carl}}}\n", "an existing agent"),
        ("supervision: {supervisors: {103: {modes: shout}}}\n", "monitor"),
        ("numbers: {'800': supervise monitor carl}\n", "an existing agent"),
        ("numbers: {'800': supervise anna}\n", "supervise monitor|whisper|barge AGENT"),
        ("groups: {a: {extensions: 101, otherwise: add 102}}\n", "that takes calls"),
        ("conferences: {sales: {music: jazz}}\n", "media.prompts"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, text)
    assert any(said in one for one in found), found
