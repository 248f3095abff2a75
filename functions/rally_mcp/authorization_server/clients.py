"""Who asks for authorization: clients of every kind, by client id.

rmcp_cl_…    registered itself; the id is its metadata, encoded, and nothing is stored
https://…    a client id metadata document, fetched (`metadata_documents`)
rmcp_pc_…    added by an administrator, for people
rmcp_mc_…    added by an administrator, for machines (client_credentials)
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from rally_mcp.authorization_server import registration
from rally_mcp.authorization_server.client_records import AuthenticationMethod, ClientRecord
from rally_mcp.authorization_server.metadata_documents import (
    DocumentRefused,
    MetadataDocument,
    MetadataDocuments,
    is_metadata_document_url,
)
from rally_mcp.errors import InvalidInput
from rally_mcp.storage.collection import Collection

_LONGEST_ID = 4096
"""Characters. Longer than any id that registration gives out."""


class ClientUnknown(InvalidInput):
    """No client has this id, or it is disabled, denied or its metadata cannot be had."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client, whatever it is known by. `record` is set for those in the store."""

    client_id: str
    kind: Literal["dynamic", "document", "registered", "machine"]
    name: str
    redirect_uris: tuple[str, ...]
    authentication: AuthenticationMethod
    scopes: tuple[str, ...] | None = None
    """All that it may ask for; None leaves that to the deployment."""
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str = ""
    record: ClientRecord | None = None

    @property
    def host(self) -> str:
        """Return the host that a metadata document came from; empty for other clients."""
        return (urlsplit(self.client_id).hostname or "") if self.kind == "document" else ""


def deny_key(client_id: str) -> str:
    """Return the key of the record that denies a client id which a stranger made up."""
    return hashlib.sha256(client_id.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class OAuthClients:
    """Finds clients; one read, and for a metadata document now and then a fetch."""

    records: Collection[ClientRecord]
    documents: MetadataDocuments

    async def find(self, client_id: str) -> OAuthClient:
        """Return the client. Raises ClientUnknown, whose message tells a person what to do."""
        if len(client_id) > _LONGEST_ID or not client_id.isascii():
            raise _unknown()
        if client_id.startswith(registration.PREFIX):
            client = _dynamic(client_id)
        elif is_metadata_document_url(client_id):
            client = _of_document(await self._document(client_id))
        else:
            return await self._stored(client_id)
        await self._check_admitted(client_id)
        return client

    async def find_presented(self, client_id: str, *, signs: bool) -> OAuthClient:
        """Return the client of a token request. Raises ClientUnknown.

        A metadata document is fetched only for the keys of a client that `signs`: what else it
        says was checked when the person consented, and its host must not stop a refresh.
        """
        if signs or not is_metadata_document_url(client_id):
            return await self.find(client_id)
        await self._check_admitted(client_id)
        return OAuthClient(client_id, "document", "", (), "none")

    async def keys_of(self, client: OAuthClient) -> Mapping[str, Any]:
        """Return the keys that a client signs with; ClientUnknown where they cannot be had."""
        if client.jwks or not client.jwks_uri:
            return client.jwks or {"keys": []}
        try:
            return await self.documents.keys_at(client.jwks_uri)
        except DocumentRefused as refused:
            raise ClientUnknown(refused.message) from None

    async def _check_admitted(self, client_id: str) -> None:
        if await self.records.get(deny_key(client_id)):
            raise ClientUnknown("The administrator of this deployment does not admit this client.")

    async def _document(self, url: str) -> MetadataDocument:
        try:
            return await self.documents.find(url)
        except DocumentRefused as refused:
            raise ClientUnknown(refused.message) from None

    async def _stored(self, client_id: str) -> OAuthClient:
        if not registration.STORED_ID.fullmatch(client_id):
            raise _unknown()
        record = await self.records.get(client_id)
        if record is None or record.disabled or record.kind == "denied":
            raise _unknown()
        return OAuthClient(
            client_id=client_id,
            kind=record.kind,
            name=record.name,
            redirect_uris=record.redirect_uris,
            authentication=record.authentication,
            scopes=record.scopes,
            jwks=record.jwks,
            record=record,
        )


def _dynamic(client_id: str) -> OAuthClient:
    metadata = registration.decoded(client_id)
    if metadata is None:
        raise _unknown()
    return OAuthClient(
        client_id=client_id,
        kind="dynamic",
        name=metadata.name,
        redirect_uris=metadata.redirect_uris,
        authentication="none",
    )


def _of_document(document: MetadataDocument) -> OAuthClient:
    is_public = document.token_endpoint_auth_method == "none"  # noqa: S105 a method
    return OAuthClient(
        client_id=document.client_id,
        kind="document",
        name=document.client_name,
        redirect_uris=document.redirect_uris,
        authentication="none" if is_public else "private_key_jwt",
        jwks=document.jwks,
        jwks_uri=document.jwks_uri,
    )


def _unknown() -> ClientUnknown:
    return ClientUnknown(
        "This client is not known here. Remove its stored registration for this server "
        "(in most clients: sign out of the server, or clear its credentials), then connect again."
    )
