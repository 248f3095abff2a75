"""The store in production: Firestore, shared by every instance of the three functions.

A document's fields stand at the top level beside `expire_at`, the timestamp that the TTL policy
reads. Single winners come from preconditions on the document's update time, not from
transactions: one read and one write, and no permission beyond those two.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from rally_mcp.errors import ConfigurationError, StoreUnavailable
from rally_mcp.storage.limits import check_address, check_stored
from rally_mcp.storage.port import Change, Stored

if TYPE_CHECKING:
    # At run time the library is imported by the first call: it costs a cold start 0.3 s.
    from google.api_core.retry_async import AsyncRetry
    from google.cloud.firestore import AsyncClient, AsyncDocumentReference, DocumentSnapshot
    from google.cloud.firestore_v1._helpers import WriteOption

    Snapshot = DocumentSnapshot[AsyncDocumentReference]

ResultT = TypeVar("ResultT")

RPC_SECONDS = 5.0
"""Firestore answers in some 10 ms; this leaves room for a cold channel and a slow moment."""

SCAN_SECONDS = 60.0
"""A whole collection may take that long; only an administrator's commands scan."""

PATIENCE = timedelta(seconds=5)
"""A browser or an agent is waiting: past this, an honest failure serves it better."""

COLLISION_PAUSES = (0.01, 0.2)
"""First and longest pause of colliding writers, in seconds, each shortened by a random part:
about one round trip at first, and short enough for twenty writers to finish within the patience."""

OUTAGE_PAUSES = (0.1, 1.0)
"""First and longest pause, in seconds, before something is sent again: Google's own first pause,
and a few tries within the patience."""


