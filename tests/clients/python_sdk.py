"""A program that uses the Python SDK and knows a server's URL alone, and the person who runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import httpx
import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)

from tests.clients.browser_walk import walk
from tests.clients.dev_server import DevServer

REDIRECT_URI = "http://127.0.0.1:33418/callback"


@dataclass(slots=True)
class Keychain:
    """The SDK's TokenStorage."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass(slots=True)
class Person:
    """Opens each link that a client shows, signs in as Ann, and comes back to the client."""

    opened: list[httpx.URL] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)

    async def open(self, link: str) -> None:
        """Be the SDK's redirect handler."""
        self.opened.append(httpx.URL(link))
        # A consent page waits up to five seconds for a document that no network brings.
        async with httpx.AsyncClient(timeout=15, trust_env=False) as browser:
            page = await walk(browser, link, stop_before=REDIRECT_URI)
        self.told = dict(parse_qsl(urlsplit(page.response.headers["location"]).query))

    async def come_back(self) -> AuthorizationCodeResult:
        """Be the SDK's callback handler."""
        told = self.told.get
        return AuthorizationCodeResult(code=told("code", ""), state=told("state"), iss=told("iss"))


@dataclass(frozen=True, slots=True)
class Installation:
    """A program that uses the SDK, on the computer of a person."""

    server: DevServer
    keychain: Keychain = field(default_factory=Keychain)
    person: Person = field(default_factory=Person)

    def provider(self, document_url: str | None = None) -> OAuthClientProvider:
        """Return what a new process of it authorizes requests with."""
        metadata = OAuthClientMetadata(
            redirect_uris=[REDIRECT_URI],
            client_name="Python SDK",
            token_endpoint_auth_method="none",
        )
        return OAuthClientProvider(
            self.server.mcp_url,
            metadata,
            self.keychain,
            self.person.open,
            self.person.come_back,
            document_url,
        )

    async def narrowed(self, scope: str) -> OAuthToken:
        """Refresh for less than was granted (RFC 6749 §6)."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self.keychain.tokens.refresh_token,
            "scope": scope,
        }
        answer = await self._post("token", form)
        return OAuthToken.model_validate_json(answer.content)

    async def revoke(self) -> None:
        """End the sign-in (RFC 7009)."""
        await self._post("revoke", {"token": self.keychain.tokens.access_token})

    async def _post(self, endpoint: str, form: dict[str, str]) -> httpx.Response:
        form = {**form, "client_id": self.keychain.client.client_id}
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{self.server.auth_url}/{endpoint}", data=form)
        return answer.raise_for_status()


@asynccontextmanager
async def connected(
    server: DevServer, authorization: httpx2.Auth, mode: str = "auto"
) -> AsyncIterator[Client]:
    """Connect with what authorizes requests; in `legacy` mode by the protocol of 2025-11-25."""
    async with httpx2.AsyncClient(auth=authorization, trust_env=False, timeout=30) as http_client:
        transport = streamable_http_client(server.mcp_url, http_client=http_client)
        async with Client(transport, mode=mode, read_timeout_seconds=30) as client:
            yield client
