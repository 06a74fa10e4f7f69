"""Texts of calls: side by side, in time, bounded."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import numpy as np
import pytest

from media import speech_queue
from media.codecs import Samples
from media.plane import BadPrompt
from media.prompt_slots import PromptSlots
from media.prompts import Prompt, PromptLibrary, Wanted
from media.speech import Speaker
from media.speech_queue import SpeechQueue


class Engine:
    """In place of a program; `gate` holds it."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.spoken: list[str] = []

    def speak(self, speaker: Speaker, text: str, voice: str | None = None) -> Samples:
        self.gate.wait(5)
        self.spoken.append(text)
        if text == "bad":
            raise BadPrompt("can't be spoken: no")
        return np.full(320, 1000, np.int16)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(Speaker, "speak", lambda speaker, text, voice=None: made.speak(speaker, text, voice))
    return made


class Desk:
    """A queue without workers."""

    def __init__(self, timeout_s: float = 5) -> None:
        self.slots = PromptSlots(PromptLibrary(Wanted(speaker=Speaker("espeak-ng", "fr", timeout_s=timeout_s))))
        self.counters: Counter[str] = Counter()
        self.added = asyncio.Event()
        self.queue = SpeechQueue(self.slots, self._add, lambda name: self.slots.drop(name, ()), self.counters)

    def _add(self, prompt: Prompt) -> None:
        self.slots.add(prompt, ())
        self.added.set()

    def ask(self, text: str) -> asyncio.Future[str | None]:
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.queue.speak(text, None, future.set_result)
        return future


async def test_spoken_once(engine: Engine) -> None:
    desk = Desk()
    first, same = desk.ask("a"), desk.ask("a")
    name = await first
    assert name == await same and name in desk.slots
    again = desk.ask("a")
    assert again.done() and again.result() == name
    assert engine.spoken == ["a"]


async def test_a_failure_is_told_and_tried_again(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk()
    assert await desk.ask("bad") is None and await desk.ask("bad") is None
    assert desk.counters["media_speech_failed"] == 2 and len(engine.spoken) == 2
    assert "can't be spoken" in capsys.readouterr().out


async def test_too_late_for_this_caller_but_not_for_the_next(engine: Engine) -> None:
    desk = Desk(timeout_s=0.02)
    engine.gate.clear()
    assert await desk.ask("a") is None
    assert desk.counters["media_speech_timeouts"] == 1
    engine.gate.set()
    async with asyncio.timeout(30):
        await desk.added.wait()
    assert await desk.ask("a") is not None and engine.spoken == ["a"]


async def test_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_queue, "WAITING_MOST", 3)
    desk = Desk()
    engine.gate.clear()
    asked = [desk.ask(f"{n}") for n in range(5)]
    assert [one.done() for one in asked] == [False, False, False, True, True]
    assert desk.counters["media_speech_refused"] == 2
    engine.gate.set()
    assert None not in await asyncio.gather(*asked[:3])


async def test_the_oldest_gives_way(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_queue, "KEPT_MOST", 2)
    desk = Desk()
    names = [await desk.ask(text) for text in ("a", "b")]
    await desk.ask("a")  # used again
    names.append(await desk.ask("c"))
    assert [name in desk.slots for name in names] == [True, False, True]
    desk.queue.forget()
    assert not any(name in desk.slots for name in names)


async def test_close(engine: Engine) -> None:
    desk = Desk()
    engine.gate.clear()
    asked = desk.ask("a")
    await asyncio.sleep(0)
    engine.gate.set()
    await desk.queue.close()
    assert not asked.done() or asked.result() is not None
