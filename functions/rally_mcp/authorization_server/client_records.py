"""What the store holds about clients that an administrator added, or refuses to serve."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from rally_mcp.storage.collection import Record

OAUTH_CLIENTS = "oauth_clients"

UNTIL_REMOVED = datetime(9999, 1, 1, tzinfo=UTC)

AuthenticationMethod = Literal[
    "none", "client_secret_basic", "client_secret_post", "private_key_jwt"
]
"""RFC 7591 §2's token_endpoint_auth_method."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClientSecret(_Part):
    """A secret that was shown once. Its 256 bits are random, so that a plain hash is enough."""

    hash: str
    created_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    """Set by a rotation, which leaves the secret before good for a while."""


class MachineAccess(_Part):
    """An access token of a machine client."""

    hash: str
    scopes: tuple[str, ...]
    resource: str
    expires_at: AwareDatetime


class ClientRecord(Record):
    """A client that an administrator added, or (`denied`) a client id that is refused.

    Key: the client id, or for a denied one of a stranger its SHA-256.
    """

    kind: Literal["machine", "registered", "denied"]
    name: str
    created_at: AwareDatetime
    disabled: bool = False
    redirect_uris: tuple[str, ...] = ()
    authentication: AuthenticationMethod = "none"
    scopes: tuple[str, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()
    jwks: dict[str, Any] | None = None
    """Public keys for private_key_jwt (RFC 7517)."""
    rally_api_key: str = ""
    """A reference to a machine client's own Rally API key, never the key."""
    access_seconds: int = 3600
    """Life of a machine client's access tokens."""
    access: tuple[MachineAccess, ...] = ()
