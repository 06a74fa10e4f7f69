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

_CODECS = ("PCMA", "PCMU", "G722", "OPUS")
_MIXED = ("conference", "add", "supervise")  # kinds of destinations
_NOT_MIXED = "none: media.backend rtpengine does not mix sound, so there are no conferences and no supervision"
_NOT_RECORDED = "media.rtpengine.spool, the folder of rtpengine's captures, or none"


class Rtpengine(Model):
    """The ng addresses of `daemons` (their `--listen-ng`); `keys` is the address where we hear of the keys that callers
    press (their `--dtmf-log-dest`). `spare_calls` are kept ready with each daemon. `prompts` is a folder that they can
    read under the same name: they play what we write there. `spool` is their `recording-dir`, where they write captures
    of recorded calls, which we read under the same name and delete."""

    daemons: Annotated[tuple[HostPortText, ...], OneOrMany] = Field((HostPort("127.0.0.1", 2223),), min_length=1)
    keys: HostPortText = HostPort("127.0.0.1", 2224)
    spare_calls: int = Field(default=50, ge=1, le=5000)
    prompts: str | None = None
    spool: str | None = None


def _daemons(value: Any) -> Any:
    return {"daemons": value} if isinstance(value, str | list) else value


RtpengineText = Annotated[
    Rtpengine, BeforeValidator(_daemons, json_schema_input_type=str | list[str] | Rtpengine),
    Expected("ng addresses of rtpengine, as [127.0.0.1:2223]; or daemons, keys, spare_calls, prompts and spool"),
]  # fmt: skip


def beyond(site: Site) -> Iterator[tuple[Path, str, str]]:
    """What a site wants and rtpengine can't do: where, what was found, what was expected."""
    if site.media.backend != "rtpengine":
        return
    everybody = [
        (("media",), site.media.codecs, False),
        *[(("extensions", name), one.codecs, one.record) for name, one in site.extensions.items()],
        *[(("trunks", name), one.codecs, one.record) for name, one in site.trunks.items()],
        *[(("queues", name), None, one.record) for name, one in site.queues.items()],
    ]
    states = [(flow, name, one) for flow, all_of in site.ivr.items() for name, one in all_of.items()]
    recorded: list[Path] = [("ivr", flow, name, "record") for flow, name, one in states if hasattr(one, "record")]
    mixed: list[Path] = [("dial_plan", i, "to") for i, rule in enumerate(site.dial_plan) if rule.to.kind in _MIXED]
    mixed += [("conferences", name) for name in site.conferences]
    mixed += [("supervision", "supervisors", name) for name in site.supervision.supervisors]
    yield from ((place, "a conference", _NOT_MIXED) for place in mixed)
    recorded += [("recordings", "numbers")] if site.recordings.numbers else []
    recorded += [(*path, "record") for path, _, record in everybody if record]
    if site.media.rtpengine.spool is None:
        yield from ((place, "recording", _NOT_RECORDED) for place in recorded)
    if site.recordings.beep_every_s:
        yield ("recordings", "beep_every_s"), str(site.recordings.beep_every_s), "0: rtpengine has no beep"
    for path, codecs, _ in everybody:
        for codec in codecs or ():
            if codec not in _CODECS:
                yield (*path, "codecs"), codec, f"{', '.join(_CODECS)} alone with media.backend rtpengine"
    if not {"PCMA", "PCMU"} & set(site.media.codecs):
        yield ("media", "codecs"), "neither PCMA nor PCMU", "one of them: rtpengine gets its prompts in it"
