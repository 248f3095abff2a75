"""Issuing a grant's tokens into its record, and taking an access token back as a credential."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from rally_mcp.authorization_server.bearer_secrets import (
    Kind,
    is_grant_id,
    is_hash_of,
    new_bearer_secret,
    record_of,
)
from rally_mcp.crypto import Location, NotOpened, PrivateKey, RecordKey, record_key
from rally_mcp.sign_in.grant_records import Grant, IssuedAccess, IssuedRefresh
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import PRINCIPALS, PrincipalRecord

ACCESS_TTL = timedelta(hours=1)
"""Life of an access token."""

_MOST_ACCESS_TOKENS = 8
"""Live ones per grant; a client that refreshes more often than that loses the oldest."""


@dataclass(frozen=True, slots=True)
class GrantedTokens:
    """A successful token response (RFC 6749 §5.1), before it is written down."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GrantBearer:
    """Who comes with an access token of a grant, and the record as it was just read."""

    principal: Principal
    record: PrincipalRecord
    client_id: str
    scopes: tuple[str, ...]


def sealed_location(
    grant_id: RecordKey, part: Literal["consent", "request", "code", "access", "refresh", "rotated"]
) -> Location:
    """Where something of a grant stands that is sealed under one of its secrets."""
    return Location(PRINCIPALS, grant_id, f"grant.{part}")


def issue(
    grant_id: RecordKey,
    grant: Grant,
    private_key: PrivateKey,
    scopes: tuple[str, ...],
    now: datetime,
) -> tuple[Grant, GrantedTokens]:
    """Add an access token to a grant and replace its refresh token."""
    access_token = new_bearer_secret(Kind.ACCESS_TOKEN, grant_id)
    refresh_token = new_bearer_secret(Kind.REFRESH_TOKEN, grant_id)
    granted = GrantedTokens(access_token, refresh_token, now + ACCESS_TTL, scopes)
    access = IssuedAccess(
        hash=record_key(access_token),
        key=private_key.wrap(access_token, sealed_location(grant_id, "access")),
        scopes=scopes,
        expires_at=granted.expires_at,
    )
    live = [each for each in grant.access if each.expires_at > now]
    refresh = IssuedRefresh(
        hash=record_key(refresh_token),
        key=private_key.wrap(refresh_token, sealed_location(grant_id, "refresh")),
    )
    kept = (*live, access)[-_MOST_ACCESS_TOKENS:]
    return grant.model_copy(update={"access": kept, "refresh": refresh}), granted


@dataclass(frozen=True, slots=True)
class GrantBearers:
    """Recognises access tokens of grants; one read."""

    principals: Principals
    clock: Callable[[], datetime]

    async def find(self, access_token: str, resource: str) -> GrantBearer | None:
        """Return who comes with a live access token for `resource`, or None."""
        grant_id = record_of(access_token, Kind.ACCESS_TOKEN)
        if grant_id is None or not is_grant_id(grant_id):
            return None
        record = await self.principals.get(grant_id)
        if record is None or record.grant is None:
            return None
        grant, now = record.grant, self.clock()
        for issued in grant.access:
            if is_hash_of(issued.hash, access_token) and issued.expires_at > now:
                break
        else:
            return None
        if grant.resource != resource:
            return None
        try:
            location = sealed_location(grant_id, "access")
            private_key = PrivateKey.unwrap(issued.key, access_token, location)
        except NotOpened:  # altered in the store
            return None
        principal = Principal(grant_id, private_key, grant.upstream)
        return GrantBearer(principal, record, grant.client_id, issued.scopes)
