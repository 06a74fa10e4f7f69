"""Mistakes in `needs` are told like all others: file, line, column."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SiteError
from pbx.site import load_site

SITE = """\
site: x
listen: {sip: udp:127.0.0.1:5060}
agents:
  ann: {contact: sip:ann@127.0.0.1, skills: {asia: 4}}
queues:
  good: {needs: asia >= 4}
  unreadable: {needs: asia >=}
  nobody: {needs: asia >= 5}
"""


def test_requirements_are_checked_with_the_site(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    with pytest.raises(SiteError) as caught:
        load_site(file)
    unreadable, nobody = map(str, caught.value.problems)
    assert unreadable.startswith(f"{file}:7:23: queues.unreadable.needs: expected a requirement (column ")
    assert nobody.startswith(f"{file}:8:19: queues.nobody.needs: expected a requirement that at least one agent")
