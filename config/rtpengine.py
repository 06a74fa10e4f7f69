"""Sound carried by rtpengine daemons: `media.backend: rtpengine`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from config.fields import Expected, HostPort, HostPortText, OneOrMany
from config.model import Model
from config.values import Path

if TYPE_CHECKING:
    from config.schema import Site

_CODECS = ("PCMA", "PCMU", "G722")
_NOT_RECORDED = "none: media.backend rtpengine does not record"


class Rtpengine(Model):
    """The ng addresses of `daemons` (their `--listen-ng`); `keys` is the address where we hear of the keys that callers
    press (their `--dtmf-log-dest`). `spare_calls` are kept ready with each daemon. `prompts` is a folder that they can
    read under the same name: they play what we write there."""

    daemons: Annotated[tuple[HostPortText, ...], OneOrMany] = Field((HostPort("127.0.0.1", 2223),), min_length=1)
    keys: HostPortText = HostPort("127.0.0.1", 2224)
    spare_calls: int = Field(50, ge=1, le=5000)
    prompts: str | None = None


def _daemons(value: Any) -> Any:
    return {"daemons": value} if isinstance(value, str | list) else value


RtpengineText = Annotated[
    Rtpengine, BeforeValidator(_daemons, json_schema_input_type=str | list[str] | Rtpengine),
    Expected("ng addresses of rtpengine, as [127.0.0.1:2223]; or daemons, keys, spare_calls and prompts"),
]  # fmt: skip


def beyond(site: Site) -> Iterator[tuple[Path, str, str]]:
    """What a site wants and rtpengine can't do: where, what was found, what was expected."""
    if site.media.backend != "rtpengine":
        return
    everybody = [
        (("media",), site.media.srtp.policy, site.media.codecs, False),
        *[(("extensions", name), one.srtp, one.codecs, one.record) for name, one in site.extensions.items()],
        *[(("trunks", name), one.srtp, one.codecs, one.record) for name, one in site.trunks.items()],
        *[(("queues", name), None, None, one.record) for name, one in site.queues.items()],
    ]
    states = [(flow, name, one) for flow, all_of in site.ivr.items() for name, one in all_of.items()]
    recorded: list[Path] = [("ivr", flow, name, "record") for flow, name, one in states if hasattr(one, "record")]
    for place in [*recorded, *([("recordings", "numbers")] if site.recordings.numbers else [])]:
        yield place, "recording", _NOT_RECORDED
    for path, srtp, codecs, record in everybody:
        if srtp not in (None, "off"):
            yield (*path, "srtp"), srtp, "off: with media.backend rtpengine sound is not encrypted"
        for codec in codecs or ():
            if codec not in _CODECS:
                yield (*path, "codecs"), codec, f"{', '.join(_CODECS)} alone with media.backend rtpengine"
        if record:
            yield (*path, "record"), "recording", _NOT_RECORDED
    if not {"PCMA", "PCMU"} & set(site.media.codecs):
        yield ("media", "codecs"), "neither PCMA nor PCMU", "one of them: rtpengine gets its prompts in it"
