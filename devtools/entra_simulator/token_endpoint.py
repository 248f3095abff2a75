"""The token endpoint: codes and refresh tokens for access tokens and id_tokens."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devtools.entra_simulator.directory import USERS, Directory
from devtools.entra_simulator.discovery import origin_of
from devtools.entra_simulator.errors import (
    Refused,
    client_not_found,
    missing_parameter,
    resource_not_supported,
)
from devtools.entra_simulator.faults import IdTokenFaultPlan
from devtools.entra_simulator.id_tokens import IdTokenIssuer, IdTokenSubject
from devtools.entra_simulator.scopes import OFFLINE_ACCESS, OPENID, narrowed, told
from devtools.entra_simulator.signing_keys import SigningKeys
from devtools.entra_simulator.stats import Stats
from devtools.entra_simulator.tokens import TOKEN_BYTES, Grant, TokenStore
from devtools.simulation.oauth import RegisteredClient

_SHORTEST_TTL = 3600
_SPREAD = 1800
"""Seconds. Entra gives each access token 60 to 90 minutes, so that not all are renewed at once."""

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """`POST /{tenant}/oauth2/v2.0/token`. `access_token_ttl` None means as Entra has it."""

    tenant: str
    tokens: TokenStore
    directory: Directory
    keys: SigningKeys
    id_token_faults: IdTokenFaultPlan
    stats: Stats
    clients: Mapping[str, RegisteredClient]
    access_token_ttl: timedelta | None

    async def answer(self, request: Request) -> Response:
        """Exchange a code or a refresh token. Raises Refused, and counts that."""
        form = {name: str(value) for name, value in (await request.form()).items()}
        try:
            document = self._exchange(request, form)
        except Refused:
            self.stats.refused_token_requests += 1
            raise
        headers = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
        return JSONResponse(document, headers=headers)

    def _exchange(self, request: Request, form: Form) -> dict[str, object]:
        if "resource" in form or "resource" in request.query_params:
            raise resource_not_supported()
        client_id = self._authenticate(request, form)
        match form.get("grant_type"):
            case "authorization_code":
                grant = self._redeemed(form, client_id)
                document = self._document(request, grant, form, grant.nonce)
                self.stats.code_exchanges += 1
            case "refresh_token":
                grant = self.tokens.grant_of(_required(form, "refresh_token"), client_id)
                self.directory.check_refresh(grant.user, grant.generation)
                document = self._document(request, grant, form, nonce="")
                self.stats.refreshes += 1
            case None | "":
                raise missing_parameter("grant_type")
            case grant_type:
                raise Refused(
                    "unsupported_grant_type",
                    70003,
                    f"The app requested an unsupported grant type '{grant_type}'.",
                )
        return document

    def _redeemed(self, form: Form, client_id: str) -> Grant:
        grant = self.tokens.redeem_code(
            _required(form, "code"),
            client_id,
            _required(form, "redirect_uri"),
            form.get("code_verifier", ""),
        )
        self.directory.check_grant(grant.user, grant.generation)
        return grant

    def _document(
        self, request: Request, grant: Grant, form: Form, nonce: str
    ) -> dict[str, object]:
        """Write the success document: what it holds follows from the scopes."""
        scopes = narrowed(grant.scopes, form.get("scope", ""))
        lifetime = self._lifetime()
        document: dict[str, object] = {
            "token_type": "Bearer",
            "scope": told(scopes),
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": secrets.token_urlsafe(TOKEN_BYTES),
        }
        if OFFLINE_ACCESS in scopes:
            document["refresh_token"] = self.tokens.issue_refresh_token(grant)
        fault = self.id_token_faults.take() if OPENID in scopes else "missing"
        if fault != "missing":
            issuer = IdTokenIssuer(self.keys, origin_of(request), self.tenant)
            subject = IdTokenSubject(USERS[grant.user], grant.client_id, scopes, nonce)
            document["id_token"] = issuer.issue(subject, self.tokens.clock(), fault)
        return document

    def _lifetime(self) -> int:
        if self.access_token_ttl is None:
            return _SHORTEST_TTL + secrets.randbelow(_SPREAD)
        return int(self.access_token_ttl.total_seconds())

    def _authenticate(self, request: Request, form: Form) -> str:
        """Return the client that proved itself, by HTTP Basic or in the form (RFC 6749 §2.3.1)."""
        client_id, client_secret = _basic_credentials(request) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if not client_id:
            raise missing_parameter("client_id")
        client = self.clients.get(client_id)
        if client is None:
            raise client_not_found(client_id, self.tenant)
        if not client_secret:
            raise Refused(
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or "
                "'client_secret'.",
                status=401,
            )
        if not client.has_secret(client_secret):
            raise Refused("invalid_client", 7000215, "Invalid client secret provided.", status=401)
        return client_id


def _required(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise missing_parameter(name)
    return value


def _basic_credentials(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, _, client_secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(client_secret)
