"""Authorization codes, access tokens and refresh tokens: who they stand for and how they end.

A sign-in starts a family of tokens. Refreshing adds to it; reuse or revocation ends all of it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from devtools.rally_simulator.errors import TokenRefused
from devtools.simulation.oauth import verifies

CODE_TTL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a user allowed: the content of an authorization code."""

    user: str
    client_id: str
    redirect_uri: str
    code_challenge: str


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """How this Rally treats tokens."""

    access_token_ttl: timedelta
    rotate_refresh_tokens: bool
    issue_refresh_tokens: bool
    revoke_on_refresh_reuse: bool
    enforce_pkce: bool


@dataclass(slots=True, eq=False)
class _Family:
    """All tokens of one sign-in. `refresh_token` is the one that counts."""

    user: str
    client_id: str
    refresh_token: str | None = None
    is_revoked: bool = False


class TokenStore:
    """Issues and redeems codes and tokens."""

    def __init__(self, policy: TokenPolicy, clock: Callable[[], datetime]) -> None:
        self._policy = policy
        self._clock = clock
        self._codes: dict[str, tuple[Authorization, datetime]] = {}
        self._access_tokens: dict[str, tuple[_Family, datetime]] = {}
        self._refresh_tokens: dict[str, _Family] = {}

    def issue_code(self, authorization: Authorization) -> str:
        """Return a code that is good for one exchange within 60 seconds."""
        authorization_code = secrets.token_urlsafe(24)
        self._codes[authorization_code] = (authorization, self._clock() + CODE_TTL)
        return authorization_code

    def redeem_code(
        self, authorization_code: str, client_id: str, redirect_uri: str, code_verifier: str
    ) -> dict[str, object]:
        """Exchange a code for the token endpoint's success document. Raises TokenRefused."""
        authorization, expires_at = self._codes.pop(authorization_code, (None, None))
        if authorization is None or expires_at is None or self._clock() >= expires_at:
            raise TokenRefused("invalid_grant", "Invalid authorization code")
        if (authorization.client_id, authorization.redirect_uri) != (client_id, redirect_uri):
            raise TokenRefused("invalid_grant", "Invalid redirect_uri")
        if self._policy.enforce_pkce and not verifies(code_verifier, authorization.code_challenge):
            raise TokenRefused("invalid_grant", "Invalid code_verifier")
        return self._tokens(_Family(authorization.user, client_id))

    def refresh(self, refresh_token: str, client_id: str) -> dict[str, object]:
        """Exchange a refresh token for the success document. Raises TokenRefused."""
        family = self._refresh_tokens.get(refresh_token)
        if family is None or family.is_revoked or family.client_id != client_id:
            raise TokenRefused("invalid_grant", "Invalid refresh token")
        if family.refresh_token != refresh_token:
            family.is_revoked = self._policy.revoke_on_refresh_reuse
            raise TokenRefused("invalid_grant", "Invalid refresh token")
        return self._tokens(family)

    def user_of(self, access_token: str) -> str | None:
        """Return whom a living access token stands for, or None."""
        family, expires_at = self._access_tokens.get(access_token, (None, None))
        if family is None or expires_at is None:
            return None
        is_alive = not family.is_revoked and self._clock() < expires_at
        return family.user if is_alive else None

    def was_issued(self, access_token: str) -> bool:
        """Whether this access token was ever good."""
        return access_token in self._access_tokens

    def revoke_user(self, user: str) -> None:
        """End every token and code of a user, as Authorized Applications does in Rally."""
        for family, _ in self._access_tokens.values():
            family.is_revoked = family.is_revoked or family.user == user
        kept = {code: entry for code, entry in self._codes.items() if entry[0].user != user}
        self._codes = kept

    def _tokens(self, family: _Family) -> dict[str, object]:
        """Write the success document, with `id_token` as Rally fills it."""
        lifetime = self._policy.access_token_ttl
        access_token = secrets.token_urlsafe(32)
        self._access_tokens[access_token] = (family, self._clock() + lifetime)
        document: dict[str, object] = {
            "id_token": "???",
            "expires_in": int(lifetime.total_seconds()),
            "token_type": "Bearer",
            "access_token": access_token,
        }
        if self._policy.issue_refresh_tokens:
            document["refresh_token"] = self._current_refresh_token(family)
        return document

    def _current_refresh_token(self, family: _Family) -> str:
        if family.refresh_token is None or self._policy.rotate_refresh_tokens:
            family.refresh_token = secrets.token_hex(15)[:29]
            self._refresh_tokens[family.refresh_token] = family
        return family.refresh_token
