"""API tokens: JWT signed with HS256 by the site's `api.secret` (RFC 7519, RFC 7518 3.2).

Claims: `sub` (the agent's name for role agent, any name for the others), `role`, `iat`, `exp`; `nbf` is obeyed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

import jwt

from cti.errors import TokenError, WeakSecret

Role = Literal["agent", "supervisor", "shop"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
MIN_SECRET_BYTES = 32  # RFC 7518 3.2: a key as long as the hash, at least
DEFAULT_VALID_S = 12 * 3600.0
CLOCK_SKEW_S = 30.0  # tokens made elsewhere: how far the maker's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking."""

    role: Role
    name: str  # agent's name for role agent
    expires_at: float  # seconds since 1970

    def may_command(self, agent: str) -> bool:
        """An agent himself, a supervisor anyone."""
        return self.role == "supervisor" or (self.role == "agent" and self.name == agent)


class Tokens:
    """Makes and checks tokens; holds the secret, shows it to nobody."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        """Raises WeakSecret if `secret` is shorter than 32 bytes."""
        self._secret = secret.encode()
        if len(self._secret) < MIN_SECRET_BYTES:
            raise WeakSecret(
                f"api.secret has {len(self._secret)} bytes, expected at least {MIN_SECRET_BYTES}"
                " (as from: openssl rand -hex 32)"
            )

    def make(self, role: Role, name: str, now: float, valid_s: float = DEFAULT_VALID_S) -> str:
        """A token for `name` in `role`, good from `now` for `valid_s` seconds."""
        if role not in ROLES:
            raise TokenError(f"unknown role {role!r}, expected one of: {', '.join(ROLES)}")
        if not name:
            raise TokenError("a token needs a name (for role agent: the agent's name in the site file)")
        claims = {"sub": name, "role": role, "iat": int(now), "exp": int(now + valid_s)}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def check(self, token: str, now: float) -> Identity:
        """Who holds `token`. Raises TokenError, whose message never repeats the token."""
        try:
            # The clock is an argument here, so times are compared below and not by the library.
            options = {"require": ["sub", "exp"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options=cast("jwt.types.Options", options))
        except jwt.MissingRequiredClaimError as e:
            raise TokenError(f"the token lacks the claim {e.claim!r}") from None
        except jwt.PyJWTError:
            raise TokenError("the token is not one of this site") from None
        role, name, expires_at, not_before = (claims.get(key) for key in ("role", "sub", "exp", "nbf"))
        if role not in ROLES:
            raise TokenError(f"the token's role is not one of: {', '.join(ROLES)}")
        if not isinstance(name, str) or not name:
            raise TokenError("the token names nobody")
        if not isinstance(expires_at, int | float) or expires_at <= now:
            raise TokenError("the token has expired")
        if not_before is not None and (not isinstance(not_before, int | float) or not_before > now + CLOCK_SKEW_S):
            raise TokenError("the token is not valid yet")
        return Identity(role, name, float(expires_at))
