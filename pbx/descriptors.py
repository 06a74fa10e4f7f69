"""Open files: how many the site may need at once, and the limit raised to that (RLIMIT_NOFILE)."""

from __future__ import annotations

import resource
from typing import Final

import structlog

from config.schema import Site

log = structlog.get_logger("pbx.descriptors")

HEADROOM: Final = 1024  # records, prompts, web clients, pipes


def needed(site: Site) -> int:
    """Of the process that needs the most: the server has a descriptor for each connection, the media worker one for
    each of the site's ports (RTP and RTCP)."""
    ports = site.media.ports
    return max(site.listen.max_connections, ports.last - ports.first + 1) + HEADROOM


def shortage(site: Site) -> str | None:
    """A hint when the machine does not allow as many; None: it does."""
    hard, wanted = resource.getrlimit(resource.RLIMIT_NOFILE)[1], needed(site)
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return None
    return (
        f"this site may need {wanted} open files, the limit here is {hard}: raise it (LimitNOFILE of the service, "
        "ulimit -Hn) or lower media.ports and listen.max_connections"
    )


def raise_limit(site: Site) -> None:
    """Raise the soft limit to what the site needs, or as far as the hard one lets; a line in the log if it changed or
    is too low. The media worker raises its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed(site)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        new = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (new, hard))
        if new == wanted:
            log.info("limit of open files raised", before=soft, now=new)
        else:
            log.warning("limit of open files is too low", now=new, needed=wanted, hint=shortage(site))
