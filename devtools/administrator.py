"""What the administrator's commands share: the store that the environment names, and the record
of who did what.
"""

import getpass
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NoReturn

import anyio

from rally_mcp.audit import AuditEvent
from rally_mcp.bootstrap.configuration import load_for_storage
from rally_mcp.bootstrap.foundations import now, open_store
from rally_mcp.errors import RallyMcpError
from rally_mcp.settings import Settings
from rally_mcp.storage.port import Store

Work = Callable[[Store, Settings], Awaitable[None]]


def run(work: Work) -> int:
    """Do `work` with the store of STORAGE and its companions; return the exit code."""

    async def with_store() -> None:
        settings = load_for_storage()
        store = open_store(settings, now)
        try:
            await work(store, settings)
        finally:
            await store.close()

    try:
        anyio.run(with_store)
    except RallyMcpError as error:
        print(f"rally-mcp: {error.message}", file=sys.stderr)
        return 1
    return 0


def announce(event: AuditEvent, action: str, **fields: object) -> None:
    """Write the audit line of an administrator's change to stderr, before the change.

    What cannot be written down is not done: an error here ends the command.
    """
    line = {
        "severity": "NOTICE",
        "message": event.value,
        "time": datetime.now(UTC).isoformat(),
        "log": "audit",
        "administrator": _account(),
        "action": action,
        **fields,
    }
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def _account() -> str:
    """Return whose process this is; LOGNAME would say what the person likes."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except ImportError:  # Windows has neither
        return getpass.getuser()
    except KeyError:
        return str(os.getuid())


def print_json(document: object) -> None:
    """Print one line of JSON."""
    print(json.dumps(document, default=str))


def refuse(message: str) -> NoReturn:
    """End the command with one line that says what to do."""
    raise RallyMcpError(message)
