"""A site file read with every check there is, those of the parts that `config` may not know included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from acd.site_check import queue_needs
from acd.site_check_agents import agents_and_work
from acd.site_check_routing import routing
from config.findings import Finding, Names
from config.loader import load
from config.schema import Site
from media.prompts import Progress
from pbx.certificates import certificate_findings
from pbx.sound import prompt_findings


def load_site(path: Path, *, with_files: bool = False, progress: Progress | None = None) -> Site:
    """Raises SiteError with every mistake at its line. `with_files`: certificates and prompts are read too (`progress`
    is told how far); the server does that by itself, since they change without the site file."""

    def prompts(site: Site, _: Names) -> Iterator[Finding]:
        return prompt_findings(site, progress)

    checks = (queue_needs, agents_and_work, routing)
    return load(path, also=(*checks, certificate_findings, prompts) if with_files else checks)
