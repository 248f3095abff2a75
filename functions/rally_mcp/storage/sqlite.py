"""The store on a developer's machine: one SQLite file, shared by the three functions' processes.

Every verb is one statement, which SQLite makes atomic across threads and processes; `update`
writes only where the document still is as it was read.
"""

import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync

from rally_mcp.errors import ConfigurationError, StoreUnavailable
from rally_mcp.storage.limits import check_address, check_stored
from rally_mcp.storage.port import Change, Stored

PATIENCE = timedelta(seconds=5)
"""How long a write waits for other processes; each holds the lock for about a millisecond."""

BUSY_PAUSE_SECONDS = 0.01
"""Between tries to open a file that another process is just making."""

SWEEP_EVERY = 100
SWEEP_ROWS = 200
"""Every hundredth write of a process deletes at most that many expired documents: faster than
documents arrive, and still a matter of a millisecond."""

SCAN_ROWS = 100
"""Documents that a scan reads at a time, so that no lock and little memory is held for long."""

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    expire_at TEXT NOT NULL,
    PRIMARY KEY (collection, key)
);
CREATE INDEX IF NOT EXISTS documents_by_expiry ON documents (expire_at);
"""

GET = """
SELECT body, expire_at FROM documents
WHERE collection = :collection AND key = :key AND expire_at > :now
"""
PUT = """
INSERT INTO documents VALUES (:collection, :key, :body, :expire_at)
ON CONFLICT DO UPDATE SET body = excluded.body, expire_at = excluded.expire_at
"""
CREATE = PUT + "WHERE documents.expire_at <= :now RETURNING key"
TAKE = """
DELETE FROM documents
WHERE collection = :collection AND key = :key AND expire_at > :now RETURNING body, expire_at
"""
SWAP = """
UPDATE documents SET body = :body, expire_at = :expire_at
WHERE collection = :collection AND key = :key AND body = :old_body AND expire_at = :old_expire_at
RETURNING key
"""
SCAN = """
SELECT body, expire_at, key FROM documents
WHERE collection = :collection AND key > :key AND expire_at > :now ORDER BY key LIMIT :rows
"""
SWEEP = """
DELETE FROM documents
WHERE rowid IN (SELECT rowid FROM documents WHERE expire_at <= :now LIMIT :rows)
"""

Row = tuple[str, ...]


class SqliteStore:
    """Documents in the SQLite file at `path`, which is made, with its folder, on first use.

    `patience` bounds the wait for other processes. Every verb raises StoreUnavailable when
    that is exceeded, ConfigurationError when the file cannot be used, and ValueError for a name
    or document that `limits` refuses.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], datetime], patience: timedelta = PATIENCE
    ) -> None:
        self._clock = clock
        self._patience = patience
        # Two connections: a writer that waits for the lock must not hold readers up.
        self._reader = _Connection(path, patience)
        self._writer = _Connection(path, patience)
        self._writes = 0

    async def get(self, collection: str, key: str) -> Stored | None:
        """Return the live document, or None."""
        rows = await self._read(self._address(collection, key))
        return _stored(rows[0]) if rows else None

    async def put(self, collection: str, key: str, stored: Stored) -> None:
        """Write the document, replacing any other."""
        await self._write(PUT, self._address(collection, key) | _columns(stored))

    async def create(self, collection: str, key: str, stored: Stored) -> bool:
        """Write the document unless a live one is there; tell whether this call wrote it."""
        values = self._address(collection, key) | _columns(stored)
        return bool(await self._write(CREATE, values))

    async def take(self, collection: str, key: str) -> Stored | None:
        """Delete the live document and return it; of several callers one gets it."""
        rows = await self._write(TAKE, self._address(collection, key))
        return _stored(rows[0]) if rows else None

    async def update(self, collection: str, key: str, change: Change) -> Stored | None:
        """Apply `change` to the live document and return what was written."""
        address = self._address(collection, key)
        deadline = anyio.current_time() + self._patience.total_seconds()
        while rows := await self._read(address):
            changed = change(_stored(rows[0]))
            if changed is None:
                return None
            old = {"old_body": rows[0][0], "old_expire_at": rows[0][1]}
            if await self._write(SWAP, address | _columns(changed) | old):
                return changed
            if anyio.current_time() > deadline:
                raise StoreUnavailable("Too many writers at once, try again")
        return None

    async def scan(self, collection: str) -> AsyncIterator[tuple[str, Stored]]:
        """Yield every live document with its key."""
        check_address(collection, "any")
        place = {"collection": collection, "key": "", "rows": SCAN_ROWS, "now": self._now()}
        while rows := await run_sync(self._writer.run, SCAN, place):
            for row in rows:
                yield row[2], _stored(row)
            place["key"] = rows[-1][2]

    async def close(self) -> None:
        """Close the file. The store is not used afterwards."""
        await run_sync(self._reader.close)
        await run_sync(self._writer.close)

    def _address(self, collection: str, key: str) -> dict[str, str]:
        check_address(collection, key)
        return {"collection": collection, "key": key, "now": self._now()}

    def _now(self) -> str:
        return _sortable(self._clock())

    async def _read(self, address: dict[str, str]) -> list[Row]:
        if not self._reader.is_open:
            await run_sync(self._reader.open)
        # On the event loop: readers wait for nobody, and the hop to a thread would cost ten
        # times what the read does.
        return self._reader.run(GET, address)

    async def _write(self, statement: str, values: dict[str, str]) -> list[Row]:
        # Sweep first: if that fails, nothing that was taken is lost.
        if self._writes % SWEEP_EVERY == 0:
            await run_sync(self._writer.run, SWEEP, {"now": self._now(), "rows": SWEEP_ROWS})
        self._writes += 1
        return await run_sync(self._writer.run, statement, values)


