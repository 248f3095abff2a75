"""How a grant's sign-in ends at the callback: the browser goes back to where it consented.

The callback knows no cookie, because the functions may have three origins. So it parks the tokens,
or what went wrong, and gives the browser a ticket; whoever brings the ticket without the cookie of
the consent gets nothing (CVE-2026-27124 is what happens otherwise).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rally_mcp.crypto import random_secret, record_key
from rally_mcp.identity_providers.declaration import TokenResponse, UpstreamUser
from rally_mcp.sign_in.grant_records import Ticket
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import ParkedTokens, PrincipalRecord, UpstreamSignIn
from rally_mcp.sign_in.sealed_tokens import Place, seal_tokens, user_of
from rally_mcp.sign_in.states import OpenState, StateRefused

_TICKET_TTL = timedelta(minutes=10)
"""How long parked tokens wait for the browser, which comes at once."""

_SECRET_BITS = 256


@dataclass(frozen=True, slots=True)
class BrowserReturn:
    """Makes tickets. Both verbs raise StateRefused where the sign-in is over meanwhile."""

    principals: Principals
    clock: Callable[[], datetime]

    async def park(self, found: OpenState, granted: TokenResponse, user: UpstreamUser) -> str:
        """Park the tokens until the browser is back; return its ticket."""
        now = self.clock()
        place = Place(found.record.principal, found.provider.name, "parked")
        parked = ParkedTokens(
            id=random_secret(128),
            tokens=seal_tokens(found.public_key, place, granted, user_of(user), now),
            code=None,
            parked_until=now + _TICKET_TTL,
        )
        return await self._release(found, UpstreamSignIn(parked=parked), was_claimed=True)

    async def fail(self, found: OpenState, error_code: str, *, was_claimed: bool) -> str:
        """Note how the sign-in ended (RFC 6749 §4.1.2.1); return the browser's ticket.

        `was_claimed` says whether it is this very callback that was exchanging the code.
        """
        return await self._release(
            found, UpstreamSignIn(), was_claimed=was_claimed, error=error_code
        )

    async def _release(
        self, found: OpenState, sign_in: UpstreamSignIn, *, was_claimed: bool, error: str = ""
    ) -> str:
        ticket = f"{found.record.principal}.{random_secret(_SECRET_BITS)}"
        upstream = found.provider.name

        def release(record: PrincipalRecord) -> PrincipalRecord | None:
            pending = record.upstream(upstream).pending
            grant = record.grant
            if pending is None or pending.state_key != found.key or grant is None:
                return None
            if (pending.exchanging_since is not None) != was_claimed:
                return None
            issued = Ticket(hash=record_key(ticket), error=error)
            changed = record.with_upstream(upstream, sign_in)
            return changed.with_grant(grant.model_copy(update={"ticket": issued}))

        if await self.principals.records.update(found.record.principal, release) is None:
            raise StateRefused(already_used=True)
        return ticket
