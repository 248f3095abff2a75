"""What a principal's record holds beyond sign-ins, where the principal is an MCP client's grant.

    consent    allowed in a browser that is now at the upstream       (until it comes back)
    code       the authorization code that the client redeems         (60 seconds)
    access     access tokens, each with its scopes                    (an hour)
    refresh    the one refresh token, and the answer to the last one  (until the grant ends)

Each of these opens the grant's private key for whoever has the secret; the record has the
secrets' hashes alone.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from rally_mcp.crypto import Sealed


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ConsentGiven(_Part):
    """A consent whose browser is at the upstream. Both open with the cookie it has."""

    key: Sealed
    request: Sealed
    """Where the browser goes afterwards: redirect_uri, state, code_challenge."""


class Ticket(_Part):
    """What the callback sends the browser back with, once."""

    hash: str
    error: str = ""
    """RFC 6749 §4.1.2.1's code, where the sign-in did not succeed."""


class ReleasedCode(_Part):
    """The authorization code. It stays after redemption, so that a replay is recognised."""

    hash: str
    key: Sealed | None
    """The private key under the code; None once redeemed."""
    redirect_uri: str
    code_challenge: str
    expires_at: AwareDatetime
    failures: int = 0
    """How often it came with the wrong verifier, client, redirect URI or resource."""


class IssuedAccess(_Part):
    """One access token."""

    hash: str
    key: Sealed
    """The private key under the access token."""
    scopes: tuple[str, ...]
    expires_at: AwareDatetime


class IssuedRefresh(_Part):
    """The refresh token that is good."""

    hash: str
    key: Sealed
    """The private key under the refresh token."""


class RotatedRefresh(_Part):
    """The refresh token before, for a client that lost the answer to it."""

    hash: str
    answer: Sealed
    """That answer, under the old refresh token."""
    answered_until: AwareDatetime


class Grant(_Part):
    """What a person allowed an MCP client to do. The record's key is the grant's id."""

    client_id: str
    client_name: str
    authentication: str
    """How the client authenticates at the token endpoint (RFC 7591's words)."""
    scopes: tuple[str, ...]
    resource: str
    upstream: str
    """The upstream that the person signs in to on the way, and whose end is the grant's end."""
    consent: ConsentGiven | None = None
    ticket: Ticket | None = None
    code: ReleasedCode | None = None
    access: tuple[IssuedAccess, ...] = ()
    refresh: IssuedRefresh | None = None
    rotated: RotatedRefresh | None = None
