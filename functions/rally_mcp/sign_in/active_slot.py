"""The place in the store where one principal's active tokens at one upstream stand."""

from collections.abc import Callable
from dataclasses import dataclass

import anyio

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.crypto import NotOpened
from rally_mcp.errors import Conflict, UpstreamUnavailable
from rally_mcp.identity_providers.declaration import TokenResponse
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import ActiveTokens, PrincipalRecord, UpstreamSignIn
from rally_mcp.sign_in.sealed_tokens import OpenTokens, Place, open_tokens, seal_tokens

Change = Callable[[ActiveTokens], ActiveTokens | None]
"""What to make of active tokens; None leaves them as they are."""

ENDED_NOTICE = "The upstream ended the last sign-in."

_STORE_PAUSES = (0.2, 0.8)
"""Seconds before a write that must not be lost is sent once more to a store that failed."""


class NotSignedIn(Exception):
    """There are no active tokens. `record` is the principal's record as it was read."""

    def __init__(self, record: PrincipalRecord | None) -> None:
        super().__init__()
        self.record = record


@dataclass(frozen=True, slots=True)
class ActiveSlot:
    """Reads, opens and changes the active tokens."""

    principals: Principals
    principal: Principal
    upstream: str

    async def read(self) -> tuple[PrincipalRecord, ActiveTokens]:
        """Return the record and the tokens in it (one read). Raises NotSignedIn."""
        record = await self.principals.get(self.principal.key)
        active = record.upstream(self.upstream).active if record else None
        if record is None or active is None:
            raise NotSignedIn(record)
        return record, active

    async def change(self, change: Change) -> bool:
        """Apply `change`; False where it declines or there are no tokens any more."""

        def apply(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            active = change(sign_in.active) if sign_in.active else None
            return sign_in.model_copy(update={"active": active}) if active else None

        return await self.principals.change(self.principal.key, self.upstream, apply) is not None

    async def change_surely(self, change: Change) -> bool:
        """Apply `change` although the store fails once or twice. It must bear repeating."""
        for pause in _STORE_PAUSES:
            try:
                return await self.change(change)
            except UpstreamUnavailable:
                await anyio.sleep(pause)
        return await self.change(change)

    async def end(self, generation: int, lease_owner: str | None = None) -> NotSignedIn:
        """Drop tokens that are worth nothing more; return what to raise.

        Tokens of another generation, or under somebody else's lease, stay.
        """

        def drop(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            active = sign_in.active
            if active is None or active.generation != generation:
                return None
            if lease_owner and (active.lease is None or active.lease.owner != lease_owner):
                return None
            return sign_in.model_copy(update={"active": None, "notice": ENDED_NOTICE})

        record = await self.principals.change(self.principal.key, self.upstream, drop)
        if record:
            self.audit(AuditEvent.CONNECTION_CLOSED)
        return NotSignedIn(record or await self.principals.get(self.principal.key))

    def open(self, active: ActiveTokens) -> OpenTokens:
        """Open the tokens. Raises Conflict where they were not sealed for this place."""
        try:
            return open_tokens(self.principal.private_key, self._place, active.tokens)
        except NotOpened as error:
            raise Conflict(
                "The stored sign-in cannot be opened; call sign_out, then sign in again."
            ) from error

    def sealed(self, stale: ActiveTokens, granted: TokenResponse) -> ActiveTokens:
        """Return the next generation of `stale`, sealed for this place."""
        tokens = seal_tokens(
            self.principal.private_key.public_key,
            self._place,
            granted,
            stale.tokens.user,
            self.principals.clock(),
        )
        return ActiveTokens(tokens=tokens, generation=stale.generation + 1)

    def audit(self, event: AuditEvent, reason: str | None = None) -> None:
        """Write an audit line about these tokens."""
        audit.write(event, principal=self.principal.key, upstream=self.upstream, reason=reason)

    @property
    def _place(self) -> Place:
        return Place(self.principal.key, self.upstream, "active")
