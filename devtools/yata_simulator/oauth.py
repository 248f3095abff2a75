"""The token endpoint: client credentials with HTTP Basic (RFC 6749 §4.4)."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devtools.yata_simulator.bodies import parse_body, parse_document
from devtools.yata_simulator.clients import RegisteredClient
from devtools.yata_simulator.errors import Refused, invalid_client, not_authenticated
from devtools.yata_simulator.stats import Stats
from devtools.yata_simulator.tokens import TokenStore

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path


class TokenRequest(BaseModel):
    """What a client asks for. No scope means an access token that opens nothing."""

    grant_type: str = "client_credentials"
    scope: str = ""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """`POST /oauth/token`, over the clients and the tokens they get."""

    clients: Mapping[str, RegisteredClient]
    tokens: TokenStore
    stats: Stats

    async def answer(self, request: Request) -> Response:
        """Issue an access token, or refuse and count that."""
        try:
            document = await self._issue(request)
        except Refused:
            self.stats.refused_token_requests += 1
            raise
        self.stats.issued_tokens += 1
        return JSONResponse(document)

    async def _issue(self, request: Request) -> dict[str, object]:
        credentials = _basic_credentials(request)
        wanted = await _token_request(request)
        if wanted.grant_type != "client_credentials":
            raise Refused(400, "Unsupported grant type")
        client = self._authenticate(*credentials)
        scopes = tuple(wanted.scope.split())
        for scope in scopes:
            if scope not in client.scopes:
                raise Refused(400, f"Invalid scope: {scope}")
        return {
            "access_token": self.tokens.issue(client, scopes).value,
            "token_type": "Bearer",
            "expires_in": int(self.tokens.lifetime.total_seconds()),
            "scope": " ".join(scopes),
        }

    def _authenticate(self, client_id: str, client_secret: str) -> RegisteredClient:
        client = self.clients.get(client_id)
        if client is None or not client.is_active:
            raise invalid_client()
        if not hmac.compare_digest(client.client_secret.encode(), client_secret.encode()):
            raise invalid_client()
        return client


async def _token_request(request: Request) -> TokenRequest:
    """Read a form, as RFC 6749 has it, or the JSON that YATA documents."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return parse_document(dict(await request.form()), TokenRequest)
    return await parse_body(request, TokenRequest)


def _basic_credentials(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise not_authenticated("Basic")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client_id, colon, client_secret = decoded.partition(":")
    if not colon:
        raise not_authenticated("Basic")
    return client_id, client_secret
