"""The limit of open files: raised to what a site needs, and a word where that can't be."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from config.schema import Site
from pbx import descriptors
from pbx.__main__ import app
from pbx.site import load_site

SITE = Path(__file__).parents[2] / "config" / "sites" / "travel.yaml"
NEEDED = 10_000 + descriptors.HEADROOM


@pytest.fixture
def site() -> Site:
    site = load_site(SITE)
    assert descriptors.needed(site) == NEEDED  # listen.max_connections, 10,000
    return site


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """[soft, hard]"""
    now = [1024, 1_048_576]

    def set_limits(which: int, new: tuple[int, int]) -> None:
        assert new[0] <= now[1] and new[1] == now[1]
        now[:] = new

    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", set_limits)
    yield now


def test_raised_to_what_the_site_needs(site: Site, limits: list[int]) -> None:
    with capture_logs() as said:
        descriptors.raise_limit(site)
        descriptors.raise_limit(site)  # there is nothing left to do
    assert limits == [NEEDED, 1_048_576]
    (line,) = said
    assert line["event"] == "limit of open files raised" and (line["before"], line["now"]) == (1024, NEEDED)


def test_as_far_as_it_goes(site: Site, limits: list[int]) -> None:
    limits[1] = 4096
    with capture_logs() as said:
        descriptors.raise_limit(site)
    assert limits == [4096, 4096]
    (line,) = said
    assert line["log_level"] == "warning" and "LimitNOFILE" in line["hint"] and line["needed"] == NEEDED


def test_more_media_ports_than_connections(site: Site) -> None:
    ports = site.media.ports._replace(first=20_000, last=49_999)
    wide = site.model_copy(update={"media": site.media.model_copy(update={"ports": ports})})
    assert descriptors.needed(wide) == 30_000 + descriptors.HEADROOM


@pytest.mark.parametrize("hard", [resource.RLIM_INFINITY, 1_048_576])
def test_enough(site: Site, limits: list[int], hard: int) -> None:
    limits[:] = [hard, hard]
    with capture_logs() as said:
        descriptors.raise_limit(site)
    assert limits == [hard, hard] and not said and descriptors.shortage(site) is None


def test_check_says_when_the_machine_allows_too_little(limits: list[int]) -> None:
    enough = CliRunner().invoke(app, ["check", str(SITE)], env={"COLUMNS": "300"})
    limits[1] = 4096
    short = CliRunner().invoke(app, ["check", str(SITE)], env={"COLUMNS": "300"})
    assert enough.exit_code == short.exit_code == 0
    assert "open files" not in enough.output and f"may need {NEEDED} open files, the limit here is 4096" in short.output
