"""How a leg sounds, from what was counted: the E-model (ITU-T G.107) and its mean opinion score.

    R = Ro - Is - Id - Ie,eff        Id: delay, Ie,eff: codec and lost packets; all else at its default

The score is that of the narrow-band scale (1 to 4.5) for every codec, so that legs can be compared: it says what the
network did to a leg, not how wide its band is.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log2, log10, sqrt

R_BEST = 93.2  # G.107 table 3: all at default, no delay, no loss
_RO = 94.77  # signal to noise at default (G.107 7.2)
_RO_LESS_IS = 93.36  # without simultaneous impairments (7.3); Idle at no delay takes the rest
_TELR_DB = 65.0  # talker echo loudness
_WEPL_DB = 110.0  # weighted echo path loss
_BUFFER_JITTERS = 2.0  # a listener's jitter buffer, in jitters of RFC 3550 A.8, which are means
_BUFFER_LEAST_MS = 20.0


@dataclass(frozen=True, slots=True)
class Impairment:
    """A codec's equipment impairment and its robustness to lost packets."""

    ie: float
    bpl: float


#: G.711 and G.729 with concealment: ITU-T G.113 appendix I. The others are wide-band, without a place on this scale: as
#: G.711 with concealment, G.722 somewhat frailer.
IMPAIRMENTS = {
    "PCMU": Impairment(0, 25.1),
    "PCMA": Impairment(0, 25.1),
    "L16": Impairment(0, 25.1),
    "OPUS": Impairment(0, 25.1),
    "G722": Impairment(0, 20.0),
    "G729": Impairment(11, 19.0),
}
UNCONCEALED = Impairment(0, 4.3)  # G.711 whose gaps are silence


def rating(impairment: Impairment, loss_percent: float, burst_ratio: float, delay_ms: float) -> float:
    """The transmission rating factor R, 0 to 93.2. `delay_ms`: one way, mouth to ear."""
    loss = min(max(loss_percent, 0.0), 100.0)
    impaired = impairment.ie + (95 - impairment.ie) * loss / (loss / max(burst_ratio, 1.0) + impairment.bpl)  # 7.5
    return min(max(_RO_LESS_IS - _delay(delay_ms) - impaired, 0.0), R_BEST)


def opinion(r: float) -> float:
    """The mean opinion score of a rating (G.107 annex B)."""
    if r <= 0:
        return 1.0
    return 4.5 if r >= 100 else max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def burst_ratio(received: int, lost: int, bursts: int) -> float:
    """Mean length of a run of lost packets over what it would be were losses independent (G.107 7.5); 1 at least."""
    if lost <= 0 or bursts <= 0 or received <= 0:
        return 1.0
    independent = 1 / (1 - lost / (received + lost))
    return max(1.0, lost / bursts / independent)


def score(
    codec: str,
    *,
    received: int,
    lost: int,
    bursts: int = 0,
    jitter_ms: float = 0.0,
    round_trip_ms: float | None = None,
    ptime_ms: int = 20,
) -> float | None:
    """The mean opinion score of one direction of a leg; None if nothing was received. Unknown round trips count as
    none, codecs as PCMA."""
    if received <= 0:
        return None
    loss_percent = 100 * max(lost, 0) / (received + max(lost, 0))
    buffer_ms = max(_BUFFER_LEAST_MS, _BUFFER_JITTERS * jitter_ms)
    delay_ms = (round_trip_ms or 0.0) / 2 + ptime_ms + buffer_ms
    impairment = IMPAIRMENTS.get(codec, IMPAIRMENTS["PCMA"])
    return round(opinion(rating(impairment, loss_percent, burst_ratio(received, lost, bursts), delay_ms)), 2)


def _delay(delay_ms: float) -> float:
    """Id: talker echo, listener echo, and delay as such (7.4), with T = Ta and Tr = 2 T."""
    t = min(max(delay_ms, 0.0), 10_000.0)
    terv = _TELR_DB - 40 * log10((1 + t / 10) / (1 + t / 150)) + 6 * exp(-0.3 * t * t)
    echo = _RO - (80 + 2.5 * (terv - 14))
    talker = (echo / 2 + sqrt(echo * echo / 4 + 100) - 1) * (1 - exp(-t))
    heard = _RO - 10.5 * (_WEPL_DB + 7) / sqrt(sqrt(2 * t + 1))
    listener = heard / 2 + sqrt(heard * heard / 4 + 169)
    absolute = 0.0
    if t > 100:
        x = log2(t / 100)
        absolute = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return talker + listener + absolute
