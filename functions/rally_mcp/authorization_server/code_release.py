"""Releasing the authorization code to the browser that consented, and to no other.

The browser comes back from /callback with a ticket, and has the cookie of its consent. The cookie
opens the grant's private key, which is wrapped again under the code. Whoever comes with a ticket
and without the cookie signed in on somebody else's behalf: what was parked is destroyed.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server.bearer_secrets import Kind, is_hash_of, new_bearer_secret
from rally_mcp.authorization_server.consent import ConsentRefused, refused_consent
from rally_mcp.authorization_server.issuing import sealed_location
from rally_mcp.crypto import NotOpened, PrivateKey, RecordKey, open_under, record_key
from rally_mcp.errors import InvalidInput
from rally_mcp.sign_in.grant_records import Grant, ReleasedCode
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import ActiveTokens, ParkedTokens, PrincipalRecord, UpstreamSignIn
from rally_mcp.sign_in.sealed_tokens import Place, move_tokens

CODE_TTL = timedelta(seconds=60)
"""Life of an authorization code; clients redeem it within one."""

_TICKET = re.compile(r"([0-9a-f]{32})\.[A-Za-z0-9_-]{43}")

_DESCRIPTIONS = {
    "access_denied": "The sign-in was declined, or this deployment is not for that account.",
    "temporarily_unavailable": "The upstream is not available; try again later.",
    "server_error": "The sign-in at the upstream did not succeed; try again.",
}


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """Where the browser goes, and what it says there (RFC 6749 §4.1.2)."""

    redirect_uri: str
    state: str | None = field(repr=False)
    parameters: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeRelease:
    """Takes tickets, each once."""

    principals: Principals
    clock: Callable[[], datetime]

    async def complete(
        self, ticket: str, cookie_of: Callable[[RecordKey], str | None]
    ) -> AuthorizationResponse:
        """Return the authorization response of a ticket's grant (one read, one write).

        `cookie_of` gives the browser's cookie for a grant. Raises InvalidInput for a ticket that
        is unknown or used, PermissionDenied (and ends the grant) in another browser.
        """
        form = _TICKET.fullmatch(ticket)
        grant_id = RecordKey(form[1]) if form else None
        record = await self.principals.get(grant_id) if grant_id else None
        if grant_id is None or record is None or not _has_ticket(record, ticket):
            raise _used()
        response, code = await self._release(grant_id, ticket, cookie_of(grant_id) or "")
        event = AuditEvent.GRANT_CODE_RELEASED if code else AuditEvent.GRANT_ENDED
        grant = record.grant
        audit.write(event, principal=grant_id, client=grant.client_id if grant else None)
        return response

    async def _release(
        self, grant_id: RecordKey, ticket: str, cookie_secret: str
    ) -> tuple[AuthorizationResponse, str]:
        code = new_bearer_secret(Kind.AUTHORIZATION_CODE, grant_id)
        outcome: AuthorizationResponse | ConsentRefused | None = None

        def release(record: PrincipalRecord) -> PrincipalRecord | None:
            nonlocal outcome
            grant = record.grant
            outcome = None
            if grant is None or grant.consent is None or not _has_ticket(record, ticket):
                return None
            try:
                changed, outcome = self._opened(grant_id, record, grant, cookie_secret, code)
            except NotOpened:
                outcome = ConsentRefused()
                return record.ended(self.clock())
            return changed

        written = await self.principals.records.update(grant_id, release)
        if outcome is None or written is None:
            raise _used()
        if isinstance(outcome, ConsentRefused):
            raise refused_consent(None) from None
        return outcome, code if written.grant else ""

    def _opened(
        self,
        grant_id: RecordKey,
        record: PrincipalRecord,
        grant: Grant,
        cookie_secret: str,
        code: str,
    ) -> tuple[PrincipalRecord, AuthorizationResponse]:
        """Return the record with the code in it, or ended. Raises NotOpened."""
        consent, ticket, now = grant.consent, grant.ticket, self.clock()
        if consent is None or ticket is None:
            raise NotOpened
        key = PrivateKey.unwrap(consent.key, cookie_secret, sealed_location(grant_id, "consent"))
        opened = open_under(cookie_secret, consent.request, sealed_location(grant_id, "request"))
        redirect_uri, state, code_challenge = json.loads(opened)
        parked = record.upstream(grant.upstream).parked
        error = ticket.error
        if not error and (parked is None or parked.parked_until <= now):
            error = "server_error"
        if error or parked is None:
            description = ("error_description", _DESCRIPTIONS.get(error, ""))
            said = (("error", error), description)
            return record.ended(now), AuthorizationResponse(redirect_uri, state, said)
        released = ReleasedCode(
            hash=record_key(code),
            key=key.wrap(code, sealed_location(grant_id, "code")),
            redirect_uri=redirect_uri,
            code_challenge=code_challenge,
            expires_at=now + CODE_TTL,
        )
        changed = record.with_grant(
            grant.model_copy(update={"consent": None, "ticket": None, "code": released})
        ).with_upstream(grant.upstream, _activated(grant_id, grant.upstream, key, parked))
        response = AuthorizationResponse(redirect_uri, state, (("code", code),))
        return changed.model_copy(update={"signed_in_at": now}), response


def _activated(
    grant_id: RecordKey, upstream: str, key: PrivateKey, parked: ParkedTokens
) -> UpstreamSignIn:
    source, target = Place(grant_id, upstream, "parked"), Place(grant_id, upstream, "active")
    return UpstreamSignIn(
        active=ActiveTokens(tokens=move_tokens(key, source, target, parked.tokens))
    )


def _has_ticket(record: PrincipalRecord, ticket: str) -> bool:
    issued = record.grant.ticket if record.grant else None
    return issued is not None and is_hash_of(issued.hash, ticket)


def _used() -> InvalidInput:
    return InvalidInput(
        "This sign-in was finished already or is too old. Connect again from your MCP client."
    )
