"""Authorization codes, access tokens and refresh tokens: who they stand for and how they end.

An OAuth app's access tokens (`gho_`) have scopes and no end. Those of a GitHub App (`ghu_`) end
after eight hours, have the app's permissions instead of scopes, and come with a refresh token.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from devtools.github_simulator import scopes
from devtools.github_simulator.errors import TokenRefused
from devtools.simulation.oauth import verifies

CODE_TTL = timedelta(minutes=10)
ACCESS_TOKEN_TTL = timedelta(seconds=28800)
REFRESH_TOKEN_TTL = timedelta(seconds=15897600)

MOST_TOKENS = 10
"""Of one user, app and set of scopes. The oldest ends when one more is issued."""

_TOKEN_PAGE = "troubleshooting-oauth-app-access-token-request-errors/#bad-verification-code"  # noqa: S105 - a page
_REDIRECT_PAGE = "troubleshooting-authorization-request-errors/#redirect-uri-mismatch2"


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a user allowed: the content of an authorization code. `code_challenge` may be ""."""

    user: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    scopes: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Grant:
    """What an access token, and the refresh token that came with it, stand for."""

    user: str
    client_id: str
    scopes: tuple[str, ...]
    access_token: str
    refresh_token: str | None
    expires_at: datetime | None
    refresh_expires_at: datetime | None
    is_revoked: bool = False

    def permits(self, *any_of: str) -> bool:
        """Whether one of these scopes was granted; a GitHub App has every permission here."""
        is_of_github_app = self.refresh_token is not None
        return is_of_github_app or not scopes.with_included(self.scopes).isdisjoint(any_of)


class TokenStore:
    """Issues, redeems and ends codes and tokens."""

    def __init__(self, clock: Callable[[], datetime], *, expiring: bool) -> None:
        self._clock = clock
        self._expiring = expiring
        self._codes: dict[str, tuple[Authorization, datetime]] = {}
        self._grants: list[Grant] = []

    def issue_code(self, authorization: Authorization) -> str:
        """Return a code that is good for one exchange within ten minutes."""
        authorization_code = secrets.token_hex(10)
        self._codes[authorization_code] = (authorization, self._clock() + CODE_TTL)
        return authorization_code

    def redeem_code(
        self, authorization_code: str, client_id: str, redirect_uri: str, code_verifier: str
    ) -> dict[str, object]:
        """Exchange a code for the token endpoint's success document. Raises TokenRefused.

        `redirect_uri` "" is none, which GitHub puts up with.
        """
        authorization, expires_at = self._codes.pop(authorization_code, (None, None))
        if authorization is None or expires_at is None or self._clock() >= expires_at:
            raise _bad_verification_code()
        if authorization.client_id != client_id or not _verifies(code_verifier, authorization):
            raise _bad_verification_code()
        if redirect_uri and redirect_uri != authorization.redirect_uri:
            raise redirect_uri_mismatch()
        return self._issue(authorization.user, client_id, authorization.scopes)

    def refresh(self, refresh_token: str, client_id: str) -> dict[str, object]:
        """Exchange a refresh token; it and its access token end. Raises TokenRefused."""
        for grant in self._of_client(client_id):
            is_in_time = not grant.refresh_expires_at or self._clock() < grant.refresh_expires_at
            if refresh_token and grant.refresh_token == refresh_token and is_in_time:
                grant.is_revoked = True
                return self._issue(grant.user, client_id, grant.scopes)
        raise TokenRefused(
            "bad_refresh_token", "The refresh token passed is incorrect or expired.", _TOKEN_PAGE
        )

    def grant_of(self, access_token: str) -> Grant | None:
        """Return what a living access token stands for, or None."""
        for grant in self._grants:
            if grant.access_token == access_token and not grant.is_revoked:
                is_in_time = grant.expires_at is None or self._clock() < grant.expires_at
                return grant if is_in_time else None
        return None

    def revoke(self, access_token: str, client_id: str, *, whole_grant: bool) -> bool:
        """End an app's access token, or with `whole_grant` all that its user has with the app.

        Returns False for a token that is not one of the app's.
        """
        grant = self.grant_of(access_token)
        if grant is None or grant.client_id != client_id:
            return False
        for other in self._of_client(client_id):
            if other is grant or (whole_grant and other.user == grant.user):
                other.is_revoked = True
        return True

    def revoke_user(self, user: str) -> None:
        """End every token and code of a user, as the user can in the settings at GitHub."""
        for grant in self._grants:
            grant.is_revoked = grant.is_revoked or grant.user == user
        kept = {code: entry for code, entry in self._codes.items() if entry[0].user != user}
        self._codes = kept

    def expire_access_tokens(self) -> None:
        """Let every access token be over, also those without an end. Refresh tokens stay."""
        for grant in self._grants:
            grant.expires_at = self._clock()

    def _of_client(self, client_id: str) -> Iterable[Grant]:
        return [
            grant for grant in self._grants if grant.client_id == client_id and not grant.is_revoked
        ]

    def _issue(self, user: str, client_id: str, granted: tuple[str, ...]) -> dict[str, object]:
        """Write the success document of new tokens."""
        if not self._expiring:
            grant = Grant(user, client_id, granted, _new("gho_", 18), None, None, None)
            self._grants.append(grant)
            self._end_surplus(grant)
            return _document(grant)
        now = self._clock()
        grant = Grant(
            user=user,
            client_id=client_id,
            scopes=(),
            access_token=_new("ghu_", 18),
            refresh_token=_new("ghr_", 38),
            expires_at=now + ACCESS_TOKEN_TTL,
            refresh_expires_at=now + REFRESH_TOKEN_TTL,
        )
        self._grants.append(grant)
        return _document(grant) | {
            "expires_in": int(ACCESS_TOKEN_TTL.total_seconds()),
            "refresh_token": grant.refresh_token,
            "refresh_token_expires_in": int(REFRESH_TOKEN_TTL.total_seconds()),
        }

    def _end_surplus(self, newest: Grant) -> None:
        alike = [
            grant
            for grant in self._of_client(newest.client_id)
            if (grant.user, grant.scopes) == (newest.user, newest.scopes)
        ]
        for grant in alike[:-MOST_TOKENS]:
            grant.is_revoked = True


def redirect_uri_mismatch() -> TokenRefused:
    """Return the refusal of a redirect_uri that is another than the code's."""
    description = "The redirect_uri MUST match the registered callback URL for this application."
    return TokenRefused("redirect_uri_mismatch", description, _REDIRECT_PAGE)


def _bad_verification_code() -> TokenRefused:
    return TokenRefused(
        "bad_verification_code", "The code passed is incorrect or expired.", _TOKEN_PAGE
    )


def _document(grant: Grant) -> dict[str, object]:
    return {
        "access_token": grant.access_token,
        "scope": ",".join(grant.scopes),
        "token_type": "bearer",
    }


def _new(prefix: str, size: int) -> str:
    return prefix + secrets.token_hex(size)


def _verifies(code_verifier: str, authorization: Authorization) -> bool:
    """Check a code_verifier if the authorization request had a code_challenge."""
    challenge = authorization.code_challenge
    return not challenge or verifies(code_verifier, challenge)
