"""What a site wants of its prompts, and the file, line and column of each that can't be played."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from config.errors import SiteError
from pbx.site import load_site
from pbx.sound import prompt_library, wanted

MINIMAL = "site: test\nlisten: {sip: udp:127.0.0.1:5060}\n"


@pytest.fixture
def site_file(tmp_path: Path) -> Callable[[str], Path]:
    (tmp_path / "p").mkdir()
    for name, samples in (("good", np.full(800, 9000)), ("silent", np.zeros(800)), ("empty", np.zeros(0))):
        with wave.open(str(tmp_path / "p" / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(samples.astype("<i2").tobytes())
    (tmp_path / "p" / "broken.mp3").write_bytes(b"not music")

    def write(text: str) -> Path:
        (tmp_path / "site.yaml").write_text(MINIMAL + text, "utf-8")
        return tmp_path / "site.yaml"

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(SiteError) as error:
        load_site(path, with_files=True)
    return [str(problem).replace(f"{path.parent}/", "") for problem in error.value.problems]


def test_bad_files_where_they_are_named(site_file: Callable[[str], Path]) -> None:
    path = site_file(
        "media: {prompts: p}\nqueues: {q: {music: broken}}\n"
        "ivr:\n  f:\n    a: {say: [good, silent], then: b}\n    b: {say: {text: Hello., instead: empty}}\n"
    )
    told = sorted(problems(path))
    assert told == [
        "site.yaml:4:21: queues.q.music: expected a prompt that can be played, found p/broken.mp3 can't be read as a "
        "sound file: Invalid data found when processing input",
        "site.yaml:7:21: ivr.f.a.say[1]: expected a prompt that can be played, found p/silent.wav is silent: no peak "
        "above -60 dB (for a pause there is tone:silence)",
        "site.yaml:8:38: ivr.f.b.say.instead: expected a prompt that can be played, found p/empty.wav is empty",
    ]


def test_bad_files_that_nobody_names_are_told_at_the_folder(site_file: Callable[[str], Path]) -> None:
    told = problems(site_file("media: {prompts: p}\n"))
    assert len(told) == 3 and all(one.startswith("site.yaml:3:18: media.prompts: expected a prompt") for one in told)


@pytest.mark.parametrize("text", ["Hello.", "It is {time}."])
def test_texts_that_cannot_be_spoken(site_file: Callable[[str], Path], text: str) -> None:
    flow = f"ivr: {{f: {{a: {{say: {{text: '{text}'}}}}}}}}\n"
    (told,) = problems(site_file("speech: {engine: piper, program: /no/piper}\n" + flow))
    assert told.startswith("site.yaml:4:20: ivr.f.a.say: expected a")
    assert "the program /no/piper is not there: pip install piper-tts" in told


def test_too_much_for_the_memory(site_file: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("silent.wav", "empty.wav", "broken.mp3"):
        (tmp_path / "p" / name).unlink()
    with wave.open(str(tmp_path / "p" / "long.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.full(8000 * 60, 9000).astype("<i2").tobytes())
    (told,) = problems(site_file("media: {prompts: p, prompts_mb: 1}\nqueues: {q: {music: long}}\n"))
    assert told.startswith("site.yaml:4:21: queues.q.music: ") and "long (60 s) takes 1 MB" in told
    assert told.endswith("more than media.prompts_mb, 1")


def test_what_a_site_wants(site_file: Callable[[str], Path]) -> None:
    path = site_file(
        "locale: {country: GB}\n"
        "media: {prompts: p, codecs: PCMA, loudness_db: -20, prompts_mb: 7}\nspeech: {voice: fr}\n"
        "trunks: {t: {gateway: sip:h, codecs: [G722, PCMA]}}\nextensions: {101: {password: x, codecs: OPUS}}\n"
        "ivr: {f: {a: {say: [good, tone:busy:us, {text: A.}, {text: 'B {time}.'}]}}}\n"
    )
    want = wanted(load_site(path))
    assert want.codecs == ("PCMA", "G722", "OPUS") and want.country == "GB" and want.folder == path.parent / "p"
    assert want.loudness_db == -20 and want.memory_bytes == 7_000_000
    assert {"tone:busy:us", "tone:ringback", "tone:noise"} <= want.tones
    assert want.texts == {("A.", None)} and want.speaker.voice == "fr"


def test_a_site_without_a_folder_has_its_tones(site_file: Callable[[str], Path]) -> None:
    library = prompt_library(load_site(site_file("")))
    assert "tone:ringback" in library and library.problems == {} and library.size_bytes < 2_000_000
