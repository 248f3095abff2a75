"""What the store holds for sign-in. docs/storage-schema.md tells each record's life.

A principal's record keeps three independent parts per upstream:

    pending   a sign-in was offered; the browser is on its way      (10 minutes)
    parked    tokens came back; a code or the browser releases them (10 minutes)
    active    tokens that tools use                                 (until signed out or refused)

Sealed fields open with the Session-ID alone, or with the secrets of a grant (`grant_records`);
the sealed code_verifier with `state` alone.
"""

import secrets
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from rally_mcp.crypto import Location, RecordKey, Sealed
from rally_mcp.sign_in.grant_records import Grant
from rally_mcp.storage.collection import Record

OAUTH_STATES = "oauth_states"
PRINCIPALS = "principals"


class _Part(BaseModel):
    # Members of a newer version are left out, not refused: instances of two versions meet here.
    model_config = ConfigDict(frozen=True, extra="ignore")


class OAuthState(Record):
    """Which sign-in a `state` belongs to. Key: SHA-256 of state."""

    principal: RecordKey
    upstream: str
    sealed: Sealed
    """Under the state: code_verifier, principal, the public key that tokens are sealed to, and the
    upstream.
    Whoever can only write to the store can replace none of them."""


class PendingSignIn(_Part):
    """A sign-in that was offered and is not finished."""

    state_key: RecordKey
    state: Sealed
    """The state itself, so that the same auth_url can be shown again."""
    code_challenge: str
    expires_at: datetime
    exchanging_since: datetime | None = None
    """Set while one callback exchanges the code."""


class User(_Part):
    """Whose tokens these are, in the clear: administrators and auditors need it."""

    id: str
    name: str
    tenant: str = ""


class SealedTokens(_Part):
    """Upstream tokens that only the principal opens, and whose they are."""

    access_token: Sealed
    refresh_token: Sealed | None
    expires_at: datetime
    refresh_at: datetime
    """From here on a caller refreshes ahead, while the access token still works."""
    user: User


MOST_TRIES = 5
"""Wrong codes until what is parked is destroyed: 5 of 2^40."""


class CodeHash(_Part):
    """A confirmation code, as scrypt leaves it."""

    salt: str
    hash: str


class ParkedTokens(_Part):
    """Tokens that wait for the person who started the sign-in to show up."""

    id: str
    tokens: SealedTokens
    code: CodeHash | None
    """The confirmation code that releases them; None where the grant's browser does."""
    tries: int = 0
    """How many codes were tried; counted before they are compared."""
    parked_until: datetime

    def is_waiting(self, now: datetime) -> bool:
        """Tell whether a code may still come."""
        return self.code is not None and self.parked_until > now and self.tries < MOST_TRIES


class Lease(_Part):
    """One instance's right to refresh. Whoever finds it expired takes it over."""

    owner: str
    expires_at: datetime


class ActiveTokens(_Part):
    """Tokens that tools use."""

    tokens: SealedTokens
    generation: int = Field(default_factory=lambda: secrets.randbits(48))
    """Grows with each refresh, so that a late caller sees that somebody else refreshed. It starts
    at random, so that no token of an earlier sign-in is taken for one of this."""
    lease: Lease | None = None


class UpstreamSignIn(_Part):
    """Where one principal stands with one upstream."""

    pending: PendingSignIn | None = None
    parked: ParkedTokens | None = None
    active: ActiveTokens | None = None
    notice: str = ""
    """What became of the last sign-in, told once the person asks again."""


class PrincipalRecord(Record):
    """One caller. Key: SHA-256 of the Session-ID, or the grant's id."""

    public_key: str
    signed_in_at: datetime
    """When the record was made or tokens last became active: its longest life counts from here."""
    upstreams: dict[str, UpstreamSignIn] = Field(default_factory=dict)
    grant: Grant | None = None
    """What an MCP client was allowed; None for a chat."""

    def awaits_browser(self, upstream: str) -> bool:
        """Tell whether a sign-in ends in the browser that consented, not in a chat."""
        grant = self.grant
        return grant is not None and grant.consent is not None and grant.upstream == upstream

    def with_grant(self, grant: Grant) -> "PrincipalRecord":
        """Return the record with its grant replaced."""
        return self.model_copy(update={"grant": grant})

    def ended(self, now: datetime) -> "PrincipalRecord":
        """Return what is left of a record that counts as absent from `now` on."""
        return self.model_copy(update={"grant": None, "upstreams": {}, "expire_at": now})

    def upstream(self, name: str) -> UpstreamSignIn:
        """Return where the principal stands with an upstream, also one never used."""
        return self.upstreams.get(name, UpstreamSignIn())

    def with_upstream(self, name: str, sign_in: UpstreamSignIn) -> "PrincipalRecord":
        """Return the record with one upstream's part replaced."""
        return self.model_copy(update={"upstreams": {**self.upstreams, name: sign_in}})


def sealed_location(state_key: RecordKey) -> Location:
    """Where a code_verifier is sealed, with whose sign-in it is."""
    return Location(OAUTH_STATES, state_key, "sealed")


def state_location(principal: RecordKey, upstream: str) -> Location:
    """Where the state of a pending sign-in is sealed."""
    return Location(PRINCIPALS, principal, f"{upstream}.pending.state")
