"""Sites for tests: `site(text)` loads one, `problems(text)` tells what is wrong with it. MINIMAL stands before."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from config.errors import SiteError
from config.loader import load
from config.schema import Site

MINIMAL = "site: test\nlisten: {sip: udp:127.0.0.1:5060}\n"

LoadSite = Callable[..., Site]
Problems = Callable[..., list[str]]


@pytest.fixture
def site(tmp_path: Path) -> LoadSite:
    """Loads MINIMAL and the text after it (`whole` alone if given); `secrets` goes to the file beside it."""

    def build(
        text: str = "",
        *,
        whole: str | None = None,
        secrets: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Site:
        (tmp_path / "site.yaml").write_text(MINIMAL + text if whole is None else whole, "utf-8")
        if secrets is not None:
            (tmp_path / "site.secrets.yaml").write_text(secrets, "utf-8")
        return load(tmp_path / "site.yaml", environment or {})

    return build


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    """The printed problems of MINIMAL and the text after it (of `whole` alone if given), without the folder."""

    def find(text: str = "", *, whole: str | bytes | None = None, secrets: str | None = None) -> list[str]:
        data = MINIMAL + text if whole is None else whole
        (tmp_path / "site.yaml").write_bytes(data if isinstance(data, bytes) else data.encode())
        if secrets is not None:
            (tmp_path / "site.secrets.yaml").write_text(secrets, "utf-8")
        with pytest.raises(SiteError) as error:
            load(tmp_path / "site.yaml", {})
        return [str(p).replace(str(tmp_path) + os.sep, "") for p in error.value.problems]

    return find
