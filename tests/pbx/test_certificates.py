"""The end of certificates: a mistake for `check`, a warning in the log of a server that starts all the same."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from pbx.__main__ import app
from pbx.certificates import DAY_S, days_left, warn_of_end
from pbx.transport.tls import Certificate, Tls, TlsFiles
from tests.transport.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def checked(folder: Path, authority: Authority, **valid: dt.timedelta) -> tuple[int, list[str]]:
    """Exit status and lines of `check` for a site with the certificates `main` and `other`."""
    for name in ("main", "other"):
        authority.issue(name, "pbx.example.com", valid=valid.get(name, dt.timedelta(days=90)))
    site = folder / "site.yaml"
    site.write_text(
        "site: test\nlisten:\n  sip: tls:127.0.0.1:0\n  tls:\n    certificate: main.pem\n    key: main.key\n"
        "    names: {shop: {certificate: other.pem, key: other.key}}\nmedia: {ports: 40960-40979}\n"
    )
    result = CliRunner().invoke(app, ["check", str(site)], env={"COLUMNS": "200"})
    return result.exit_code, result.output.splitlines()


def test_a_certificate_that_is_over_is_a_mistake(tmp_path: Path, authority: Authority) -> None:
    status, lines = checked(tmp_path, authority, main=dt.timedelta(days=-40), other=dt.timedelta(days=-40))
    assert status == 1 and len(lines) == 3
    for line, place, name in zip(lines, ("5:18", "7:33"), ("main", "other"), strict=False):
        assert line.startswith(f"{tmp_path}/site.yaml:{place}: listen.tls.")
        assert f"expected a certificate that is still valid, found {tmp_path}/{name}.pem (it ended 20" in line


@pytest.mark.parametrize(("left", "hints"), [(13.9, 1), (14.1, 0)])
def test_a_certificate_that_soon_is_over(tmp_path: Path, authority: Authority, left: float, hints: int) -> None:
    status, lines = checked(tmp_path, authority, other=dt.timedelta(days=left))
    assert status == 0 and lines[-1].endswith(": good")
    hint = f"listen.tls.names.shop.certificate: {tmp_path}/other.pem ends 20"
    assert [line.startswith(hint) for line in lines].count(True) == hints


def test_the_log_has_a_line_for_each() -> None:
    ends = {"over": -1.0, "soon": 13.0, "late": 15.0}
    certificates = [Certificate(("names", name, "certificate"), name, days * DAY_S) for name, days in ends.items()]
    with capture_logs() as lines:
        warn_of_end(certificates, 0.0)
    assert [(line["event"], line["setting"], line["end"]) for line in lines] == [
        ("a certificate has ended", "listen.tls.names.over.certificate", "1969-12-31 00:00 UTC"),
        ("a certificate ends soon", "listen.tls.names.soon.certificate", "1970-01-14 00:00 UTC"),
    ]
    assert days_left(certificates, 0.0) == -1.0 and math.isnan(days_left([], 0.0))


def test_what_only_openssl_can_read_has_no_known_end(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("odd")
    both = TlsFiles(certificate, key, {"pbx": (certificate, key)})
    assert [one.setting for one in Tls(both).certificates] == [("certificate",), ("names", "pbx", "certificate")]
    odd = Path(certificate)
    odd.write_text(odd.read_text().replace(" CERTIFICATE", " TRUSTED CERTIFICATE"))
    assert Tls(both).certificates == []
