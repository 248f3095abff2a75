"""The login of a machine client at the server that its MCP endpoint names (RFC 6749 §4.4).

The SDK's own ClientCredentialsOAuthProvider lets one call through at a time, renews only after a
401, and asks for every scope of the challenge, which a client that has fewer is refused.
"""

import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

import httpx2
from mcp.shared.auth import OAuthMetadata, OAuthToken, ProtectedResourceMetadata
from pydantic import AnyHttpUrl, BaseModel, ValidationError

from rally_mcp.authorization_server import resource_metadata
from rally_mcp.errors import RallyMcpError
from rally_mcp.setting_types import is_loopback

_EARLY = 60.0
"""Seconds before its end that an access token is renewed."""

_TIMEOUT = {"timeout": httpx2.Timeout(30.0).as_dict()}
"""Requests made here lack the HTTP client's own timeout. A cold start fits."""

_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
"""RFC 6749 §5.2: the part of a refusal that is safe to repeat."""

_REFUSED = (httpx2.codes.BAD_REQUEST, httpx2.codes.UNAUTHORIZED)
"""RFC 6749 §5.2; any other failure is not the client's."""

_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
ModelT = TypeVar("ModelT", bound=BaseModel)

Requests = Generator[httpx2.Request, httpx2.Response, ResultT]
"""Yields requests, is sent the responses, and returns what came of them."""


@dataclass(slots=True)
class MachineLogin(httpx2.Auth):
    """Authorizes requests to one resource with an access token of a machine client.

    The token is kept until a minute before its end, and renewed once if it is refused sooner.
    A request raises RallyMcpError when there is no token to be had.
    """

    resource: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    """What to ask for; None for all that the resource has, or what the server gives unasked."""
    clock: Callable[[], float] = time.time
    _access_token: str = field(default="", init=False, repr=False)
    _renew_at: float = field(default=0.0, init=False)

    requires_response_body = True

    def auth_flow(self, request: httpx2.Request) -> Requests[None]:
        """Send a request with an access token, and again with another if that is refused."""
        if self.clock() >= self._renew_at:
            yield from self._log_in()
        used = self._access_token
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            if used == self._access_token:
                yield from self._log_in()
            request.headers["Authorization"] = f"Bearer {self._access_token}"
            yield request

    def _log_in(self) -> Requests[None]:
        resource, server = yield from self._discover()
        endpoint = str(server.token_endpoint)
        asked = self.scope or " ".join(resource.scopes_supported or ())
        response = yield self._token_request(endpoint, asked)
        if self.scope is None and _error_code(response) == "invalid_scope":
            _log.warning(
                "rally-mcp: the client may not have all of %r; --scope says which to ask for.",
                asked,
            )
            response = yield self._token_request(endpoint, "")
        if response.status_code in _REFUSED:
            raise RallyMcpError(
                f"{endpoint} refused the machine client ({_error_code(response)}); "
                "check its id, its secret and its scopes."
            )
        token = _read(OAuthToken, response)
        self._access_token = token.access_token
        lifetime = float("inf") if token.expires_in is None else float(token.expires_in)
        self._renew_at = self.clock() + lifetime - min(_EARLY, lifetime / 2)

    def _discover(self) -> Requests[tuple[ProtectedResourceMetadata, OAuthMetadata]]:
        """Find the authorization server (RFC 9728 §3, RFC 8414 §3), and hold it to its name."""
        response = yield _get(resource_metadata.url(self.resource))
        resource = _read(ProtectedResourceMetadata, response)
        if resource.resource != AnyHttpUrl(self.resource):
            raise RallyMcpError(f"{response.url} is about {resource.resource}; connect to that.")
        issuer = str(resource.authorization_servers[0])
        self._check_private(issuer)
        response = yield _get(f"{issuer}/.well-known/oauth-authorization-server")
        server = _read(OAuthMetadata, response)
        if str(server.issuer) != issuer:
            raise RallyMcpError(f"{response.url} is about {server.issuer}, not {issuer}.")
        endpoint = str(server.token_endpoint)
        self._check_private(endpoint)
        return resource, server

    def _check_private(self, url: str) -> None:
        """Raise RallyMcpError where others could read or change what is sent (RFC 8414 §2)."""
        is_local = is_loopback(self.resource) and is_loopback(url)
        if not url.startswith("https://") and not is_local:
            raise RallyMcpError(f"{url} is not https; no secret is sent there.")

    def _token_request(self, endpoint: str, scope: str) -> httpx2.Request:
        """Make the request of RFC 6749 §4.4.2, authenticated as §2.3.1 has it."""
        proof = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        form = {"grant_type": "client_credentials", "resource": self.resource, "scope": scope}
        return httpx2.Request(
            "POST",
            endpoint,
            data={name: value for name, value in form.items() if value},
            headers={"Authorization": f"Basic {b64encode(proof.encode()).decode()}"},
            extensions=_TIMEOUT,
        )


def _get(url: str) -> httpx2.Request:
    return httpx2.Request("GET", url, extensions=_TIMEOUT)


def _read(model: type[ModelT], response: httpx2.Response) -> ModelT:
    if not response.is_success:
        raise RallyMcpError(f"{response.url} answered HTTP {response.status_code}.")
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        raise RallyMcpError(f"{response.url} is not what RFC 8414 and RFC 9728 ask for.") from None


def _error_code(response: httpx2.Response) -> str:
    """Return the error code of a refusal, or the status where there is none."""
    try:
        code = str(response.json()["error"])
    except (ValueError, LookupError, TypeError):
        code = ""
    return code if _ERROR_CODE.fullmatch(code) else f"HTTP {response.status_code}"
