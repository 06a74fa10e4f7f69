import base64
import json

import jwt
import pytest

from cti.errors import TokenError, WeakSecret
from cti.tokens import ROLES, Identity, Tokens

SECRET = "x" * 32
NOW = 1_700_000_000.0


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(SECRET)


@pytest.mark.parametrize("role", ROLES)
def test_what_was_made_is_good_until_it_expires(tokens: Tokens, role: str) -> None:
    token = tokens.make(role, "marie", NOW, 60)  # type: ignore[arg-type]
    assert tokens.check(token, NOW + 59) == Identity(role, "marie", NOW + 60)  # type: ignore[arg-type]
    with pytest.raises(TokenError, match="expired"):
        tokens.check(token, NOW + 60)


def test_an_agent_commands_himself_a_supervisor_anyone_a_shop_nobody() -> None:
    assert Identity("agent", "marie", 0).may_command("marie")
    assert not Identity("agent", "marie", 0).may_command("paul")
    assert Identity("supervisor", "boss", 0).may_command("paul")
    assert not Identity("shop", "marie", 0).may_command("marie")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"sub": "a", "role": "king", "exp": NOW + 9}, "role"),
        ({"sub": "a", "exp": NOW + 9}, "role"),
        ({"sub": "", "role": "agent", "exp": NOW + 9}, "nobody"),
        ({"sub": "a", "role": "agent"}, "exp"),
        ({"role": "agent", "exp": NOW + 9}, "sub"),
        ({"sub": "a", "role": "agent", "exp": "soon"}, "expired"),
        ({"sub": "a", "role": "agent", "exp": NOW + 9, "nbf": NOW + 31}, "not valid yet"),
    ],
)
def test_claims_that_are_not_enough(tokens: Tokens, claims: dict[str, object], said: str) -> None:
    with pytest.raises(TokenError, match=said):
        tokens.check(jwt.encode(claims, SECRET, algorithm="HS256"), NOW)


def test_forged_and_broken_tokens(tokens: Tokens) -> None:
    good = tokens.make("supervisor", "boss", NOW)
    claims = {"sub": "boss", "role": "supervisor", "exp": NOW + 9}
    unsigned = jwt.encode(claims, "", algorithm="none")
    other = jwt.encode(claims, "y" * 32, algorithm="HS256")
    head, body, signature = good.split(".")
    richer = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for bad in (
        "",
        "x",
        "a.b.c",
        good[:-3],
        unsigned,
        other,
        f"{head}.{richer}.{signature}",
        f"{head}.{body}.",
        "é" * 9,
    ):
        with pytest.raises(TokenError) as caught:
            tokens.check(bad, NOW)
        assert SECRET not in str(caught.value)


def test_a_short_secret_is_refused_without_showing_it() -> None:
    with pytest.raises(WeakSecret) as caught:
        Tokens("hunter2")
    assert "hunter2" not in str(caught.value) and "7 bytes" in str(caught.value)


def test_tokens_need_a_role_and_a_name(tokens: Tokens) -> None:
    with pytest.raises(TokenError, match="unknown role"):
        tokens.make("king", "a", NOW)  # type: ignore[arg-type]
    with pytest.raises(TokenError, match="needs a name"):
        tokens.make("agent", "", NOW)
