"""The certificates of `listen.tls`: whether they can be used, and for how long."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Iterable, Iterator
from typing import Final

import structlog

from config.findings import Finding, Names
from config.schema import Site
from pbx.transport.tls import BadFile, Certificate, Tls, TlsFiles

log = structlog.get_logger("pbx.certificates")

DAY_S: Final = 86_400
SOON_DAYS: Final = 14  # before a certificate ends it is warned of


def tls_files(site: Site) -> TlsFiles | None:
    """What the site says of TLS, for the transport."""
    tls = site.listen.tls
    if tls is None:
        return None
    names = {name: (one.certificate, one.key) for name, one in tls.names.items()}
    return TlsFiles(tls.certificate, tls.key, names, tls.ca, tls.client_ca, tls.client_certificates)


def certificate_findings(site: Site, _: Names) -> Iterator[Finding]:
    """The files of `listen.tls` are read as the server will read them. One that is over is a mistake here, though the
    server would start with it: to be without calls altogether were worse."""
    try:
        for one in _certificates(site):
            if one.ends_at <= time.time():
                found = f"{one.file} (it ended {_date(one)})"
                yield Finding(("listen", "tls", *one.setting), found, "a certificate that is still valid")
    except BadFile as error:
        yield Finding(("listen", "tls", *error.setting), error.found, error.expected)


def soon_over(site: Site) -> list[str]:
    """A hint for each certificate that ends within `SOON_DAYS`."""
    now = time.time()
    return [
        f"listen.tls.{'.'.join(one.setting)}: {one.file} ends {_date(one)}"
        for one in _certificates(site)
        if _days_left(one, now) < SOON_DAYS
    ]


def warn_of_end(certificates: Iterable[Certificate], now: float) -> None:
    """A line in the log for each that is over, or soon will be."""
    for one in certificates:
        if (days := _days_left(one, now)) < SOON_DAYS:
            what = "a certificate has ended" if days <= 0 else "a certificate ends soon"
            log.warning(what, setting=f"listen.tls.{'.'.join(one.setting)}", file=one.file, end=_date(one))


def days_left(certificates: Iterable[Certificate], now: float) -> float:
    """Of the one that ends first, negative when it is over; not a number without any."""
    return min((_days_left(one, now) for one in certificates), default=math.nan)


def _certificates(site: Site) -> list[Certificate]:
    files = tls_files(site)
    return Tls(files).certificates if files is not None else []


def _days_left(certificate: Certificate, now: float) -> float:
    return (certificate.ends_at - now) / DAY_S


def _date(certificate: Certificate) -> str:
    return f"{dt.datetime.fromtimestamp(certificate.ends_at, dt.UTC):%Y-%m-%d %H:%M} UTC"
