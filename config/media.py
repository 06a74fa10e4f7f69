"""The site's sound: ports, codecs, prompts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.fields import Codec, OneOrMany, PortRange, PortRangeText
from config.model import Model


class Media(Model):
    """Audio: the RTP port range, the codecs in order of preference, the folder of prompts (NAME.wav is prompt NAME).
    `ringing` is the prompt that a caller who is answered already hears, again and again, while a phone rings."""

    ports: PortRangeText = PortRange(20000, 29999)
    codecs: Annotated[tuple[Codec, ...], OneOrMany] = Field(("PCMA", "PCMU"), min_length=1)
    prompts: str | None = None
    ringing: str | None = None
