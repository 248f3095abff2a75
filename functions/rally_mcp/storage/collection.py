"""A typed view of one collection: pydantic records instead of JSON documents."""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from rally_mcp.storage.port import Store, Stored

log = logging.getLogger(__name__)


class Record(BaseModel):
    """What a collection holds; `expire_at` is the moment from which it counts as absent."""

    model_config = ConfigDict(frozen=True)

    expire_at: AwareDatetime


RecordT = TypeVar("RecordT", bound=Record)


class Collection(Generic[RecordT]):
    """The store's verbs for one collection and one type of record.

    A stored document that does not validate (an older version of this product wrote it) counts
    as absent, and a warning says so. Every verb raises what the store's verb raises.
    """

    def __init__(self, store: Store, name: str, model: type[RecordT]) -> None:
        self.name = name
        self._store = store
        self._model = model

    async def get(self, key: str) -> RecordT | None:
        """Return the live record, or None."""
        return self._record(await self._store.get(self.name, key))

    async def put(self, key: str, record: RecordT) -> None:
        """Write the record, replacing any other."""
        await self._store.put(self.name, key, _stored(record))

    async def create(self, key: str, record: RecordT) -> bool:
        """Write the record unless a live one is there; tell whether this call wrote it."""
        stored = _stored(record)
        if await self._store.create(self.name, key, stored):
            return True
        # A document that counts as absent must not stand in the way until it expires.
        replaced = await self._store.update(
            self.name, key, lambda old: stored if self._record(old) is None else None
        )
        return replaced is not None

    async def take(self, key: str) -> RecordT | None:
        """Delete the live record and return it; of several callers one gets it."""
        return self._record(await self._store.take(self.name, key))

    async def update(self, key: str, change: Callable[[RecordT], RecordT | None]) -> RecordT | None:
        """Apply `change` to the live record and return what was written.

        Returns None, and writes nothing, where there is no live record or `change` returns None.
        `change` may run more than once and must have no effect of its own.
        """
        written = await self._store.update(self.name, key, lambda old: self._changed(old, change))
        return self._record(written)

    async def scan(self) -> AsyncIterator[tuple[str, RecordT]]:
        """Yield every live record with its key."""
        async for key, stored in self._store.scan(self.name):
            record = self._record(stored)
            if record is not None:
                yield key, record

    def _changed(
        self, stored: Stored, change: Callable[[RecordT], RecordT | None]
    ) -> Stored | None:
        record = self._record(stored)
        changed = change(record) if record is not None else None
        return _stored(changed) if changed is not None else None

    def _record(self, stored: Stored | None) -> RecordT | None:
        if stored is None:
            return None
        try:
            return self._model.model_validate({**stored.document, "expire_at": stored.expire_at})
        except ValidationError as exc:
            fields = sorted({str(error["loc"][0]) for error in exc.errors() if error["loc"]})
            log.warning("A %s document counts as absent, unreadable: %s", self.name, fields)
            return None


def _stored(record: Record) -> Stored:
    return Stored(record.model_dump(mode="json", exclude={"expire_at"}), record.expire_at)
