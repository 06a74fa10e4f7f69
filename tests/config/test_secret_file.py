from __future__ import annotations

from collections.abc import Callable

from config.schema import Site

LoadSite = Callable[..., Site]
Problems = Callable[..., list[str]]

LONG = "0123456789abcdef0123456789abcdef"
API = "api: {secret: !secret api_key}\n"


def secret(site: Site) -> str:
    assert site.api is not None
    return site.api.secret.get_secret_value()


def test_from_the_file_beside_the_site(site: LoadSite) -> None:
    digits = "0123" * 8  # stays text though it looks like a number
    assert secret(site(API, secrets=f"api_key: {digits}\n")) == digits


def test_the_environment_wins(site: LoadSite) -> None:
    environment = {"PLATEAU_SECRET_API_KEY": LONG}
    assert secret(site(API, secrets=f"api_key: not {LONG}\n", environment=environment)) == LONG


def test_names_with_other_characters(site: LoadSite) -> None:
    environment = {"PLATEAU_SECRET_MY_KEY_1": LONG}
    assert secret(site("api: {secret: !secret my-key.1}\n", environment=environment)) == LONG


def test_a_missing_secret_names_both_places(problems: Problems) -> None:
    assert problems(API) == [
        "site.yaml:3:15: api.secret: expected api_key in site.secrets.yaml or PLATEAU_SECRET_API_KEY in the "
        "environment, found neither"
    ]


def test_a_short_api_secret_is_refused_at_its_place(problems: Problems) -> None:
    (told,) = problems(API, secrets="api_key: hunter2\n")
    assert told.startswith("site.yaml:3:15: api.secret: expected at least 32 characters") and "hunter" not in told


def test_a_database_url_may_be_a_secret(site: LoadSite) -> None:
    loaded = site("records: {url: !secret db}\n", secrets="db: postgresql://plateau:hunter2@db/plateau\n")
    assert loaded.records.url == "postgresql://plateau:hunter2@db/plateau"
    assert "hunter2" not in repr(loaded)


def test_secrets_are_never_printed(site: LoadSite) -> None:
    loaded = site(API + "extensions: {101: {password: hunter3}}\n", secrets=f"api_key: hunter2 {LONG}\n")
    for printed in (repr(loaded), str(loaded), loaded.model_dump_json()):
        assert "hunter" not in printed


def test_problems_do_not_quote_secrets(problems: Problems) -> None:
    text = (
        "site: !secret s\nlocale: {country: !secret s}\nrecords: {url: !secret s}\n"
        "extensions: {101: hunter1, 102: {password: [hunter2]}, 103: {password: {hunter3: 4}}}\n"
        "trunks: {t: {registers_as: hunter4, max_calls: !secret s}}\napi: hunter5\n"
    )
    told = problems(text, secrets="s: //hunter6:x@y\n")
    assert len(told) >= 7
    assert not [line for line in told if "hunter" in line]
    found = problems("records: {url: 'mysql://me:hunter7@db/x'}\n")
    assert found and "hunter7" not in found[0]


def test_a_wrong_secrets_file_is_told_at_its_place_without_its_values(problems: Problems) -> None:
    told = problems(API, secrets="api_key: [hunter]\nother: x\nother: hunter\n")
    assert told[:2] == [
        "site.secrets.yaml:1:10: api_key: expected NAME: value, the value one text, found something else",
        "site.secrets.yaml:3:1: other: expected each name once, found other again",
    ]
    assert not [line for line in told if "hunter" in line]
    assert problems(secrets="a: [\n")[0].startswith("site.secrets.yaml:")
    assert problems(secrets="- a\n")[0].startswith("site.secrets.yaml:1:1: expected lines of NAME: value")
