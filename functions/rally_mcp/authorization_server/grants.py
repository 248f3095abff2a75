"""A grant's life at the token endpoint: redeeming its code, rotating, revoking.

Each is one `update` of the grant's record, which decides and changes in one step. So a code is
redeemed once, however many instances are asked at once. Whoever comes with a code or refresh token
that was used before, or with a refresh token that was never given out, ends the grant
(RFC 9700 §4.14.2). Ids of grants are not logged.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server import scopes as scope_words
from rally_mcp.authorization_server.bearer_secrets import Kind, is_hash_of, record_of
from rally_mcp.authorization_server.clients import OAuthClient
from rally_mcp.authorization_server.issuing import GrantedTokens, issue, sealed_location
from rally_mcp.authorization_server.resource_indicators import check_resource
from rally_mcp.crypto import (
    NotOpened,
    PrivateKey,
    RecordKey,
    open_under,
    s256_challenge,
    seal_under,
)
from rally_mcp.errors import OAuthError
from rally_mcp.sign_in.grant_records import Grant, ReleasedCode, RotatedRefresh
from rally_mcp.sign_in.principals import Principals, living_on
from rally_mcp.sign_in.records import PrincipalRecord

GRACE = timedelta(seconds=60)
"""How long a client that lost the answer to a refresh may ask again."""

MOST_FAILURES = 5
"""Wrong tries until an authorization code is worth nothing."""


@dataclass(frozen=True, slots=True)
class CodeRedemption:
    """What a client says with the code it redeems; None where it may say nothing."""

    code: str = field(repr=False)
    client: OAuthClient
    code_verifier: str = field(repr=False)
    redirect_uri: str | None
    resource: str | None


@dataclass(frozen=True, slots=True)
class _Decision:
    """What becomes of a record (None: it stays as it is), and what the client is answered."""

    record: PrincipalRecord | None
    outcome: GrantedTokens | OAuthError
    event: AuditEvent | None = None


_Decide = Callable[[RecordKey, PrincipalRecord, Grant], _Decision]


@dataclass(frozen=True, slots=True)
class Grants:
    """Grants as their clients use them. Every refusal is an OAuthError."""

    principals: Principals
    clock: Callable[[], datetime]

    async def redeem(self, redemption: CodeRedemption) -> GrantedTokens:
        """Redeem an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6), once.

        A wrong verifier, client, redirect URI or resource leaves the code as it was; the fifth
        ends the grant.
        """

        def decide(grant_id: RecordKey, record: PrincipalRecord, grant: Grant) -> _Decision:
            code = grant.code
            if code is None or not is_hash_of(code.hash, redemption.code):
                return _Decision(None, _invalid_grant())
            if code.key is None:
                return self._reused(record)
            if code.expires_at <= self.clock():
                return _Decision(None, _invalid_grant())
            refusal = _mismatch(redemption, grant, code)
            if refusal:
                return self._failed(record, grant, code, refusal)
            location = sealed_location(grant_id, "code")
            private_key = PrivateKey.unwrap(code.key, redemption.code, location)
            redeemed = grant.model_copy(update={"code": code.model_copy(update={"key": None})})
            issued, granted = issue(grant_id, redeemed, private_key, grant.scopes, self.clock())
            return _Decision(
                self._living_on(record, issued), granted, AuditEvent.GRANT_TOKENS_ISSUED
            )

        return await self._decide(record_of(redemption.code, Kind.AUTHORIZATION_CODE), decide)

    async def refresh(
        self, refresh_token: str, client: OAuthClient, *, scope: str | None, resource: str | None
    ) -> GrantedTokens:
        """Refresh (RFC 6749 §6): another access token, and the next refresh token.

        The refresh token before gets its own answer again for a minute, unless the next one was
        used meanwhile.
        """

        def decide(grant_id: RecordKey, record: PrincipalRecord, grant: Grant) -> _Decision:
            is_current = grant.refresh and is_hash_of(grant.refresh.hash, refresh_token)
            if not is_current and not self._is_in_grace(grant, refresh_token):
                return self._reused(record)
            if not _is_of(client, grant):
                return _Decision(None, _invalid_grant())
            if not is_current:
                return _Decision(None, _answer_again(grant_id, grant, refresh_token))
            try:
                check_resource(resource, grant.resource)
                scopes = scope_words.requested(scope, grant.scopes)
            except OAuthError as refusal:
                return _Decision(None, refusal)
            return self._rotated(grant_id, record, grant, refresh_token, scopes)

        return await self._decide(record_of(refresh_token, Kind.REFRESH_TOKEN), decide)

    async def revoke(self, token: str, client: OAuthClient) -> bool:
        """End the grant of an access or refresh token (RFC 7009 §2.1); False if there is none.

        Raises OAuthError (invalid_grant) for another client's token, which stays.
        """
        grant_id = record_of(token, Kind.ACCESS_TOKEN, Kind.REFRESH_TOKEN)
        is_anothers = False

        def end(record: PrincipalRecord) -> PrincipalRecord | None:
            nonlocal is_anothers
            grant = record.grant
            is_known = grant is not None and _is_known(grant, token)
            is_anothers = grant is not None and is_known and not _is_of(client, grant)
            return record.ended(self.clock()) if is_known and not is_anothers else None

        ended = await self.principals.records.update(grant_id, end) if grant_id else None
        if is_anothers:
            raise OAuthError("invalid_grant", "The token belongs to another client.")
        if ended:
            audit.write(AuditEvent.GRANT_REVOKED, principal=grant_id, client=client.client_id)
        return ended is not None

    async def _decide(self, grant_id: RecordKey | None, decide: _Decide) -> GrantedTokens:
        decision = _Decision(None, _invalid_grant())
        client_id = ""

        def apply(record: PrincipalRecord) -> PrincipalRecord | None:
            nonlocal decision, client_id
            if record.grant is None or grant_id is None:
                decision = _Decision(None, _invalid_grant())
                return None
            client_id = record.grant.client_id
            try:
                decision = decide(grant_id, record, record.grant)
            except NotOpened:  # altered in the store
                decision = self._reused(record)
            return decision.record

        written = await self.principals.records.update(grant_id, apply) if grant_id else None
        if decision.record is not None and written is None:
            raise _invalid_grant()  # ended between two tries
        if decision.event:
            audit.write(decision.event, principal=grant_id, client=client_id)
        if isinstance(decision.outcome, OAuthError):
            raise decision.outcome
        return decision.outcome

    def _rotated(
        self,
        grant_id: RecordKey,
        record: PrincipalRecord,
        grant: Grant,
        refresh_token: str,
        scopes: tuple[str, ...],
    ) -> _Decision:
        if grant.refresh is None:
            return self._reused(record)
        now = self.clock()
        location = sealed_location(grant_id, "refresh")
        private_key = PrivateKey.unwrap(grant.refresh.key, refresh_token, location)
        issued, granted = issue(grant_id, grant, private_key, scopes, now)
        expires_at = granted.expires_at.isoformat()
        answer = [granted.access_token, granted.refresh_token, expires_at, scopes]
        rotated = RotatedRefresh(
            hash=grant.refresh.hash,
            answer=seal_under(
                refresh_token, json.dumps(answer), sealed_location(grant_id, "rotated")
            ),
            answered_until=now + GRACE,
        )
        renewed = issued.model_copy(update={"rotated": rotated})
        return _Decision(
            self._living_on(record, renewed), granted, AuditEvent.GRANT_TOKENS_REFRESHED
        )

    def _is_in_grace(self, grant: Grant, refresh_token: str) -> bool:
        rotated = grant.rotated
        return (
            rotated is not None
            and rotated.answered_until > self.clock()
            and is_hash_of(rotated.hash, refresh_token)
        )

    def _failed(
        self, record: PrincipalRecord, grant: Grant, code: ReleasedCode, refusal: OAuthError
    ) -> _Decision:
        if code.failures + 1 >= MOST_FAILURES:
            return _Decision(record.ended(self.clock()), refusal, AuditEvent.GRANT_REUSED)
        counted = code.model_copy(update={"failures": code.failures + 1})
        return _Decision(record.with_grant(grant.model_copy(update={"code": counted})), refusal)

    def _reused(self, record: PrincipalRecord) -> _Decision:
        return _Decision(record.ended(self.clock()), _invalid_grant(), AuditEvent.GRANT_REUSED)

    def _living_on(self, record: PrincipalRecord, grant: Grant) -> PrincipalRecord:
        return living_on(record.with_grant(grant), self.clock())


def _mismatch(redemption: CodeRedemption, grant: Grant, code: ReleasedCode) -> OAuthError | None:
    """Return why this is not the request that the code was released for, or None."""
    challenge = s256_challenge(redemption.code_verifier)
    if not hmac.compare_digest(challenge, code.code_challenge):
        return _invalid_grant()
    if not _is_of(redemption.client, grant):
        return _invalid_grant()
    # OAuth 2.1 no longer asks for the redirect URI here; whoever sends one must mean the same.
    if redemption.redirect_uri not in {None, code.redirect_uri}:
        return _invalid_grant()
    try:
        check_resource(redemption.resource, grant.resource)
    except OAuthError as refusal:
        return refusal
    return None


def _is_of(client: OAuthClient, grant: Grant) -> bool:
    """Tell whether a grant is this client's, which authenticated as it did at the consent."""
    return (client.client_id, client.authentication) == (grant.client_id, grant.authentication)


def _answer_again(grant_id: RecordKey, grant: Grant, refresh_token: str) -> GrantedTokens:
    if grant.rotated is None:
        raise _invalid_grant()
    opened = open_under(refresh_token, grant.rotated.answer, sealed_location(grant_id, "rotated"))
    access_token, successor, expires_at, scopes = json.loads(opened)
    return GrantedTokens(access_token, successor, datetime.fromisoformat(expires_at), tuple(scopes))


def _is_known(grant: Grant, token: str) -> bool:
    """Tell whether a grant gave out this access or refresh token and still takes it."""
    hashes = [issued.hash for issued in grant.access]
    hashes += [grant.refresh.hash] if grant.refresh else []
    hashes += [grant.rotated.hash] if grant.rotated else []
    return any(is_hash_of(each, token) for each in hashes)


def _invalid_grant() -> OAuthError:
    return OAuthError(
        "invalid_grant",
        "It is unknown, expired, revoked or was used before, or belongs to another request. "
        "Start the authorization again.",
    )
