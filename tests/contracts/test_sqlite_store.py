"""What is SQLite's own: files, processes and locks."""

import itertools
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

import rally_mcp
from rally_mcp.errors import ConfigurationError, UpstreamUnavailable
from rally_mcp.storage.port import Stored
from rally_mcp.storage.sqlite import SWEEP_EVERY, SqliteStore

INCREMENT_AND_CREATE = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import anyio
from rally_mcp.storage.port import Stored
from rally_mcp.storage.sqlite import SqliteStore

LATER = datetime.now(UTC) + timedelta(hours=1)

async def main():
    store = SqliteStore(Path(sys.argv[1]), clock=lambda: datetime.now(UTC))
    print("ready", flush=True)
    sys.stdin.readline()
    await store.create("things", "counter", Stored({"n": 0}, LATER))
    won = 0
    for key in range(50):
        won += await store.create("things", str(key), Stored({}, LATER))
        await store.update(
            "things", "counter", lambda old: Stored({"n": old.document["n"] + 1}, LATER)
        )
    await store.close()
    print(won)

anyio.run(main)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path, clock):
    store = SqliteStore(path, clock=clock)
    yield store
    await store.close()


@pytest.fixture
def stored(clock):
    return Stored({"n": 1}, clock() + timedelta(minutes=10))


def test_making_a_store_opens_nothing(path, clock):
    SqliteStore(path, clock=clock)

    assert not path.exists()


async def test_a_store_that_was_never_used_can_be_closed(path, clock):
    await SqliteStore(path, clock=clock).close()

    assert not path.exists()


def test_three_processes_that_start_on_a_new_file_lose_nothing(path):
    command = (sys.executable, "-c", INCREMENT_AND_CREATE, str(path))
    folder = Path(rally_mcp.__file__).parents[1]
    processes = [
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [int(process.communicate(timeout=20)[0]) for process in processes]

    with closing(sqlite3.connect(path)) as database:
        (body,) = database.execute("SELECT body FROM documents WHERE key = 'counter'").fetchone()
    assert sum(won) == 50
    assert body == '{"n": 150}'


async def test_readers_go_on_while_a_writer_waits_for_another_process(store, stored, path):
    await store.put("things", "key", stored)

    with closing(sqlite3.connect(path, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.take, "things", "key")
            await checkpoint()
            read_meanwhile = await store.get("things", "key")
            other_process.execute("ROLLBACK")

    assert stored == read_meanwhile
    assert await store.get("things", "key") is None


async def test_a_lock_that_is_held_too_long_makes_the_store_unavailable(path, clock, stored):
    store = SqliteStore(path, clock=clock, patience=timedelta(milliseconds=20))
    await store.put("things", "key", stored)
    with closing(sqlite3.connect(path, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")

        with pytest.raises(UpstreamUnavailable):
            await store.put("things", "key", stored)

    await store.close()


async def test_a_file_that_another_process_is_making_is_tried_again(path, clock, stored):
    store = SqliteStore(path, clock=clock, patience=timedelta(milliseconds=20))
    with closing(sqlite3.connect(path, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        with pytest.raises(UpstreamUnavailable):
            await store.put("things", "key", stored)
        other_process.execute("ROLLBACK")

    await store.put("things", "key", stored)

    assert stored == await store.get("things", "key")
    await store.close()


async def test_writers_that_always_collide_give_up(path, clock, stored):
    store = SqliteStore(path, clock=clock, patience=timedelta(0))
    await store.put("things", "key", stored)
    rounds = itertools.count(2)

    def change(old):
        with closing(sqlite3.connect(path, isolation_level=None)) as other_process:
            other_process.execute("UPDATE documents SET body = ?", (f'{{"n": {next(rounds)}}}',))
        return old

    with pytest.raises(UpstreamUnavailable):
        await store.update("things", "key", change)
    await store.close()


async def test_expired_documents_are_swept_by_later_writes(store, stored, path, clock):
    for number in range(10):
        await store.put("things", f"expired-{number}", stored)
    clock.advance(hours=1)
    live = Stored({}, clock() + timedelta(hours=1))

    for _ in range(SWEEP_EVERY):
        await store.put("things", "live", live)

    with closing(sqlite3.connect(path)) as database:
        kept = database.execute("SELECT key FROM documents").fetchall()
    expected = [("live",)]
    assert expected == kept


@pytest.mark.parametrize("fault", ["text", "folder", "file in the way"])
async def test_a_path_that_cannot_be_a_database_is_named_with_the_remedy(
    path, clock, stored, fault
):
    if fault == "folder":
        path.mkdir()
    else:
        path.write_text("This is a letter to my aunt, not a database. " * 100)
    store = SqliteStore(path / "below" if fault == "file in the way" else path, clock=clock)

    with pytest.raises(ConfigurationError, match="SQLITE_PATH"):
        await store.get("things", "key")
    with pytest.raises(ConfigurationError, match="SQLITE_PATH"):
        await store.put("things", "key", stored)
    await store.close()
