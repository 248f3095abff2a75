"""Access tokens of machine clients (RFC 6749 §4.4): issued, recognised, revoked.

They stand as hashes in the client's own record, so that one read recognises a token and disabling
or removing the client acts on the next call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server.bearer_secrets import (
    MACHINE_CLIENT_PREFIX,
    Kind,
    is_hash_of,
    new_bearer_secret,
    record_of,
)
from rally_mcp.authorization_server.client_records import ClientRecord, MachineAccess
from rally_mcp.authorization_server.issuing import GrantedTokens
from rally_mcp.crypto import record_key
from rally_mcp.errors import InvalidClient, OAuthError
from rally_mcp.storage.collection import Collection

_MOST_ACCESS_TOKENS = 200
"""Live ones per client. One that logs in for every call loses the oldest."""


@dataclass(frozen=True, slots=True)
class MachineBearer:
    """Which machine client comes with an access token, and the scopes that it got."""

    client_id: str
    client: ClientRecord
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MachineAccessTokens:
    """Access tokens of machine clients."""

    records: Collection[ClientRecord]
    clock: Callable[[], datetime]

    async def issue(self, client_id: str, scopes: tuple[str, ...], resource: str) -> GrantedTokens:
        """Issue one to a client that has authenticated. Raises InvalidClient once it is gone."""
        access_token = new_bearer_secret(Kind.ACCESS_TOKEN, client_id)
        now = self.clock()
        expires_at = now

        def add(record: ClientRecord) -> ClientRecord | None:
            nonlocal expires_at
            if record.disabled:
                return None
            expires_at = now + timedelta(seconds=record.access_seconds)
            issued = MachineAccess(
                hash=record_key(access_token),
                scopes=scopes,
                resource=resource,
                expires_at=expires_at,
            )
            live = [each for each in record.access if each.expires_at > now]
            kept = (*live, issued)[-_MOST_ACCESS_TOKENS:]
            return record.model_copy(update={"access": kept})

        if await self.records.update(client_id, add) is None:
            raise InvalidClient("The client is disabled or removed.")
        audit.write(
            AuditEvent.MACHINE_LOGGED_IN, principal=client_id, client=client_id, scope=scopes
        )
        return GrantedTokens(access_token, None, expires_at, scopes)

    async def find(self, access_token: str, resource: str) -> MachineBearer | None:
        """Return who comes with a live access token for `resource` (one read), or None."""
        client_id = _machine_of(access_token)
        record = await self.records.get(client_id) if client_id else None
        if client_id is None or record is None or record.disabled:
            return None
        now = self.clock()
        for issued in record.access:
            is_it = is_hash_of(issued.hash, access_token) and issued.resource == resource
            if is_it and issued.expires_at > now:
                allowed = tuple(each for each in issued.scopes if each in record.scopes)
                return MachineBearer(client_id, record, allowed)
        return None

    async def revoke(self, access_token: str, client_id: str) -> bool:
        """Drop one token (RFC 7009 §2.1); False if there is none.

        Raises OAuthError (invalid_grant) for another client's token, which stays.
        """
        owner = _machine_of(access_token)
        record = await self.records.get(owner) if owner else None
        is_known = record is not None and any(
            is_hash_of(each.hash, access_token) for each in record.access
        )
        if is_known and owner != client_id:
            raise OAuthError("invalid_grant", "The token belongs to another client.")
        if not is_known:
            return False

        def drop(record: ClientRecord) -> ClientRecord | None:
            kept = tuple(each for each in record.access if not is_hash_of(each.hash, access_token))
            return record.model_copy(update={"access": kept}) if kept != record.access else None

        dropped = await self.records.update(client_id, drop) is not None
        if dropped:
            audit.write(AuditEvent.MACHINE_TOKEN_REVOKED, principal=client_id, client=client_id)
        return dropped


def _machine_of(access_token: str) -> str | None:
    record_id = record_of(access_token, Kind.ACCESS_TOKEN)
    return record_id if record_id and record_id.startswith(MACHINE_CLIENT_PREFIX) else None
