"""Texts to sound, by an engine that is a program of its own: espeak-ng (Debian package espeak-ng) or piper."""

from __future__ import annotations

import hashlib
import io
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from config.speech import Speech
from media import audio_file
from media.codecs import Samples
from media.plane import BadPrompt

TEXT_LONGEST = 2000  # characters
LOUDNESS_DB = -20.0  # of speech; engines differ

_INSTALL = {
    "espeak-ng": "apt-get install espeak-ng",
    "piper": "pip install piper-tts, and speech.program if it is not in PATH",
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """An engine as the site wants it. `voice` is the one of texts that name none."""

    engine: str = "none"
    voice: str = "en-gb"
    model: str | None = None
    voices: dict[str, str] = field(default_factory=dict)
    program: str | None = None
    words_per_minute: int = 155
    timeout_s: float = 5

    @classmethod
    def of(cls, speech: Speech, voice: str) -> Speaker:
        """`voice`: of the site's country, where the file names none."""
        return cls(
            speech.engine, speech.voice or voice, speech.model, dict(speech.voices), speech.program,
            speech.words_per_minute, speech.timeout_s,
        )  # fmt: skip

    def name(self, text: str, voice: str | None) -> str:
        """The prompt's name: the same for the same text."""
        return "say:" + hashlib.sha256(f"{voice or self.voice}\0{text}".encode()).hexdigest()[:24]

    def stamp(self, text: str, voice: str | None) -> tuple[str, ...]:
        """Everything its sound depends on."""
        model = self._model(voice)
        changed = str(Path(model).stat().st_mtime_ns) if model and Path(model).exists() else ""
        return (self.engine, voice or self.voice, model or "", changed, str(self.words_per_minute), text)

    def complaint(self) -> str | None:
        """Why nothing can be spoken, with what would help; None: it can."""
        if self.engine == "none":
            return "speech.engine is none"
        program = self.program or self.engine
        if shutil.which(program) is None:
            return f"the program {program} is not there: {_INSTALL[self.engine]}"
        if self.engine == "piper":
            if self.model is None and not self.voices:
                return "piper needs speech.model, a voice's .onnx file"
            for model in filter(None, (self.model, *self.voices.values())):
                if not Path(model).is_file():
                    return f"the model {model} is not there"
        return None

    def speak(self, text: str, voice: str | None = None) -> Samples:
        """At encoding.RATE_HZ. Blocks; the text goes by the program's input, never by its command line. Raises
        BadPrompt."""
        reason = self.complaint()
        if reason is not None:
            raise BadPrompt(f"can't be spoken: {reason}")
        if not text.strip() or len(text) > TEXT_LONGEST:
            raise BadPrompt(f"can't be spoken: expected a text of 1 to {TEXT_LONGEST} characters")
        try:
            done = subprocess.run(
                self._command(voice or self.voice), input=" ".join(text.split()).encode(), capture_output=True,
                timeout=self.timeout_s + len(text) / 100,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BadPrompt(f"can't be spoken: {self.engine} took too long") from None
        except OSError as error:
            raise BadPrompt(f"can't be spoken: {self.engine}: {error.strerror}") from None
        if done.returncode or not done.stdout:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise BadPrompt(f"can't be spoken: {self.engine} failed: {''.join(said) or done.returncode}")
        return audio_file.read(io.BytesIO(_with_length(done.stdout)), LOUDNESS_DB)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _model(self, voice: str | None) -> str | None:
        return self.voices.get(voice or self.voice, self.model) if self.engine == "piper" else None

    def _command(self, voice: str) -> list[str]:
        if self.engine == "piper":
            return [self.program or "piper", "--model", self._model(voice) or "", "--output_file", "-"]
        return [
            self.program or "espeak-ng", "-b", "1", "-v", voice, "-s", str(self.words_per_minute), "--stdin", "--stdout"
        ]  # fmt: skip


def _with_length(wav: bytes) -> bytes:
    """A WAV file that was written to a pipe does not know its length: put it in."""
    at = wav.find(b"data")
    if wav[:4] != b"RIFF" or at < 0:
        return wav
    riff, data = struct.pack("<I", len(wav) - 8), struct.pack("<I", len(wav) - at - 8)
    return wav[:4] + riff + wav[8 : at + 4] + data + wav[at + 8 :]