class FirestoreStore:
    """Documents in one Firestore database, or in the emulator at FIRESTORE_EMULATOR_HOST.

    `patience` bounds repeated reads and colliding writes. Every verb raises StoreUnavailable
    when Firestore fails or is too slow, ConfigurationError when the database or the permission
    is missing, and ValueError for a name or document that `limits` refuses.
    """

    def __init__(
        self,
        project: str,
        database: str,
        *,
        clock: Callable[[], datetime],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._project = project
        self._database = database
        self._clock = clock
        self._patience = patience
        # A gRPC channel belongs to the event loop that made it.
        self._clients: dict[asyncio.AbstractEventLoop, AsyncClient] = {}

    async def get(self, collection: str, key: str) -> Stored | None:
        """Return the live document, or None."""
        with _google_errors():
            return self._live(await self._read(self._reference(collection, key)))

    async def put(self, collection: str, key: str, stored: Stored) -> None:
        """Write the document, replacing any other."""
        check_stored(stored)
        with _google_errors():
            # The one write that may be sent twice: repeating it changes nothing.
            await self._reference(collection, key).set(
                _fields(stored), retry=self._retry(), timeout=RPC_SECONDS
            )

    async def create(self, collection: str, key: str, stored: Stored) -> bool:
        """Write the document unless a live one is there; tell whether this call wrote it."""
        check_stored(stored)
        return await self._decide(lambda: self._create(self._reference(collection, key), stored))

    async def take(self, collection: str, key: str) -> Stored | None:
        """Delete the live document and return it; of several callers one gets it."""
        return await self._decide(lambda: self._take(self._reference(collection, key)))

    async def update(self, collection: str, key: str, change: Change) -> Stored | None:
        """Apply `change` to the live document and return what was written."""
        return await self._decide(lambda: self._update(self._reference(collection, key), change))

    async def scan(self, collection: str) -> AsyncIterator[tuple[str, Stored]]:
        """Yield every live document with its key."""
        with _google_errors():
            query = self._client().collection(collection)
            async for snapshot in query.stream(retry=self._retry(), timeout=SCAN_SECONDS):
                if stored := self._live(snapshot):
                    yield snapshot.id, stored

    async def close(self) -> None:
        """Close this event loop's channel. The store is not used afterwards."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client._firestore_api.transport.close()  # noqa: SLF001 the library has no close

    async def _create(self, reference: "AsyncDocumentReference", stored: Stored) -> bool:
        from google.api_core.exceptions import AlreadyExists

        try:
            await reference.create(_fields(stored), retry=None, timeout=RPC_SECONDS)
        except AlreadyExists as exc:
            snapshot = await self._read(reference)
            if self._live(snapshot):
                return False
            if not snapshot.exists:
                raise _OvertakenError from exc
            await self._replace(snapshot, stored)
        return True

    async def _take(self, reference: "AsyncDocumentReference") -> Stored | None:
        snapshot = await self._read(reference)
        stored = self._live(snapshot)
        if stored is not None:
            with _conditional_write():
                await reference.delete(
                    option=self._if_unchanged(snapshot), retry=None, timeout=RPC_SECONDS
                )
        return stored

    async def _update(self, reference: "AsyncDocumentReference", change: Change) -> Stored | None:
        snapshot = await self._read(reference)
        present = self._live(snapshot)
        changed = change(present) if present else None
        if changed is not None:
            check_stored(changed)
            await self._replace(snapshot, changed)
        return changed

    async def _replace(self, snapshot: "Snapshot", stored: Stored) -> None:
        """Write all of `stored` over the document, if it still is as it was read.

        The library's `set` takes no precondition and its `update` leaves other fields alone, so
        those that are gone are deleted by name.
        """
        from google.cloud.firestore import DELETE_FIELD

        fields = dict.fromkeys(snapshot.to_dict() or {}, DELETE_FIELD) | _fields(stored)
        quoted = {self._client().field_path(name): value for name, value in fields.items()}
        with _conditional_write():
            await snapshot.reference.update(
                quoted, option=self._if_unchanged(snapshot), retry=None, timeout=RPC_SECONDS
            )

    async def _decide(self, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Run `attempt` until no other writer comes between its read and its write."""
        deadline = anyio.current_time() + self._patience.total_seconds()
        pause, longest_pause = COLLISION_PAUSES
        while True:
            try:
                with _google_errors():
                    return await attempt()
            except _OvertakenError as exc:
                if anyio.current_time() > deadline:
                    raise StoreUnavailable("Too many writers at once, try again") from exc
            await anyio.sleep(random.uniform(0, pause))  # noqa: S311 spreads writers, no secret
            pause = min(2 * pause, longest_pause)

    async def _read(self, reference: "AsyncDocumentReference") -> "Snapshot":
        # `reference.get` would leave the answer's stream unfinished, and gRPC would report its end
        # to an event loop that may be closed by then.
        answer = self._client().get_all([reference], retry=self._retry(), timeout=RPC_SECONDS)
        (snapshot,) = [found async for found in answer]
        return snapshot

    def _live(self, snapshot: "Snapshot") -> Stored | None:
        fields = snapshot.to_dict() or {}
        expire_at = fields.pop("expire_at", None)
        if not isinstance(expire_at, datetime) or expire_at <= self._clock():
            return None
        return Stored(fields, expire_at)

    def _retry(self) -> "AsyncRetry":
        """Repeat what may be repeated; the library's own policy goes on for five minutes."""
        from google.api_core.exceptions import InternalServerError, ServiceUnavailable
        from google.api_core.retry_async import AsyncRetry, if_exception_type

        first_pause, longest_pause = OUTAGE_PAUSES
        return AsyncRetry(
            predicate=if_exception_type(InternalServerError, ServiceUnavailable),
            initial=first_pause,
            maximum=longest_pause,
            timeout=self._patience.total_seconds(),
        )

    def _if_unchanged(self, snapshot: "Snapshot") -> "WriteOption":
        return self._client().write_option(last_update_time=snapshot.update_time)

    def _reference(self, collection: str, key: str) -> "AsyncDocumentReference":
        check_address(collection, key)
        return self._client().collection(collection).document(key)

    def _client(self) -> "AsyncClient":
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            from google.cloud.firestore import AsyncClient

            self._clients[loop] = AsyncClient(project=self._project, database=self._database)
        return self._clients[loop]


class _OvertakenError(Exception):
    """Somebody else wrote between the read and the write, which then did nothing."""


@contextmanager
def _conditional_write() -> Iterator[None]:
    """Tell a lost race from a failure.

    Such writes are never sent twice: a repeated one would meet its own first try and report a
    race that it had won.
    """
    from google.api_core.exceptions import Aborted, FailedPrecondition, NotFound

    try:
        yield
    except (Aborted, FailedPrecondition, NotFound) as exc:
        raise _OvertakenError from exc


@contextmanager
def _google_errors() -> Iterator[None]:
    from google.api_core import exceptions as google
    from google.auth.exceptions import DefaultCredentialsError, TransportError

    try:
        yield
    except (
        google.Aborted,
        google.DeadlineExceeded,
        google.InternalServerError,
        google.ResourceExhausted,
        google.RetryError,
        google.ServiceUnavailable,
        TransportError,
    ) as exc:
        raise StoreUnavailable("The database does not answer, try again shortly") from exc
    except (
        google.FailedPrecondition,
        google.Forbidden,
        google.NotFound,
        google.Unauthenticated,
        DefaultCredentialsError,
    ) as exc:
        raise ConfigurationError(
            "Firestore refuses. Check that GOOGLE_CLOUD_PROJECT has the Firestore (Native mode) "
            "database FIRESTORE_DATABASE and that this service account may read and write it"
        ) from exc


def _fields(stored: Stored) -> dict[str, Any]:
    return {**stored.document, "expire_at": stored.expire_at}
