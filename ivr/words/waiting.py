"""What is said to those who wait, where a site has no words of its own for it. By language: the place in line, the wait
to be expected, that it has grown."""

from __future__ import annotations

from typing import NamedTuple


class Waiting(NamedTuple):
    """Texts with `{number:position}`, `{duration:wait}`, `{number:wait_minutes}`."""

    position: str
    wait: str
    grown: str


_WAITING = {
    "en": Waiting(
        "You are number {number:position} in line.",
        "The wait is about {duration:wait}.",
        "The wait has become longer. It is now about {duration:wait}.",
    ),
    "fr": Waiting(
        "Vous êtes en position {number:position}.",
        "Le temps d'attente est d'environ {duration:wait}.",
        "Le temps d'attente s'est allongé. Il est maintenant d'environ {duration:wait}.",
    ),
    "de": Waiting(
        "Sie haben Platz {number:position} in der Warteschlange.",
        "Die Wartezeit in Minuten beträgt etwa {number:wait_minutes}.",
        "Die Wartezeit hat sich verlängert. In Minuten beträgt sie jetzt etwa {number:wait_minutes}.",
    ),
    "es": Waiting(
        "Su posición en la cola es {number:position}.",
        "El tiempo de espera en minutos es de aproximadamente {number:wait_minutes}.",
        "La espera se ha alargado. En minutos es ahora de aproximadamente {number:wait_minutes}.",
    ),
    "it": Waiting(
        "La sua posizione in coda è {number:position}.",
        "Il tempo di attesa in minuti è di circa {number:wait_minutes}.",
        "L'attesa si è allungata. In minuti è ora di circa {number:wait_minutes}.",
    ),
    "nl": Waiting(
        "Uw plaats in de wachtrij is {number:position}.",
        "De wachttijd in minuten is ongeveer {number:wait_minutes}.",
        "De wachttijd is langer geworden. In minuten is het nu ongeveer {number:wait_minutes}.",
    ),
    "pt": Waiting(
        "A sua posição na fila é {number:position}.",
        "O tempo de espera em minutos é de cerca de {number:wait_minutes}.",
        "A espera aumentou. Em minutos é agora de cerca de {number:wait_minutes}.",
    ),
}
OTHERS = "en-gb"  # the voice where there are no words


def waiting_in(voice: str) -> tuple[Waiting, str]:
    """The texts, and the voice to say them in: the one asked for, where its language is known."""
    texts = _WAITING.get(voice.replace("_", "-").partition("-")[0])
    return (_WAITING["en"], OTHERS) if texts is None else (texts, voice)
