"""Every place of a site where a prompt is named or a text is spoken."""

from __future__ import annotations

from collections.abc import Iterator

from config.sayings import Saying
from config.schema import Site
from config.values import Path

SOUND_SUFFIXES = frozenset({".wav", ".mp3", ".opus", ".ogg", ".oga", ".flac"})
TEXT_SUFFIX = ".txt"  # what is in it is spoken
HOLD_MUSIC = "music"  # heard on hold unless the site names another, if there is one

_ANNOUNCED = ("your_position", "your_wait", "wait_grown", "messages")
_ASKED = ("offer", "ask_number", "confirm")
_VERB_KEYS = ("say", "menu", "gather", "invalid", "announce")


def used(site: Site) -> Iterator[tuple[Path, Saying]]:
    """What is heard, with the path of the key that says so."""
    named: list[tuple[Path, str | None]] = [
        (("media", "ringing"), site.media.ringing),
        (("calls", "hold_music"), site.calls.hold_music),
        *((("queues", name, "music"), queue.music) for name, queue in site.queues.items()),
        *((("park", name, "music"), lot.music) for name, lot in site.park.items()),
        *((("conferences", name, "music"), room.music) for name, room in site.conferences.items()),
        *(
            (("conferences", name, key, i), prompt) for name, room in site.conferences.items()
            for key, prompts in (("ask_pin", room.ask_pin), ("wrong_pin", room.wrong_pin))
            for i, prompt in enumerate(prompts)
        ),
        *(
            (("acd", "phone_codes", key, i), prompt)
            for key in ("ask_code", "ask_pin", "wrong", "done")
            for i, prompt in enumerate(getattr(site.acd.phone_codes, key))
        ),
        (("supervision", "beep"), site.supervision.beep),
    ]
    yield from ((path, name) for path, name in named if name is not None)
    yield from _of_queues(site)
    for flow_name, flow in site.ivr.items():
        for state_name, state in flow.items():
            for key in _VERB_KEYS:
                for i, saying in enumerate(getattr(state, key, ())):
                    yield ("ivr", flow_name, state_name, key, i), saying


def _of_queues(site: Site) -> Iterator[tuple[Path, Saying]]:
    """What callers hear beside music, and agents before callers."""
    for name, queue in site.queues.items():
        parts = (
            ((), queue, ("whisper",)), (("announce",), queue.announce, _ANNOUNCED),
            (("callback",), queue.callback, _ASKED),
        )  # fmt: skip
        for below, part, keys in parts:
            for key in keys:
                for i, saying in enumerate(getattr(part, key, ())):
                    yield ("queues", name, *below, key, i), saying


def prompts_used(site: Site) -> Iterator[tuple[Path, str]]:
    """The names alone, those that stand in for texts included."""
    for path, saying in used(site):
        if not isinstance(saying, str):
            if saying.instead is not None:
                yield (*path, "instead"), saying.instead
        elif "{" not in saying:
            yield path, saying
