"""Authorization codes and refresh tokens: what they stand for and how they end.

An access token is never asked for by anyone here, so that none is kept.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from devtools.entra_simulator.errors import Refused
from devtools.simulation.oauth import verifies

CODE_TTL = timedelta(minutes=10)
REFRESH_TOKEN_TTL = timedelta(days=90)

CODE_BYTES = 600
TOKEN_BYTES = 1100
"""Entra's are that long: 800 characters of a code stand in the callback's URL."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user allowed an application in one sign-in; all that is issued for it refers to it."""

    user: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    nonce: str
    code_challenge: str
    generation: int


@dataclass(slots=True)
class _IssuedCode:
    grant: Grant
    expires_at: datetime
    is_redeemed: bool = False


@dataclass(frozen=True, slots=True)
class TokenStore:
    """Issues and redeems codes and refresh tokens."""

    clock: Callable[[], datetime]
    _codes: dict[str, _IssuedCode] = field(default_factory=dict)
    _refresh_tokens: dict[str, tuple[Grant, datetime]] = field(default_factory=dict)

    def issue_code(self, grant: Grant) -> str:
        """Return a code that is good for one exchange within ten minutes."""
        authorization_code = f"1.{secrets.token_urlsafe(CODE_BYTES)}"
        self._codes[authorization_code] = _IssuedCode(grant, self.clock() + CODE_TTL)
        return authorization_code

    def redeem_code(
        self, authorization_code: str, client_id: str, redirect_uri: str, code_verifier: str
    ) -> Grant:
        """Exchange a code for what it stands for; a refusal leaves it good. Raises Refused."""
        issued = self._codes.get(authorization_code)
        if issued is None or issued.grant.client_id != client_id:
            raise _malformed()
        if issued.is_redeemed:
            raise Refused(
                "invalid_grant",
                54005,
                "OAuth2 Authorization code was already redeemed, please retry with a new valid "
                "code or use an existing refresh token.",
            )
        if self.clock() >= issued.expires_at:
            raise _expired(70008)
        _check_redirect_uri(issued.grant, redirect_uri)
        _check_code_verifier(issued.grant, code_verifier)
        issued.is_redeemed = True
        return issued.grant

    def issue_refresh_token(self, grant: Grant) -> str:
        """Return one more refresh token, good for 90 days; those before it stay good."""
        refresh_token = f"1.{secrets.token_urlsafe(TOKEN_BYTES)}"
        self._refresh_tokens[refresh_token] = (grant, self.clock() + REFRESH_TOKEN_TTL)
        return refresh_token

    def grant_of(self, refresh_token: str, client_id: str) -> Grant:
        """Return what a refresh token stands for. Raises Refused."""
        grant, expires_at = self._refresh_tokens.get(refresh_token, (None, None))
        if grant is None or expires_at is None or grant.client_id != client_id:
            raise _malformed()
        if self.clock() >= expires_at:
            raise _expired(700082)
        return grant


def _malformed() -> Refused:
    return Refused("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")


def _expired(number: int) -> Refused:
    return Refused(
        "invalid_grant",
        number,
        "The provided authorization code or refresh token has expired due to inactivity. Send a "
        "new interactive authorization request for this user and resource.",
    )


def _check_redirect_uri(grant: Grant, redirect_uri: str) -> None:
    if redirect_uri != grant.redirect_uri:
        # RFC 6749 §5.2 would have it be invalid_grant.
        raise Refused(
            "invalid_client",
            500112,
            f"The reply address '{redirect_uri}' does not match the reply address "
            f"'{grant.redirect_uri}' provided when requesting Authorization code.",
            status=401,
        )


def _check_code_verifier(grant: Grant, code_verifier: str) -> None:
    """Check a code_verifier if the authorization request had a code_challenge."""
    if not grant.code_challenge:
        return
    if not code_verifier:
        raise Refused(
            "invalid_grant",
            50148,
            "The code_verifier does not match the code_challenge supplied in the authorization "
            "request for PKCE.",
        )
    if not verifies(code_verifier, grant.code_challenge):
        raise Refused(
            "invalid_grant",
            501481,
            "The Code_Verifier does not match the code_challenge supplied in the authorization "
            "request.",
        )
