"""Extensions, hunt groups, parking lots: their small languages, and the names they speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SiteError
from config.loader import load
from config.phones import Extension, Group, ParkingLot, Slots

HEAD = "site: x\nlisten: {sip: ['udp:127.0.0.1:5060']}\n"


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + text)
    try:
        load(path)
    except SiteError as error:
        return [f"{one.line}:{one.column}: {str(one).partition(': ')[2]}" for one in error.problems]
    return []


def test_slots() -> None:
    slots = ParkingLot.model_validate({"slots": "007-010"}).slots
    assert slots == Slots(7, 10, 3) and slots.names() == ["007", "008", "009", "010"]
    assert slots.has("008") and not slots.has("8") and not slots.has("011") and not slots.has("00x")
    assert ParkingLot.model_validate({"slots": "5"}).slots.names() == ["5"]
    for bad in ("", "9-1", "1-10", "1000-2000", "a-b"):
        with pytest.raises(ValueError, match="FIRST-LAST"):
            ParkingLot.model_validate({"slots": bad})


def test_one_name_needs_no_brackets() -> None:
    assert Extension.model_validate({"password": "x", "pickup_groups": "sales"}).pickup_groups == ("sales",)
    with pytest.raises(ValueError, match="each extension once"):
        Group.model_validate({"extensions": ["1", "1"]})


def test_everything_that_fits(tmp_path: Path) -> None:
    assert not problems(
        tmp_path,
        "extensions:\n  101: {password: x, forward: {busy: group a, no_answer: number 0199}, pickup_groups: [s]}\n"
        "  102: {password: x, picks_up: s}\n"
        "groups: {a: {extensions: [101, 102], ring: longest idle, otherwise: park h}}\n"
        "park: {h: {slots: 701-709, otherwise: extension 101}}\n"
        "dial_plan:\n  - {match: '70X', to: 'park h {number}'}\n  - {match: '*8', to: pickup group}\n"
        "  - {match: '*8XXX', to: 'pickup {number:2}'}\n  - {match: '*9', to: set forward-no-answer off}\n",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extensions: {101: {password: x, forward: {busy: extension 109}}}\n", '"109"'),
        ("extensions: {101: {password: x, forward: {busy: extension 101}}}\n", "another phone than itself"),
        ("extensions: {101: {password: x, forward: {always: set dnd on}}}\n", "that takes calls"),
        ("extensions: {101: {password: x, picks_up: nobody}}\n", "a pickup group of some phone"),
        ("groups: {a: {extensions: [101]}}\nextensions: {102: {password: x}}\n", "an existing extension"),
        ("extensions: {101: {password: x}}\ngroups: {a: {extensions: 101, otherwise: group a}}\n", "back to the group"),
        (
            "extensions: {101: {password: x}}\ngroups:\n  a: {extensions: 101, otherwise: group b}\n"
            "  b: {extensions: 101, otherwise: group a}\n  c: {extensions: 101, otherwise: group b}\n",
            "back to the group",
        ),
        ("dial_plan: [{match: '1', to: park nowhere}]\n", "an existing parking lot"),
        ("park: {h: {slots: 701-702}}\ndial_plan: [{match: '1', to: park h 703}]\n", "a slot of the lot h"),
        ("dial_plan: [{match: '1', to: pickup 101}]\n", "an existing extension"),
        ("dial_plan: [{match: '1', to: set dnd maybe}]\n", "expected one of"),
        ("dial_plan: [{match: '1', to: pickup}]\n", "expected one of"),
        ("park: {h: {slots: 701-702, music: x}}\n", "media.prompts"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert said in problem
