"""Failed client logins are counted across instances, by client and address."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from rally_mcp.authorization_server.login_attempts import ATTEMPTS, FailedLogins, LoginAttempts
from rally_mcp.errors import ConfigurationError, RateLimited
from rally_mcp.storage.collection import Collection
from rally_mcp.storage.port import Store
from rally_mcp.storage.sqlite import SqliteStore
from tests.fixtures.log_lines import written_log
from tests.fixtures.meeting_store import MeetingStore
from tests.fixtures.troubled_store import Trouble, TroubledStore

CLIENT = "rmcp_mc_0123456789abcdef"
OTHER_CLIENT = "rmcp_mc_fedcba9876543210"
ADDRESS = "203.0.113.9"
OTHER_ADDRESS = "198.51.100.7"
WINDOW_SECONDS = 300


@pytest.fixture
def new_store(clock, tmp_path: Path) -> Callable[[], SqliteStore]:
    """Open the one database once more, as another instance would."""
    return lambda: SqliteStore(tmp_path / "shared.db", clock=clock)


@pytest.fixture
def instance(clock) -> Callable[..., LoginAttempts]:
    """Make an instance's limit on a store."""

    def on(store: Store, *, limited: bool = True) -> LoginAttempts:
        return LoginAttempts(Collection(store, ATTEMPTS, FailedLogins), clock, limited)

    return on


@pytest.fixture
async def store(new_store):
    store = new_store()
    yield store
    await store.close()


@pytest.fixture
async def elsewhere(new_store, instance):
    """A second instance on the same database."""
    store = new_store()
    yield instance(store)
    await store.close()


@pytest.fixture
def here(store, instance) -> LoginAttempts:
    return instance(store)


async def retry_after(
    attempts: LoginAttempts, client_id: str | None = CLIENT, address: str = ADDRESS
) -> int:
    """Return how many seconds a login has to wait, 0 where it may be tried."""
    try:
        await attempts.check(client_id, address)
    except RateLimited as limited:
        return limited.retry_after
    return 0


async def log_in_wrongly(
    attempts: LoginAttempts, client_id: str | None = CLIENT, address: str = ADDRESS
) -> int:
    """Try a wrong secret, as the token endpoint does; return how long to wait instead, or 0."""
    told = await retry_after(attempts, client_id, address)
    if not told:
        await attempts.failed(client_id, address)
    return told


async def fail(attempts: LoginAttempts, times: int, *who: str | None) -> list[int]:
    return [await log_in_wrongly(attempts, *who) for _ in range(times)]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep everybody else out of a database that is not made yet."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


async def records_in(store: Store) -> list[tuple[str, dict[str, object]]]:
    return [(key, dict(stored.document)) async for key, stored in store.scan(ATTEMPTS)]


async def test_the_eleventh_try_is_refused_for_the_rest_of_the_window(here):
    answers = await fail(here, 12)

    assert answers == [0] * 10 + [WINDOW_SECONDS] * 2


async def test_ten_failures_on_one_instance_block_the_others(here, elsewhere):
    await fail(here, 10)

    assert await retry_after(elsewhere) == WINDOW_SECONDS


async def test_failures_on_several_instances_add_up(here, elsewhere):
    await fail(here, 5)
    await fail(elsewhere, 5)

    assert await retry_after(here) == WINDOW_SECONDS
    assert await retry_after(elsewhere) == WINDOW_SECONDS


async def test_the_window_is_counted_from_the_first_failure(here, clock):
    for _ in range(10):
        await fail(here, 1)
        clock.advance(seconds=20)

    assert await retry_after(here) == WINDOW_SECONDS - 10 * 20


@pytest.mark.parametrize(("waited", "told"), [(0.5, 300), (1, 299), (299, 1), (299.9, 1), (300, 0)])
async def test_the_time_to_wait_is_told_in_whole_seconds_and_is_enough(here, clock, waited, told):
    await fail(here, 10)

    clock.advance(seconds=waited)

    assert await retry_after(here) == told


async def test_after_the_window_the_count_begins_anew(here, clock):
    await fail(here, 10)
    clock.advance(seconds=WINDOW_SECONDS)

    answers = await fail(here, 11)

    assert answers == [0] * 10 + [WINDOW_SECONDS]


async def test_refused_tries_do_not_make_the_wait_longer(here, clock):
    await fail(here, 10)
    clock.advance(seconds=200)

    answers = await fail(here, 50)

    assert answers == [100] * 50


@pytest.mark.parametrize(
    ("client_id", "address"),
    [(OTHER_CLIENT, ADDRESS), (CLIENT, OTHER_ADDRESS), (None, ADDRESS)],
    ids=["another client", "another address", "a client that does not exist"],
)
async def test_others_are_not_blocked(here, client_id, address):
    await fail(here, 10)

    assert await retry_after(here, client_id, address) == 0


