"""The principals' records: how they change, and how long they live."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from rally_mcp.crypto import RecordKey
from rally_mcp.errors import UpstreamUnavailable
from rally_mcp.sign_in.grant_records import Grant
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.records import PrincipalRecord, UpstreamSignIn
from rally_mcp.storage.collection import Collection

UNSIGNED_TTL = timedelta(hours=1)
"""Life of a record without active tokens, counted from its last change."""

IDLE_TTL = timedelta(days=7)
"""Life of a record with active tokens that nobody uses."""

LONGEST_TTL = timedelta(days=30)
"""Life of a record with active tokens, however much it is used."""

TOUCH_AFTER = timedelta(days=1)
"""Use moves a record's end on at most this often: reads stay free of writes."""


@dataclass(frozen=True, slots=True)
class Principals:
    """Reads and changes principals' records, one upstream's part at a time."""

    records: Collection[PrincipalRecord]
    clock: Callable[[], datetime]

    async def get(self, key: RecordKey) -> PrincipalRecord | None:
        """Return the record, or None."""
        return await self.records.get(key)

    async def create(
        self,
        principal: Principal,
        upstream: str,
        sign_in: UpstreamSignIn,
        grant: Grant | None = None,
    ) -> bool:
        """Write a first record; False where another caller was faster."""
        now = self.clock()
        fresh = PrincipalRecord(
            public_key=principal.private_key.public_key.text,
            signed_in_at=now,
            upstreams={upstream: sign_in},
            grant=grant,
            expire_at=now + UNSIGNED_TTL,
        )
        return await self.records.create(principal.key, fresh)

    async def change(
        self,
        key: RecordKey,
        upstream: str,
        change: Callable[[UpstreamSignIn], UpstreamSignIn | None],
        *,
        signed_in: bool = False,
    ) -> PrincipalRecord | None:
        """Apply `change` to one upstream's part; None where it declines or the record is gone.

        `signed_in` says that fresh tokens become active. The longest life counts from there,
        unless the principal was signed in to something already.
        """
        now = self.clock()

        def apply(record: PrincipalRecord) -> PrincipalRecord | None:
            sign_in = change(record.upstream(upstream))
            if sign_in is None:
                return None
            changed = record.with_upstream(upstream, sign_in)
            others = (part for name, part in record.upstreams.items() if name != upstream)
            if signed_in and not any(part.active for part in others):
                changed = changed.model_copy(update={"signed_in_at": now})
            return living_on(changed, now)

        return await self.records.update(key, apply)

    async def touch(self, key: RecordKey, record: PrincipalRecord) -> None:
        """Move the end of a used record on, at most once a day."""
        now = self.clock()

        def moved(current: PrincipalRecord) -> PrincipalRecord | None:
            later = living_on(current, now)
            return later if later.expire_at - current.expire_at >= TOUCH_AFTER else None

        if moved(record):
            # The call that happens to be the day's first must not fail for it.
            with suppress(UpstreamUnavailable):
                await self.records.update(key, moved)

    async def remove(self, key: RecordKey) -> PrincipalRecord | None:
        """Delete the record with everything in it; return it to the one caller who did."""
        return await self.records.take(key)


def living_on(record: PrincipalRecord, now: datetime) -> PrincipalRecord:
    """Return the record with its end moved on, never back and never past the longest life."""
    has_active = any(sign_in.active for sign_in in record.upstreams.values())
    wanted = now + (IDLE_TTL if has_active else UNSIGNED_TTL)
    latest = max(record.signed_in_at + LONGEST_TTL, record.expire_at)
    return record.model_copy(update={"expire_at": min(latest, max(record.expire_at, wanted))})
