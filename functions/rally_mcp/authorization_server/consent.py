"""The consent of a person to a client: the form that asks for it, and the grant that it makes.

    GET  /authorize   a page, a cookie, and a form that an HMAC ties to both; nothing is stored
    POST allow        the grant: its key wrapped under the cookie, its sign-in pending

Each page has a cookie of its own, named after the grant that it may become, so that several
sign-ins in one browser do not collide.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server.authorization import AuthorizationRequest
from rally_mcp.authorization_server.bearer_secrets import new_grant_id
from rally_mcp.authorization_server.issuing import sealed_location
from rally_mcp.crypto import NotOpened, PrivateKey, RecordKey, random_secret, seal_under
from rally_mcp.errors import PermissionDenied
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.sign_in.grant_records import ConsentGiven, Grant
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import UpstreamSignIn, state_location
from rally_mcp.sign_in.states import States, is_live

CONSENT_TTL = timedelta(minutes=20)
"""Life of the cookie: reading the page, then as long as a sign-in at the upstream may take."""

_COOKIE_BITS = 256


class ConsentRefused(PermissionDenied):
    """A consent did not come from the browser that it was asked in."""

    def __init__(self) -> None:
        super().__init__(
            "This page belongs to another browser, was used already or is too old. "
            "Connect again from your MCP client."
        )


@dataclass(frozen=True, slots=True)
class ConsentForm:
    """What ties a consent page to one browser and one request."""

    grant_id: RecordKey
    cookie_secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "ConsentForm":
        """Return a form for a page that is about to be shown."""
        return cls(new_grant_id(), random_secret(_COOKIE_BITS))

    def proof(self, request: AuthorizationRequest) -> str:
        """Return the HMAC that the form carries: the page showed this request to this browser."""
        shown = [self.grant_id, request.client.name, *request.as_parameters()]
        key = self.cookie_secret.encode()
        return hmac.new(key, json.dumps(shown).encode(), hashlib.sha256).hexdigest()

    def check(self, request: AuthorizationRequest, proof: str) -> None:
        """Raise PermissionDenied unless the form that came back is the one that was shown."""
        if not hmac.compare_digest(self.proof(request).encode(), proof.encode()):
            raise refused_consent(request.client.client_id)


@dataclass(frozen=True, slots=True)
class Consents:
    """Makes grants of what people allow."""

    states: States
    principals: Principals
    clock: Callable[[], datetime]
    provider: IdentityProvider
    """The upstream that people sign in to on the way."""

    async def allow(self, form: ConsentForm, request: AuthorizationRequest) -> str:
        """Make the grant (two writes); return the address at the upstream to sign in at.

        A form that is sent twice gives one grant while that one lives. Raises PermissionDenied
        once its sign-in is over.
        """
        private_key = PrivateKey.generate()
        principal = Principal(form.grant_id, private_key)
        state, pending = await self.states.new(principal, self.provider.name)
        grant = self._grant(form, request, private_key)
        sign_in = UpstreamSignIn(pending=pending)
        if not await self.principals.create(principal, self.provider.name, sign_in, grant):
            return await self._again(form, request)
        audit.write(
            AuditEvent.CONSENT_ALLOWED,
            principal=form.grant_id,
            client=request.client.client_id,
            scope=request.scopes,
            upstream=self.provider.name,
        )
        return self.provider.authorization_url(state, pending.code_challenge)

    def _grant(
        self, form: ConsentForm, request: AuthorizationRequest, private_key: PrivateKey
    ) -> Grant:
        way_back = json.dumps([request.redirect_uri, request.state, request.code_challenge])
        request_location = sealed_location(form.grant_id, "request")
        return Grant(
            client_id=request.client.client_id,
            client_name=request.client.name,
            authentication=request.client.authentication,
            scopes=request.scopes,
            resource=request.resource,
            upstream=self.provider.name,
            consent=ConsentGiven(
                key=private_key.wrap(form.cookie_secret, sealed_location(form.grant_id, "consent")),
                request=seal_under(form.cookie_secret, way_back, request_location),
            ),
        )

    async def _again(self, form: ConsentForm, request: AuthorizationRequest) -> str:
        """Return the address of the sign-in that this form started already."""
        record = await self.principals.get(form.grant_id)
        grant = record.grant if record else None
        pending = record.upstream(self.provider.name).pending if record else None
        if (
            grant is None
            or grant.consent is None
            or not pending
            or not is_live(pending, self.clock())
        ):
            raise refused_consent(request.client.client_id)
        try:
            private_key = PrivateKey.unwrap(
                grant.consent.key, form.cookie_secret, sealed_location(form.grant_id, "consent")
            )
            location = state_location(form.grant_id, self.provider.name)
            state = private_key.open(pending.state, location)
        except NotOpened:
            raise refused_consent(request.client.client_id) from None
        return self.provider.authorization_url(state, pending.code_challenge)


def refused_consent(client_id: str | None) -> ConsentRefused:
    """Write the audit line of a refused consent; return what to raise."""
    audit.write(AuditEvent.CONSENT_REFUSED, principal=None, client=client_id)
    return ConsentRefused()
