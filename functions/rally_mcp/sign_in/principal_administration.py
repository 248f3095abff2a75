"""What an administrator does with chats and grants: see who is signed in, and end it.

Ending deletes the record, and with it every token: it acts on the next request of every instance.
It walks the whole collection, and is for the command line alone.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.crypto import RecordKey
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import PrincipalRecord, User


@dataclass(frozen=True, slots=True)
class PrincipalSummary:
    """One chat or grant, as far as an administrator may see it."""

    key: RecordKey
    client_id: str
    client_name: str
    """Empty for a chat."""
    users: dict[str, User]
    """Who is signed in, by upstream."""
    scopes: tuple[str, ...]
    signed_in_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Which principals are meant: those to which all that is given applies."""

    user: str = ""
    """An upstream user's name or id, in any case of letters."""
    client_id: str = ""
    older_than: timedelta | None = None
    """Signed in that long ago or longer."""

    def matches(self, summary: PrincipalSummary, now: datetime) -> bool:
        """Tell whether a principal is meant."""
        names = {
            name.casefold() for user in summary.users.values() for name in (user.name, user.id)
        }
        return (
            (not self.user or self.user.casefold() in names)
            and (not self.client_id or self.client_id == summary.client_id)
            and (self.older_than is None or summary.signed_in_at <= now - self.older_than)
        )


@dataclass(frozen=True, slots=True)
class PrincipalAdministration:
    """Every chat and grant."""

    principals: Principals
    clock: Callable[[], datetime]

    async def select(self, selection: Selection) -> AsyncIterator[PrincipalSummary]:
        """Yield the principals that are meant."""
        now = self.clock()
        async for key, record in self.principals.records.scan():
            summary = _summary(RecordKey(key), record)
            if selection.matches(summary, now):
                yield summary

    async def revoke(self, selection: Selection) -> int:
        """End the principals that are meant; return how many there were."""
        keys = [summary.key async for summary in self.select(selection)]
        revoked = 0
        for key in keys:
            if await self.principals.remove(key):
                revoked += 1
                audit.write(AuditEvent.PRINCIPAL_REVOKED, principal=key)
        return revoked


def _summary(key: RecordKey, record: PrincipalRecord) -> PrincipalSummary:
    grant = record.grant
    return PrincipalSummary(
        key=key,
        client_id=grant.client_id if grant else "",
        client_name=grant.client_name if grant else "",
        users={
            name: tokens.tokens.user
            for name, sign_in in record.upstreams.items()
            if (tokens := sign_in.active or sign_in.parked)
        },
        scopes=grant.scopes if grant else (),
        signed_in_at=record.signed_in_at,
        ends_at=record.expire_at,
    )
