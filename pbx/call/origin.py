"""Where a call comes from."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """What the switch knows of a new call before it is one."""

    number: str
    name: str
    dialled: str
    trunk: str | None
    extension: str | None
    max_forwards: int  # for the INVITEs that this call makes
    is_sips: bool = False  # called by a SIPS URI
    instance: str | None = None  # the one device that was asked for by its GRUU (RFC 5627)
