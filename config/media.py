"""The site's sound: ports, codecs, prompts."""

from __future__ import annotations

from config.fields import Codecs, PortRange, PortRangeText
from config.model import Model


class Media(Model):
    """Audio: the RTP port range, the codecs in order of preference (a trunk or an extension may have its own), the
    folder of prompts (NAME.wav is prompt NAME). `ringing` is the prompt that a caller who is answered already hears,
    again and again, while a phone rings."""

    ports: PortRangeText = PortRange(20000, 29999)
    codecs: Codecs = ("PCMA", "PCMU")
    prompts: str | None = None
    ringing: str | None = None
