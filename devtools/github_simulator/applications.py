"""The revocation API, by which an app ends tokens: /applications/{client_id}/token and /grant."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from devtools.github_simulator.errors import ApiError, not_found
from devtools.github_simulator.stats import Stats
from devtools.github_simulator.tokens import TokenStore
from devtools.simulation.oauth import RegisteredClient

_PAGES = {
    "token": "rest/apps/oauth-applications#delete-an-app-token",
    "grant": "rest/apps/oauth-applications#delete-an-app-authorization",
}


@dataclass(frozen=True, slots=True)
class Applications:
    """Ends one token, or with `grant` all that its user has with the app."""

    tokens: TokenStore
    stats: Stats
    clients: Mapping[str, RegisteredClient]

    async def revoke(self, request: Request) -> Response:
        """`DELETE`, with the app's id and secret by HTTP Basic. Raises ApiError."""
        kind = request.path_params["kind"]
        client_id, client_secret = _basic_credentials(request)
        client = self.clients.get(client_id)
        is_app = client_id == request.path_params["client_id"]
        if kind not in _PAGES or client is None or not is_app:
            raise not_found(_PAGES.get(kind, "rest"))
        if not client.has_secret(client_secret):
            raise not_found(_PAGES[kind])
        access_token = _access_token(await request.body(), _PAGES[kind])
        if not self.tokens.revoke(access_token, client_id, whole_grant=kind == "grant"):
            raise not_found(_PAGES[kind])
        self.stats.revocations += 1
        return Response(status_code=204)


def _basic_credentials(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def _access_token(body: bytes, page: str) -> str:
    try:
        document = json.loads(body or b"{}")
    except ValueError as broken:
        raise ApiError(400, "Problems parsing JSON", page) from broken
    access_token = document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(access_token, str):
        raise ApiError(422, 'Invalid request.\n\n"access_token" wasn\'t supplied.', page)
    return access_token
