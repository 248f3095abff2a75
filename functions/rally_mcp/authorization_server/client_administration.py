"""What an administrator does with clients: add, look, rotate, disable, remove.

A secret is returned once and kept as a hash. Each change acts on the next request of every
instance, because every request that a machine client makes reads its record.
"""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from rally_mcp.authorization_server import registration
from rally_mcp.authorization_server.client_records import (
    UNTIL_REMOVED,
    AuthenticationMethod,
    ClientRecord,
    ClientSecret,
)
from rally_mcp.authorization_server.clients import deny_key
from rally_mcp.authorization_server.metadata_documents import is_metadata_document_url
from rally_mcp.crypto import random_secret, record_key
from rally_mcp.errors import Conflict, InvalidInput, NotFound
from rally_mcp.storage.collection import Collection

_SECRET_BITS = 256

_MOST_LIVE_SECRETS = 2

_DENY_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NewClient:
    """What an administrator says about a client, checked by whoever asked."""

    kind: Literal["machine", "registered"]
    name: str
    authentication: AuthenticationMethod
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...] = ()
    rally_api_key: str = ""
    access_seconds: int = 3600
    jwks: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AddedClient:
    """The id, and the secret where the client has one. It is shown once."""

    client_id: str
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientAdministration:
    """The clients in the store."""

    records: Collection[ClientRecord]
    clock: Callable[[], datetime]

    async def add(self, new: NewClient) -> AddedClient:
        """Add a client."""
        prefix = "rmcp_mc_" if new.kind == "machine" else "rmcp_pc_"
        client_id = prefix + secrets.token_hex(8)
        secret = random_secret(_SECRET_BITS) if "secret" in new.authentication else None
        record = ClientRecord(
            kind=new.kind,
            name=new.name,
            created_at=self.clock(),
            redirect_uris=new.redirect_uris,
            authentication=new.authentication,
            scopes=new.scopes,
            secrets=(self._hashed(secret),) if secret else (),
            jwks=new.jwks,
            rally_api_key=new.rally_api_key,
            access_seconds=new.access_seconds,
            expire_at=UNTIL_REMOVED,
        )
        if not await self.records.create(client_id, record):
            raise Conflict("The new client's id is taken; try again.")
        return AddedClient(client_id, secret)

    async def all(self) -> AsyncIterator[tuple[str, ClientRecord]]:
        """Yield every client with its key, denied ones included."""
        async for key, record in self.records.scan():
            yield key, record

    async def get(self, client_id: str) -> ClientRecord:
        """Return a client's record. Raises NotFound."""
        record = await self.records.get(_key(client_id))
        if record is None:
            raise NotFound(f"There is no client {client_id}; rally-mcp clients list names them.")
        return record

    async def rotate(self, client_id: str, overlap: timedelta) -> str:
        """Give a client another secret; the one before stays good for `overlap`.

        Raises NotFound, InvalidInput where the client has no secret.
        """
        secret = random_secret(_SECRET_BITS)
        now = self.clock()

        def rotated(record: ClientRecord) -> ClientRecord | None:
            if not record.secrets:
                return None
            newest = record.secrets[-1]
            ends_at = min(newest.ends_at or now + overlap, now + overlap)
            before = [newest.model_copy(update={"ends_at": ends_at})] if overlap else []
            kept = (*before, self._hashed(secret))[-_MOST_LIVE_SECRETS:]
            return record.model_copy(update={"secrets": kept})

        await self.get(client_id)
        if await self.records.update(_key(client_id), rotated) is None:
            raise InvalidInput("This client has no secret: it signs its assertions, or is public.")
        return secret

    async def set_disabled(self, client_id: str, *, disabled: bool) -> None:
        """Refuse or admit a client from now on, also one that an administrator never added.

        Raises NotFound for an id that no client can have, or one that was not refused.
        """
        if registration.STORED_ID.fullmatch(client_id):
            await self.get(client_id)
            await self.records.update(
                client_id,
                lambda record: record.model_copy(
                    update={"disabled": disabled, "access": () if disabled else record.access}
                ),
            )
        elif not disabled:
            await self.remove(client_id)
        elif registration.decoded(client_id) or is_metadata_document_url(client_id):
            denied = ClientRecord(
                kind="denied",
                name=client_id[:200],
                created_at=self.clock(),
                disabled=True,
                expire_at=UNTIL_REMOVED,
            )
            await self.records.put(deny_key(client_id), denied)
        else:
            raise NotFound(
                "That is no client id; rally-mcp principals list --json shows those in use."
            )

    async def remove(self, client_id: str) -> None:
        """Remove a client, or the refusal of one. Raises NotFound."""
        if await self.records.take(_key(client_id)) is None:
            raise NotFound(f"There is no client {client_id}; rally-mcp clients list names them.")

    def _hashed(self, secret: str) -> ClientSecret:
        return ClientSecret(hash=record_key(secret), created_at=self.clock())


def _key(client_id: str) -> str:
    """Return a record's key: an added client's id, or a refused one's hash, as `all` gives it."""
    is_key = registration.STORED_ID.fullmatch(client_id) or _DENY_KEY.fullmatch(client_id)
    return client_id if is_key else deny_key(client_id)
