"""The storage port: five verbs over documents that expire.

A document is a JSON object kept under (collection, key) until `expire_at`. An expired document
is absent to every verb, although Firestore may still hold it for a day.

    get     read
    put     write, whatever was there
    create  write, unless a live document is there: one winner
    take    read and delete: one winner
    update  read, change, write back, again from the start if somebody else wrote meanwhile

`scan` walks a whole collection, for an administrator's commands alone.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Document = Mapping[str, Any]
"""A JSON object: str, int, float, bool, None, lists and objects of these."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A document and the moment (aware, UTC) from which it counts as absent."""

    document: Document
    expire_at: datetime


Change = Callable[[Stored], Stored | None]
"""What `update` applies: the document to write, or None to leave everything as it is.

It may run more than once and must have no effect of its own.
"""


class Store(Protocol):
    """Documents shared by every instance of the three functions."""

    async def get(self, collection: str, key: str) -> Stored | None:
        """Return the live document, or None."""
        ...

    async def put(self, collection: str, key: str, stored: Stored) -> None:
        """Write the document, replacing any other."""
        ...

    async def create(self, collection: str, key: str, stored: Stored) -> bool:
        """Write the document unless a live one is there; tell whether this call wrote it."""
        ...

    async def take(self, collection: str, key: str) -> Stored | None:
        """Delete the live document and return it; of several callers one gets it."""
        ...

    async def update(self, collection: str, key: str, change: Change) -> Stored | None:
        """Apply `change` to the live document and return what was written.

        Returns None, and writes nothing, where there is no live document or `change` declines.
        It never brings a deleted document back and loses no concurrent update.
        Raises StoreUnavailable when writers collide for too long.
        """
        ...

    def scan(self, collection: str) -> AsyncIterator[tuple[str, Stored]]:
        """Yield every live document with its key."""
        ...

    async def close(self) -> None:
        """Release connections. The store is not used afterwards."""
        ...
