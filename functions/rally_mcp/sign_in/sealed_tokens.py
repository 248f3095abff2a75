"""Sealing upstream tokens to a principal, and opening them with the principal's private key.

Parked and active tokens are sealed for different places: copying what is parked over what is
active, in the store, gives something that does not open.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from rally_mcp.crypto import Location, PrivateKey, PublicKey, RecordKey
from rally_mcp.identity_providers.declaration import TokenResponse, UpstreamUser
from rally_mcp.sign_in.records import PRINCIPALS, SealedTokens, User

_REFRESH_AHEAD = timedelta(seconds=60)
"""Refreshing this long before the end keeps calls in flight from meeting an expired token."""

_EARLIEST_REFRESH = 0.9
"""Share of a short-lived token's life after which it is refreshed ahead."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which tokens of which principal are meant."""

    principal: RecordKey
    upstream: str
    part: Literal["parked", "active"]

    def location(self, token: Literal["access_token", "refresh_token"]) -> Location:
        """Where one of the two tokens is sealed."""
        return Location(PRINCIPALS, self.principal, f"{self.upstream}.{self.part}.{token}")


@dataclass(frozen=True, slots=True)
class OpenTokens:
    """Upstream tokens in the clear, for the length of one request."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)


def seal_tokens(
    public_key: PublicKey, place: Place, granted: TokenResponse, user: User, now: datetime
) -> SealedTokens:
    """Seal freshly granted tokens for `place`."""
    lifetime = granted.expires_at - now
    return SealedTokens(
        access_token=public_key.seal(granted.access_token, place.location("access_token")),
        refresh_token=public_key.seal(granted.refresh_token, place.location("refresh_token"))
        if granted.refresh_token
        else None,
        expires_at=granted.expires_at,
        refresh_at=max(granted.expires_at - _REFRESH_AHEAD, now + lifetime * _EARLIEST_REFRESH),
        user=user,
    )


def open_tokens(private_key: PrivateKey, place: Place, tokens: SealedTokens) -> OpenTokens:
    """Open the tokens of `place`. Raises crypto.NotOpened when they are not from there."""
    return OpenTokens(
        private_key.open(tokens.access_token, place.location("access_token")),
        private_key.open(tokens.refresh_token, place.location("refresh_token"))
        if tokens.refresh_token
        else None,
    )


def move_tokens(
    private_key: PrivateKey, source: Place, target: Place, tokens: SealedTokens
) -> SealedTokens:
    """Seal the tokens of one place for another, with the same times and user."""
    opened = open_tokens(private_key, source, tokens)
    public_key = private_key.public_key
    return tokens.model_copy(
        update={
            "access_token": public_key.seal(opened.access_token, target.location("access_token")),
            "refresh_token": public_key.seal(opened.refresh_token, target.location("refresh_token"))
            if opened.refresh_token
            else None,
        }
    )


def user_of(user: UpstreamUser) -> User:
    """Return what is kept about an upstream's user."""
    return User(id=user.id, name=user.name, tenant=user.tenant)
