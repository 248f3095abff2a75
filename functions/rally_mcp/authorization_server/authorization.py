"""The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2): read and checked.

Nothing is sent to a redirect URI before client and redirect URI are known to belong together.
Until then the person at the browser is told; from then on the client is.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rally_mcp.authorization_server import redirect_uris, scopes
from rally_mcp.authorization_server.clients import OAuthClient, OAuthClients
from rally_mcp.authorization_server.resource_indicators import check_resource
from rally_mcp.errors import InvalidInput, OAuthError

Parameters = Sequence[tuple[str, str]]
"""A query or form, in order, with every repetition."""

_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE = 2048
"""Characters. It travels sealed in the grant's record."""

_STATE = re.compile(r"[ -~]*")
"""RFC 6749 §A.5."""


class AuthorizationRefused(OAuthError):
    """An error that the client is told at its redirect URI (RFC 6749 §4.1.2.1)."""

    def __init__(self, error: OAuthError, redirect_uri: str, state: str | None) -> None:
        super().__init__(error.code, error.message)
        self.redirect_uri = redirect_uri
        self.state = state


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that may be shown to a person for consent."""

    client: OAuthClient
    redirect_uri: str
    state: str | None = field(repr=False)
    scopes: tuple[str, ...]
    resource: str
    code_challenge: str

    def as_parameters(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters that `AuthorizationRequests.read` reads the same request from."""
        state = () if self.state is None else (("state", self.state),)
        return (
            ("response_type", "code"),
            ("client_id", self.client.client_id),
            ("redirect_uri", self.redirect_uri),
            ("scope", " ".join(self.scopes)),
            ("resource", self.resource),
            ("code_challenge", self.code_challenge),
            ("code_challenge_method", "S256"),
            *state,
        )


@dataclass(frozen=True, slots=True)
class AuthorizationRequests:
    """Reads authorization requests for one resource."""

    clients: OAuthClients
    resource: str
    issuer: str
    scopes: tuple[str, ...]
    own_urls: tuple[str, ...]
    """Addresses of this deployment: no client's code goes there."""

    async def read(self, parameters: Parameters) -> AuthorizationRequest:
        """Return the request.

        Raises InvalidInput for what only the person may be told, AuthorizationRefused for what
        the client is told.
        """
        # A parameter without a value counts as left out (RFC 6749 section 3.1).
        values = {name: value for name, value in parameters if value}
        repeated = {name for name, times in Counter(n for n, _ in parameters).items() if times > 1}
        client = await self._client(values, repeated)
        redirect_uri = self._redirect_uri(client, values, repeated)
        state = values.get("state")
        if "state" in repeated or (state and not _is_state(state)):
            error = OAuthError("invalid_request", "state must come once, as printable ASCII.")
            raise AuthorizationRefused(error, redirect_uri, None)
        try:
            _check(values, repeated)
            check_resource(values.get("resource"), self.resource)
            granted = self._scopes(client, values.get("scope"))
        except OAuthError as error:
            raise AuthorizationRefused(error, redirect_uri, state) from None
        return AuthorizationRequest(
            client, redirect_uri, state, granted, self.resource, values["code_challenge"]
        )

    def refusal_address(self, refused: AuthorizationRefused) -> str:
        """Return where the browser takes an error (RFC 6749 §4.1.2.1, RFC 9207)."""
        said = [("error", refused.code), ("error_description", refused.message)]
        return self.response_address(refused.redirect_uri, refused.state, said)

    def response_address(self, redirect_uri: str, state: str | None, said: Parameters) -> str:
        """Return the address of an authorization response, with `state` and `iss`."""
        parameters = [*said, ("state", state or ""), ("iss", self.issuer)]
        kept = [(name, value) for name, value in parameters if name != "state" or state is not None]
        return redirect_uris.with_parameters(redirect_uri, kept)

    def _scopes(self, client: OAuthClient, scope: str | None) -> tuple[str, ...]:
        """Return what is asked for, as far as the client may have it (RFC 6749 §3.3).

        Clients ask for all that the challenge names, whatever an administrator gave them.
        """
        asked = scopes.requested(scope, self.scopes)
        allowed = asked if client.scopes is None else client.scopes
        return scopes.requested(" ".join(set(asked) & set(allowed)) or " ".join(asked), allowed)

    async def _client(self, values: dict[str, str], repeated: set[str]) -> OAuthClient:
        if not values.get("client_id") or "client_id" in repeated:
            raise InvalidInput(
                "The address must name one client_id. Connect again from your MCP client."
            )
        client = await self.clients.find(values["client_id"])
        if client.kind == "machine":
            raise InvalidInput("A machine client has no sign-in in a browser.")
        return client

    def _redirect_uri(self, client: OAuthClient, values: dict[str, str], repeated: set[str]) -> str:
        redirect_uri = values.get("redirect_uri", "")
        is_registered = redirect_uris.registered(redirect_uri, client.redirect_uris)
        if "redirect_uri" in repeated or not is_registered:
            raise InvalidInput(
                "The redirect_uri is not one that this client registered. "
                "Remove the client's stored registration for this server, then connect again."
            )
        redirect_uris.check(redirect_uri)
        if redirect_uris.is_own(redirect_uri, self.own_urls):
            raise InvalidInput("The redirect_uri leads back to this server, not to a client.")
        return redirect_uri


def _check(values: dict[str, str], repeated: set[str]) -> None:
    if repeated:
        raise OAuthError("invalid_request", "No parameter may come more than once.")
    response_type = values.get("response_type")
    if response_type != "code":
        code = "unsupported_response_type" if response_type else "invalid_request"
        raise OAuthError(code, "response_type must be code.")
    if values.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "response_mode must be query.")
    if values.get("code_challenge_method") != "S256":
        raise OAuthError(
            "invalid_request", "PKCE is required: send code_challenge_method S256 (RFC 7636)."
        )
    if not _S256_CHALLENGE.fullmatch(values.get("code_challenge", "")):
        raise OAuthError(
            "invalid_request", "code_challenge must be 43 characters of base64url (RFC 7636)."
        )


def _is_state(state: str) -> bool:
    return len(state) <= _LONGEST_STATE and _STATE.fullmatch(state) is not None