class _Connection:
    """One connection, opened when it is first needed: functions-framework forks before that."""

    def __init__(self, path: Path, patience: timedelta) -> None:
        self._path = path
        self._patience = patience
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> sqlite3.Connection:
        """Return the connection, connecting first if need be."""
        with self._lock, self._errors():
            if self._connection is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._connection = self._connect()
            return self._connection

    def run(self, statement: str, values: dict[str, Any]) -> list[Row]:
        """Execute one statement and return all its rows."""
        with self._lock, self._errors():
            return self.open().execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the connection, if it was ever opened."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._patience.total_seconds(),
            isolation_level=None,  # each statement commits by itself
            check_same_thread=False,  # the lock keeps threads apart
        )
        try:
            self._prepare(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Set WAL and make the table, again while other processes do the same.

        Of connections that turn a new file to WAL at once, one is refused without its timeout
        being waited for.
        """
        deadline = time.monotonic() + self._patience.total_seconds()
        while True:
            try:
                connection.executescript(SCHEMA)
            except sqlite3.OperationalError as exc:
                if not _is_busy(exc) or time.monotonic() > deadline:
                    raise
                time.sleep(BUSY_PAUSE_SECONDS)
            else:
                return

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as exc:
            if _is_busy(exc):
                raise StoreUnavailable("The database is busy, try again shortly") from exc
            raise self._unusable() from exc
        except (OSError, sqlite3.DatabaseError) as exc:
            raise self._unusable() from exc

    def _unusable(self) -> ConfigurationError:
        return ConfigurationError(
            f"SQLITE_PATH: {self._path} cannot be used as a database. "
            "Name a file that SQLite made, or a new one, in a folder that can be written to"
        )


def _is_busy(exc: sqlite3.OperationalError) -> bool:
    # The low byte is the primary code, whatever the variety.
    return exc.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _sortable(moment: datetime) -> str:
    """Write a moment so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _columns(stored: Stored) -> dict[str, str]:
    check_stored(stored)
    body = json.dumps(stored.document, ensure_ascii=False)
    return {"body": body, "expire_at": _sortable(stored.expire_at)}


def _stored(row: Row) -> Stored:
    return Stored(json.loads(row[0]), datetime.fromisoformat(row[1]))
