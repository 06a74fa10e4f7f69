"""The `registration` section, and `register` of a trunk."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.registration import Register, Registration
from config.trunks import Trunk

CARRIER = {"gateway": "sip:carrier.example.com", "login": {"username": "us", "password": "pw"}}


def test_defaults() -> None:
    site = Registration()
    assert (site.min_s, site.max_s, site.default_s, site.at_limit, site.outbound) == (
        60, 3600, 3600, "replace oldest", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"min_s": 0}, {"min_s": 3601}, {"max_s": 1800}, {"default_s": 7200}, {"at_limit": "queue"}, {"outbound": "maybe"}],
)
def test_mistakes(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Registration.model_validate(wrong)


@pytest.mark.parametrize(("value", "found"), [
    (True, Register()), ("true", Register()), ("yes", Register()), (False, None), ("no", None), (None, None),
    ({"every_s": 120, "user": "0180"}, Register(every_s=120, user="0180")),
])  # fmt: skip
def test_register_in_short_and_in_full(value: object, found: Register | None) -> None:
    assert Trunk.model_validate({**CARRIER, "register": value}).registration == found


@pytest.mark.parametrize(
    "wrong",
    [
        "maybe", {"every_s": 10}, {"user": "a b"}, {"contact_user": "a@b"}, {"registrar": "carrier.example.com"},
        {"evry_s": 60},
    ],
)  # fmt: skip
def test_register_mistakes(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Trunk.model_validate({**CARRIER, "register": wrong})


def test_register_needs_a_login_and_a_place() -> None:
    login = {"login": CARRIER["login"]}
    for wrong in ({"gateway": CARRIER["gateway"], "register": True}, {**login, "register": True}):
        with pytest.raises(ValidationError, match="expected login and a gateway"):
            Trunk.model_validate(wrong)
    there = Trunk.model_validate({**login, "register": {"registrar": "sip:reg.example.com"}})
    assert there.registration is not None and not there.ways


def test_proxies_in_front() -> None:
    edge = "sip:edge.example.com:5070;transport=tcp;lr"
    assert Registration.model_validate({"service_route": edge}).service_route == (edge,)
    for wrong in ("edge.example.com", "sip:edge.example.com", "<sip:edge.example.com;lr>", ["sip:a;lr", "sip:b;lrs"]):
        with pytest.raises(ValidationError):
            Registration.model_validate({"service_route": wrong})
