"""Values in words, as people say them: one word a recording, so that they can be played or spoken."""

from __future__ import annotations

from ivr.words.english import English
from ivr.words.french import French
from ivr.words.language import Language


def language_of(voice: str) -> Language | None:
    """The language of a voice, as en-us or fr-be; None: the engine must read digits by itself."""
    language, _, variant = voice.replace("_", "-").partition("-")
    match language:
        case "en":
            return English(american=variant.lower().startswith("us"))
        case "fr":
            return French(variant.lower()[:2])
    return None
