"""How texts are spoken."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.fields import Expected, Seconds
from config.model import Model

Voice = Annotated[str, Field(pattern=r"^[a-z]{2,3}([-_+][\w-]+)*$"), Expected("a voice, as fr or en-gb")]


class Speech(Model):
    """Text to speech: the engine (`espeak-ng`, `piper`, `none`), the voice unless a text names its own (default: the
    country's language), and for piper the model's file, `voices` by the names of voices if there are several."""

    engine: Literal["espeak-ng", "piper", "none"] = "espeak-ng"
    voice: Voice | None = None
    model: str | None = None
    voices: dict[Voice, str] = Field(default_factory=dict)
    program: str | None = None
    words_per_minute: int = Field(default=155, ge=80, le=400)
    timeout_s: Seconds = 5


_VOICES = {
    "AT": "de", "AU": "en-gb", "BE": "fr-be", "BR": "pt-br", "CA": "en-us", "CH": "fr-ch", "CZ": "cs", "DE": "de",
    "DK": "da", "ES": "es", "FI": "fi", "FR": "fr", "GB": "en-gb", "GR": "el", "IE": "en-gb", "IT": "it", "JP": "ja",
    "LU": "fr", "MC": "fr", "MX": "es-419", "NL": "nl", "NO": "nb", "NZ": "en-gb", "PL": "pl", "PT": "pt", "SE": "sv",
    "US": "en-us",
}  # fmt: skip


_CURRENCIES = {
    "AU": "AUD", "BR": "BRL", "CA": "CAD", "CH": "CHF", "CZ": "CZK", "DK": "DKK", "GB": "GBP", "JP": "JPY",
    "MX": "MXN", "NO": "NOK", "NZ": "NZD", "PL": "PLN", "SE": "SEK", "US": "USD",
}  # fmt: skip


def currency_of(country: str) -> str:
    """What amounts are in, where nothing else is said."""
    return _CURRENCIES.get(country, "EUR")


def voice_of(country: str) -> str:
    """The voice of a country, by espeak-ng's name; British where it is not known."""
    return _VOICES.get(country, "en-gb")
