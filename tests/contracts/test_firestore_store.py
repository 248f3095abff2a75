"""What is Firestore's own: databases, the TTL field, and a service that does not answer."""

import itertools
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from google.cloud.firestore import Client

import rally_mcp
from rally_mcp.errors import ConfigurationError, UpstreamUnavailable
from rally_mcp.storage.firestore import FirestoreStore
from rally_mcp.storage.port import Stored


@pytest.fixture
def stored(clock):
    return Stored({"n": 1}, clock() + timedelta(minutes=10))


@pytest.fixture
def silent_host():
    """A host:port where nothing listens, kept so that nothing else comes to listen there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
async def open_store(firestore_emulator, project, clock):
    """Make stores that are closed when the test ends."""
    stores = []

    def open_store(database="(default)", **options):
        stores.append(FirestoreStore(project, database, clock=clock, **options))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close()


async def test_databases_of_one_project_are_separate(open_store, stored):
    default, named = open_store(), open_store("rally-mcp")

    await named.put("things", "key", stored)

    assert await default.get("things", "key") is None
    assert stored == await named.get("things", "key")


async def test_the_ttl_field_is_a_timestamp_beside_the_fields(open_store, stored, project):
    await open_store().put("things", "key", stored)

    snapshot = Client(project).collection("things").document("key").get()
    assert {"n": 1, "expire_at": stored.expire_at} == snapshot.to_dict()


async def test_a_document_without_ttl_is_absent_and_can_be_replaced(open_store, stored, project):
    Client(project).collection("things").document("key").set({"foreign": True})
    store = open_store()

    assert await store.get("things", "key") is None
    assert await store.create("things", "key", stored)
    assert stored == await store.get("things", "key")


async def test_writers_that_always_collide_give_up(open_store, elsewhere, stored):
    store = open_store(patience=timedelta(0))
    await store.put("things", "key", stored)
    rounds = itertools.count(2)

    def change(old):
        newer = Stored({"n": next(rounds)}, stored.expire_at)
        elsewhere(lambda rival: rival.put("things", "key", newer))
        return old

    with pytest.raises(UpstreamUnavailable):
        await store.update("things", "key", change)


async def test_a_service_that_is_down_makes_the_store_unavailable(
    project, clock, stored, monkeypatch, silent_host
):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", silent_host)
    store = FirestoreStore(project, "(default)", clock=clock, patience=timedelta(milliseconds=50))

    with pytest.raises(UpstreamUnavailable):
        await store.get("things", "key")
    with pytest.raises(UpstreamUnavailable):
        await store.put("things", "key", stored)
    with pytest.raises(UpstreamUnavailable):
        await store.create("things", "key", stored)
    with pytest.raises(UpstreamUnavailable):
        [found async for found in store.scan("things")]
    await store.close()


async def test_missing_credentials_are_a_fault_of_the_configuration(
    project, clock, monkeypatch, tmp_path
):
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    store = FirestoreStore(project, "(default)", clock=clock)

    with pytest.raises(ConfigurationError, match="FIRESTORE_DATABASE"):
        await store.get("things", "key")
    with pytest.raises(ConfigurationError, match="FIRESTORE_DATABASE"):
        await store.take("things", "key")
    await store.close()


def test_importing_the_store_does_not_import_the_library():
    program = (
        "import sys, rally_mcp.storage.firestore\n"
        "assert not {'grpc', 'google.api_core', 'google.cloud.firestore'} & set(sys.modules)"
    )

    done = subprocess.run(
        (sys.executable, "-c", program), cwd=Path(rally_mcp.__file__).parents[1], check=False
    )

    assert done.returncode == 0
