"""The store: a document that is written, read and deleted, as the functions do it."""

import secrets
import sqlite3
from datetime import timedelta

import anyio

from devtools.doctor.checks import Failed, NotPermitted
from rally_mcp.authorization_server.replay_marks import REPLAY_MARKS
from rally_mcp.bootstrap.foundations import now
from rally_mcp.crypto import record_key
from rally_mcp.errors import ConfigurationError, RallyMcpError
from rally_mcp.storage.port import Store, Stored

_LIFE = timedelta(minutes=1)
"""Of the document, should it not be deleted."""


async def see_file(path: str) -> None:
    """See that SQLite's file is there: opening the store would make it."""
    try:
        await anyio.Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Failed(
            "there is no such file",
            "the functions make it on their first use: start one, or correct SQLITE_PATH",
        ) from None
    except OSError:
        return  # it is there, or may be: the store tells more


async def round_trip(store: Store) -> None:
    """Write, read and delete one document, and close the store.

    Raises Failed, and NotPermitted where this Google account may not do that.
    """
    try:
        found = await _round_trip(store)
    except RallyMcpError as error:
        raise _failure(error) from error
    finally:
        await store.close()
    if not found:
        raise Failed(
            "a document that was just written is not there",
            "check this machine's clock: a document whose end is past counts as absent",
        )


async def _round_trip(store: Store) -> bool:
    key = record_key(secrets.token_hex(16))
    written = Stored({}, now() + _LIFE)
    is_new = await store.create(REPLAY_MARKS, key, written)
    read = await store.get(REPLAY_MARKS, key)
    taken = await store.take(REPLAY_MARKS, key)
    return is_new and read == written == taken


def _failure(error: RallyMcpError) -> Exception:
    from google.api_core import exceptions as google

    or_else = ""
    match error.__cause__:
        case google.Forbidden():
            return NotPermitted(
                "this Google account may not read and write the database",
                "grant it roles/datastore.user on the project",
            )
        case google.NotFound():
            return Failed(
                "there is no such database",
                "create it with terraform apply, or name the right one: GOOGLE_CLOUD_PROJECT and "
                "FIRESTORE_DATABASE, or --project and --database",
            )
        case google.FailedPrecondition():
            return Failed(
                "the database refuses: it is in Datastore mode",
                "make another one in Native mode, and name it with FIRESTORE_DATABASE",
            )
        case sqlite3.Error(sqlite_errorcode=code) if code & 0xFF == sqlite3.SQLITE_READONLY:
            or_else = ", or make it writable"
    problem, _, remedy = error.message.partition(". ")
    if isinstance(error, ConfigurationError):
        told = remedy[:1].lower() + remedy[1:] or "correct the settings"
        return Failed(problem, f"{told}{or_else}")
    return Failed(problem, "check the way to it, and try again")
