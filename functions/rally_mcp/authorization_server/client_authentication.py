"""Client authentication at /token and /revoke (RFC 6749 §2.3, RFC 7523): the registered method,
and that one alone.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote_plus

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server.client_assertions import (
    AssertionRefused,
    ClientAssertions,
    claimed_client_id,
)
from rally_mcp.authorization_server.client_records import AuthenticationMethod
from rally_mcp.authorization_server.clients import ClientUnknown, OAuthClient, OAuthClients
from rally_mcp.authorization_server.login_attempts import LoginAttempts
from rally_mcp.authorization_server.metadata_documents import is_metadata_document_url
from rally_mcp.crypto import record_key
from rally_mcp.errors import InvalidClient, OAuthError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="rally-mcp", charset="UTF-8"'}

_NO_SECRET = record_key("a client that does not exist")


@dataclass(frozen=True, slots=True)
class PresentedClient:
    """Who a request says it comes from, and how it means to prove it."""

    client_id: str
    method: AuthenticationMethod
    proof: str = field(repr=False, default="")


def presented(form: Mapping[str, str], authorization: str | None) -> PresentedClient:
    """Read a request's client authentication. Raises OAuthError, InvalidClient."""
    named = form.get("client_id", "")
    methods = [
        authorization is not None,
        "client_secret" in form,
        "client_assertion" in form or "client_assertion_type" in form,
    ]
    if sum(methods) > 1:
        raise OAuthError("invalid_request", "Use one method of client authentication, not two.")
    if authorization is not None:
        found = _basic(authorization)
    elif "client_secret" in form:
        found = PresentedClient(named, "client_secret_post", form["client_secret"])
    elif methods[2]:
        found = _assertion(form)
    else:
        found = PresentedClient(named, "none")
    if named and named != found.client_id:
        raise OAuthError("invalid_request", "The request names two different clients.")
    if not found.client_id:
        raise InvalidClient("Send a client_id, or authenticate the client.")
    return found


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """Decides whether a client is who it says; counts failures across instances."""

    clients: OAuthClients
    assertions: ClientAssertions
    attempts: LoginAttempts
    clock: Callable[[], datetime]

    async def authenticate(self, claimed: PresentedClient, address: str) -> OAuthClient:
        """Return the client.

        Raises InvalidClient, in the same words whatever was wrong, and RateLimited after ten
        failures from one address.
        """
        if claimed.method == "private_key_jwt" and is_metadata_document_url(claimed.client_id):
            # Whoever fails here is counted as nobody, and must not have hosts asked meanwhile.
            await self.attempts.check(None, address)
        try:
            signs = claimed.method == "private_key_jwt"
            client = await self.clients.find_presented(claimed.client_id, signs=signs)
        except ClientUnknown:
            client = None
        counted_as = client.client_id if client and client.kind in _STORED else None
        if client is None or client.authentication != "none":
            # A public client proves nothing here, and a colleague's failures must not stop it.
            await self.attempts.check(counted_as, address)
        problem = await self._problem(client, claimed)
        if client is None or problem:
            await self.attempts.failed(counted_as, address)
            audit.write(
                AuditEvent.CLIENT_REFUSED, principal=None, client=claimed.client_id, reason=problem
            )
            raise _refused(claimed)
        return client

    async def _problem(self, client: OAuthClient | None, claimed: PresentedClient) -> str:
        """Return why the client is not believed, for the audit log; empty where it is."""
        if client is None:
            return "unknown client"
        if client.authentication != claimed.method:
            return "another method than the registered one"
        match claimed.method:
            case "none":
                return ""
            case "private_key_jwt":
                return await self._problem_of_assertion(client, claimed.proof)
            case _:
                return "" if self._is_secret(client, claimed.proof) else "wrong secret"

    def _is_secret(self, client: OAuthClient, secret: str) -> bool:
        now = self.clock()
        record = client.record
        live = [
            each.hash
            for each in (record.secrets if record else ())
            if each.ends_at is None or each.ends_at > now
        ]
        presented_hash = record_key(secret)
        matches = [hmac.compare_digest(presented_hash, each) for each in live or [_NO_SECRET]]
        return any(matches)

    async def _problem_of_assertion(self, client: OAuthClient, assertion: str) -> str:
        try:
            keys = await self.clients.keys_of(client)
            await self.assertions.check(assertion, client.client_id, keys)
        except ClientUnknown:
            return "keys cannot be had"
        except AssertionRefused as refused:
            return str(refused)
        return ""


_STORED = {"machine", "registered"}


def _basic(authorization: str) -> PresentedClient:
    """Read `Authorization: Basic`, whose two parts are form-encoded (RFC 6749 §2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        decoded = ""
    client_id, separator, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not separator:
        raise InvalidClient(
            "Authenticate the client with Authorization: Basic.", headers=_BASIC_CHALLENGE
        )
    return PresentedClient(unquote_plus(client_id), "client_secret_basic", unquote_plus(secret))


def _assertion(form: Mapping[str, str]) -> PresentedClient:
    assertion = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError("invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}.")
    client_id = claimed_client_id(assertion)
    if client_id is None:
        raise InvalidClient("The client assertion cannot be read.")
    return PresentedClient(client_id, "private_key_jwt", assertion)


def _refused(claimed: PresentedClient) -> InvalidClient:
    headers = _BASIC_CHALLENGE if claimed.method == "client_secret_basic" else {}
    return InvalidClient(
        "The client is unknown, or did not authenticate as it is registered. "
        "A client that registered itself registers again; others ask their administrator.",
        headers=headers,
    )