async def test_clients_that_do_not_exist_share_one_count_per_address(here, store):
    await fail(here, 10, None, ADDRESS)

    assert await retry_after(here, None, ADDRESS) == WINDOW_SECONDS
    assert await retry_after(here, None, OTHER_ADDRESS) == 0
    assert len(await records_in(store)) == 1


async def test_the_parts_of_a_key_cannot_be_mistaken_for_each_other(here, store):
    await fail(here, 1, "a", "b,c")
    await fail(here, 1, "a,b", "c")
    await fail(here, 1, 'a", "b', "c")
    await fail(here, 1, "a", 'b", "c')

    assert len(await records_in(store)) == 4


async def test_the_store_learns_neither_client_nor_address(here, store):
    await fail(here, 3)

    [(key, document)] = await records_in(store)
    assert len(key) == 64
    assert document == {"failures": 3}
    assert CLIENT not in key + json.dumps(document)


@pytest.mark.parametrize("earlier", [0, 1, 5], ids="after {} failures".format)
async def test_failures_at_the_same_moment_all_count(earlier, here, instance, store):
    await fail(here, earlier)
    meeting = MeetingStore(store, ATTEMPTS, 10 - earlier)
    instances = [instance(meeting) for _ in range(10 - earlier)]

    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(log_in_wrongly(each) for each in instances))

    assert answers == [0] * (10 - earlier)
    assert await retry_after(here) == WINDOW_SECONDS


async def test_nine_failures_at_the_same_moment_leave_one_try(here, instance, store):
    meeting = MeetingStore(store, ATTEMPTS, 9)

    async with asyncio.timeout(5):
        await asyncio.gather(*(log_in_wrongly(instance(meeting)) for _ in range(9)))

    assert await fail(here, 2) == [0, WINDOW_SECONDS]


async def test_forty_failures_at_the_same_moment_block_and_count_no_further(here, instance, store):
    meeting = MeetingStore(store, ATTEMPTS, 40)

    async with asyncio.timeout(5):
        await asyncio.gather(*(log_in_wrongly(instance(meeting)) for _ in range(40)))

    [(_, document)] = await records_in(store)
    assert await retry_after(here) == WINDOW_SECONDS
    assert document == {"failures": 10}


async def test_nothing_is_counted_or_refused_where_limits_are_off(instance, store):
    unlimited = instance(store, limited=False)

    answers = await fail(unlimited, 30)

    assert answers == [0] * 30
    assert await records_in(store) == []


async def test_a_limit_that_is_switched_off_lets_through_whom_another_instance_blocks(
    here, instance, store
):
    await fail(here, 10)

    assert await retry_after(instance(store, limited=False)) == 0


@pytest.mark.parametrize("fate", ["fails", "loses the answer"])
async def test_a_failure_that_the_store_does_not_take_is_logged_and_harms_nobody(
    fate, instance, clock, tmp_path: Path
):
    trouble = Trouble()
    store = TroubledStore(trouble, tmp_path / "troubled.db", clock=clock)
    attempts = instance(store)
    trouble.fates = [fate]

    with written_log() as log:
        answers = await fail(attempts, 1)
    await store.close()

    [line] = log.lines
    assert answers == [0]
    assert (line["severity"], line["message"]) == ("WARNING", "the login limit could not be kept")
    assert CLIENT not in log.text
    assert ADDRESS not in log.text


async def test_while_the_store_is_down_everybody_may_try_and_the_log_says_so(
    instance, clock, tmp_path: Path
):
    path = tmp_path / "locked.db"
    store = SqliteStore(path, clock=clock, patience=timedelta(milliseconds=1))
    attempts = instance(store)

    with written_log() as log, locked(path):
        answers = await fail(attempts, 11)
    answers_afterwards = await fail(attempts, 11)
    await store.close()

    assert answers == [0] * 11
    assert {line["message"] for line in log.lines} == {"the login limit could not be kept"}
    assert len(log.lines) == 22
    assert answers_afterwards == [0] * 10 + [WINDOW_SECONDS]


async def test_a_database_that_cannot_be_used_at_all_is_not_passed_over(
    instance, clock, tmp_path: Path
):
    path = tmp_path / "notes.txt"
    path.write_text("This is no database, and will not become one by waiting. " * 20)
    store = SqliteStore(path, clock=clock)
    attempts = instance(store)

    with pytest.raises(ConfigurationError):
        await attempts.check(CLIENT, ADDRESS)
    with pytest.raises(ConfigurationError):
        await attempts.failed(CLIENT, ADDRESS)
    await store.close()
