"""Stores for the contract tests: both kinds, each test on data of its own."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import anyio
import pytest

from rally_mcp.storage.firestore import FirestoreStore
from rally_mcp.storage.port import Stored
from rally_mcp.storage.sqlite import SqliteStore
from tests.firestore_emulator import firestore_emulator

__all__ = ["firestore_emulator"]


@pytest.fixture
def project() -> str:
    """A Google Cloud project that nobody else uses, so that an emulator can be shared."""
    return f"rally-mcp-{secrets.token_hex(8)}"


@pytest.fixture(params=["sqlite", "firestore"])
def open_store(request, clock, tmp_path):
    """Make another instance of the store on the same data."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "new folder" / "store.db", clock=clock)
    request.getfixturevalue("firestore_emulator")
    project = request.getfixturevalue("project")
    return lambda: FirestoreStore(project, "(default)", clock=clock)


@pytest.fixture
async def store(open_store):
    store = open_store()
    yield store
    await store.close()


@pytest.fixture
async def other_store(open_store):
    """A second instance on the same data."""
    store = open_store()
    yield store
    await store.close()


@pytest.fixture
def elsewhere(open_store) -> Callable[..., None]:
    """Run `act(store)` to its end on another instance, thread and event loop."""

    async def run(act) -> None:
        store = open_store()
        await act(store)
        await store.close()

    def run_elsewhere(act) -> None:
        with ThreadPoolExecutor(1) as another_thread:
            another_thread.submit(anyio.run, run, act).result(5)

    return run_elsewhere


@pytest.fixture
def lasting(clock):
    """Make a document that lives for ten minutes."""
    return lambda **document: Stored(document, clock() + timedelta(minutes=10))


@pytest.fixture
def increment():
    """A change that counts the field n up by one."""
    return lambda old: Stored({**old.document, "n": old.document["n"] + 1}, old.expire_at)
