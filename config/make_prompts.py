"""Makes the prompts of the example sites: `python -m config.make_prompts [FOLDER]`.

Speech is espeak-ng's (Debian package espeak-ng), brought from its 22,050 Hz to the 8,000 Hz of telephony and to one
loudness; the music is computed here. All are WAV, 16-bit PCM, mono, 8 kHz. The result is kept in the repository: this
is run only when a text changes.
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float64]

RATE_HZ = 8000
VOICE = "en-gb"
WORDS_PER_MINUTE = 150
SPEECH_RMS = 10 ** (-20 / 20)
"""Loudness of speech while it is there, against full scale."""
MUSIC_RMS = 10 ** (-27 / 20)
"""Music is softer: callers hear it for minutes."""
PEAK = 0.89

TEXTS = {
    "welcome": "Welcome to Horizon Travel.",
    "web_code": (
        "If you see a seven digit code on our web page, please type it now. "
        "We will then know what you were looking at. Otherwise, press hash."
    ),
    "destination_menu": (
        "For Asia, press 1. For the Americas, press 2. For Europe, press 3. For cruises, press 4. "
        "For the reception, press 0."
    ),
    "invalid_choice": "Sorry, I did not get that.",
    "closed": "Thank you for calling. Our travel advisers are not at their desks now.",
    "opening_hours": (
        "You reach us from Monday to Saturday, from nine in the morning to nine in the evening, "
        "except on public holidays. You find all our journeys on our web site, at any time. Good bye."
    ),
    "echo_intro": "This is the echo test. After this announcement you hear yourself. Hang up when you are done.",
    "test_prompt": (
        "This is a test announcement. One. Two. Three. Four. Five. If you hear it clearly, your line is well."
    ),
}


def speech(text: str) -> Samples:
    """`text` spoken, at RATE_HZ, trimmed and of the usual loudness."""
    command = ["espeak-ng", "-v", VOICE, "-s", str(WORDS_PER_MINUTE), "--stdout", text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate_hz = file.getframerate()
    start = spoken.index(b"data") + 8  # espeak-ng writes to a pipe and cannot know the length its header gives
    sound = np.frombuffer(spoken[start : len(spoken) - len(spoken) % 2], dtype="<i2").astype(np.float64) / 32768
    return levelled(trimmed(soxr.resample(sound, rate_hz, RATE_HZ, "HQ")), SPEECH_RMS)


def trimmed(sound: Samples, margin_s: float = 0.15) -> Samples:
    """`sound` without the silence around it, but for a margin."""
    heard = np.flatnonzero(np.abs(sound) > 0.01)
    margin = int(margin_s * RATE_HZ)
    return sound[max(heard[0] - margin, 0) : heard[-1] + margin] if len(heard) else sound


def levelled(sound: Samples, rms: float) -> Samples:
    """`sound` with its loud parts at `rms`, peaks softly held below PEAK."""
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    power = np.mean(frames**2, axis=1)
    loud = power[power > power.max() / 1000]
    louder: Samples = sound * (rms / np.sqrt(np.mean(loud)))
    return PEAK * np.tanh(louder / PEAK)


# --- music: four chords, an arpeggio over them, ten seconds that join without a seam --------------------------------

LOOP_S = 10
CHORDS = (  # MIDI notes: a bass and five notes of the arpeggio
    (48, 60, 64, 67, 71, 76),
    (45, 57, 64, 67, 72, 76),
    (53, 60, 65, 69, 72, 76),
    (43, 59, 62, 67, 71, 74),
)
ARPEGGIO = (0, 2, 4, 3, 1, 3, 2, 4)


def note(midi: int, length_s: float, decay_s: float) -> Samples:
    """A soft plucked note: few harmonics, a slow start, an exponential end."""
    t = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    frequency_hz = 440 * 2 ** ((midi - 69) / 12)
    tone = sum(np.sin(2 * np.pi * frequency_hz * k * t) * 0.35 ** (k - 1) * np.exp(-t * (k - 1)) for k in (1, 2, 3))
    envelope = (1 - np.exp(-t / 0.02)) * np.exp(-t / decay_s)
    result: Samples = tone * envelope
    return result


def music() -> Samples:
    """The loop; what rings beyond its end is added at its beginning."""
    loop = np.zeros(LOOP_S * RATE_HZ)
    bar_s = LOOP_S / len(CHORDS)
    for bar, (bass, *upper) in enumerate(CHORDS):
        _add(loop, bar * bar_s, 0.5 * note(bass + 12, 4.0, 1.6))
        for step, which in enumerate(ARPEGGIO):
            _add(loop, bar * bar_s + step * bar_s / len(ARPEGGIO), 0.4 * note(upper[which], 3.0, 0.7))
        for pad in upper[:3]:
            _add(loop, bar * bar_s, 0.12 * note(pad, 4.0, 2.5))
    return levelled(loop, MUSIC_RMS)


def _add(loop: Samples, at_s: float, sound: Samples) -> None:
    start = round(at_s * RATE_HZ)
    np.add.at(loop, (start + np.arange(len(sound))) % len(loop), sound)


def minute() -> Samples:
    """Sixty seconds, a pulse in each, that a listener can count: a higher one every ten seconds."""
    sound = np.zeros(60 * RATE_HZ)
    for second in range(60):
        pulse = note(81 if second % 10 == 0 else 69, 0.9, 0.2)
        sound[second * RATE_HZ : second * RATE_HZ + len(pulse)] += pulse
    return levelled(sound, MUSIC_RMS)


def write(path: Path, sound: Samples) -> None:
    """`sound` as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.round(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sites" / "prompts"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in TEXTS.items():
        write(folder / f"{name}.wav", speech(text))
    write(folder / "music.wav", music())
    write(folder / "minute.wav", minute())


if __name__ == "__main__":
    main()
