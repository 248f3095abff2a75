"""What the secret store promises, over a real gRPC channel, the environment and files."""

import asyncio
from datetime import timedelta

import grpc
import pytest
from google.auth.exceptions import DefaultCredentialsError

from rally_mcp.secret_store import (
    MEMORY,
    REREAD_PAUSE,
    SecretReference,
    SecretStore,
    SecretUnreadable,
)
from tests.secret_manager_server import SecretManagerServer

SECRET = "projects/p/secrets/rally"
NAME = f"{SECRET}/versions/latest"
LATEST = SecretReference.parse(NAME)
AT_ONCE = 20


@pytest.fixture
async def server():
    async with SecretManagerServer() as server:
        yield server


@pytest.fixture
async def open_store(server, clock):
    stores = []

    def open_store(**options):
        stores.append(SecretStore(clock=clock, client_factory=server.client, **options))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close()


@pytest.fixture
def store(open_store):
    return open_store()


def no_client():
    raise AssertionError("this reference needs no Secret Manager")


def no_credentials():
    raise DefaultCredentialsError("none were found")


@pytest.fixture
def local_store(clock):
    """A store that must not reach for Secret Manager, with an environment of its own."""
    environment = {"RALLY": "from the environment\n", "EMPTY": " \n"}
    return SecretStore(clock=clock, client_factory=no_client, environment=environment)


async def test_a_secret_comes_from_secret_manager_without_its_last_newline(store, server):
    server.add_version(SECRET, b"s3cret \n")

    assert await store.get(LATEST) == "s3cret "


async def test_a_numbered_version_stays_what_it_was(store, server):
    first = server.add_version(SECRET, b"old")
    server.add_version(SECRET, b"new")

    assert await store.get(SecretReference.parse(first)) == "old"
    assert await store.get(LATEST) == "new"


async def test_a_second_get_asks_nobody(store, server):
    server.add_version(SECRET, b"s3cret")
    await store.get(LATEST)

    await store.get(LATEST)

    assert server.requests == [NAME]


async def test_a_rotated_secret_is_seen_when_memory_has_aged(store, server, clock):
    server.add_version(SECRET, b"old")
    await store.get(LATEST)
    server.add_version(SECRET, b"new")

    clock.now += MEMORY - timedelta(microseconds=1)
    before = await store.get(LATEST)
    clock.now += timedelta(microseconds=1)
    after = await store.get(LATEST)

    assert (before, after) == ("old", "new")


async def test_a_rotated_secret_is_seen_at_once_by_a_reread(store, server, clock):
    server.add_version(SECRET, b"old")
    await store.get(LATEST)
    server.add_version(SECRET, b"new")
    clock.now += REREAD_PAUSE

    assert await store.reread(LATEST) == "new"
    assert await store.get(LATEST) == "new"


async def test_rereads_in_quick_succession_ask_once(store, server, clock):
    server.add_version(SECRET, b"s3cret")
    await store.get(LATEST)
    clock.now += REREAD_PAUSE

    answers = [await store.reread(LATEST) for _ in range(AT_ONCE)]

    assert answers == ["s3cret"] * AT_ONCE
    assert len(server.requests) == 2


async def test_a_reread_that_failed_is_not_repeated_at_once(store, server, clock):
    server.add_version(SECRET, b"s3cret")
    await store.get(LATEST)
    clock.now += REREAD_PAUSE
    server.refuse(NAME, grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(SecretUnreadable):
        await store.reread(LATEST)

    assert await store.reread(LATEST) == "s3cret"
    assert len(server.requests) == 2


async def test_callers_at_once_share_one_read(store, server):
    server.add_version(SECRET, b"s3cret")
    server.answering.clear()
    callers = [asyncio.create_task(store.get(LATEST)) for _ in range(AT_ONCE)]
    await server.next_request()
    server.answering.set()

    assert await asyncio.gather(*callers) == ["s3cret"] * AT_ONCE
    assert server.requests == [NAME]


async def test_rereads_at_once_share_one_read_and_all_see_the_new_secret(store, server, clock):
    server.add_version(SECRET, b"old")
    await store.get(LATEST)
    server.add_version(SECRET, b"new")
    clock.now += REREAD_PAUSE
    server.answering.clear()
    callers = [asyncio.create_task(store.reread(LATEST)) for _ in range(AT_ONCE)]
    await server.next_request()
    server.answering.set()

    assert await asyncio.gather(*callers) == ["new"] * AT_ONCE
    assert len(server.requests) == 2


async def test_callers_at_once_share_a_failure_too(store, server):
    server.answering.clear()
    callers = [asyncio.create_task(store.get(LATEST)) for _ in range(AT_ONCE)]
    await server.next_request()
    server.answering.set()

    answers = await asyncio.gather(*callers, return_exceptions=True)

    assert {SecretUnreadable} == {type(answer) for answer in answers}
    assert server.requests == [NAME]


async def test_a_caller_who_gives_up_takes_nothing_from_the_others(store, server):
    server.add_version(SECRET, b"s3cret")
    server.answering.clear()
    impatient = asyncio.create_task(store.get(LATEST))
    patient = asyncio.create_task(store.get(LATEST))
    await server.next_request()
    impatient.cancel()
    await asyncio.wait([impatient])
    server.answering.set()

    assert await patient == "s3cret"
    assert impatient.cancelled()
    assert server.requests == [NAME]


async def test_a_failure_is_logged_once_with_its_remedy(store, server, caplog):
    server.answering.clear()
    callers = [asyncio.create_task(store.get(LATEST)) for _ in range(AT_ONCE)]
    await server.next_request()
    server.answering.set()

    await asyncio.gather(*callers, return_exceptions=True)

    [record] = caplog.records
    assert record.event_fields["problem"].startswith(f"{LATEST} does not exist; add a version")


async def test_a_failure_is_not_remembered(store, server):
    with pytest.raises(SecretUnreadable):
        await store.get(LATEST)
    server.add_version(SECRET, b"s3cret")

    assert await store.get(LATEST) == "s3cret"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (grpc.StatusCode.NOT_FOUND, "add a version"),
        (grpc.StatusCode.PERMISSION_DENIED, "roles/secretmanager.secretAccessor"),
        (grpc.StatusCode.FAILED_PRECONDITION, "enable it"),
        (grpc.StatusCode.UNAUTHENTICATED, "credentials"),
        (grpc.StatusCode.INTERNAL, "try again"),
    ],
)
async def test_a_refusal_names_the_reference_and_the_remedy(store, server, code, remedy):
    server.refuse(NAME, code)

    with pytest.raises(SecretUnreadable) as refusal:
        await store.get(LATEST)

    assert refusal.value.problem.startswith(NAME)
    assert remedy in refusal.value.problem


async def test_missing_google_credentials_are_named(clock):
    store = SecretStore(clock=clock, client_factory=no_credentials)

    with pytest.raises(SecretUnreadable, match="needs Google credentials"):
        await store.get(LATEST)


async def test_a_server_that_never_answers_is_given_up(open_store, server):
    server.answering.clear()

    with pytest.raises(SecretUnreadable):
        await open_store(timeout=0.1).get(LATEST)


async def test_a_server_that_is_down_is_given_up(open_store, server):
    await server.stop()

    with pytest.raises(SecretUnreadable):
        await open_store(timeout=0.3).get(LATEST)


@pytest.mark.parametrize("payload", [b"", b"\n", b" \r\n", b"\xff\xfe"])
async def test_an_empty_or_unreadable_secret_is_refused(store, server, payload):
    server.add_version(SECRET, payload)

    with pytest.raises(SecretUnreadable, match=SECRET):
        await store.get(LATEST)


async def test_a_secret_comes_from_the_environment(local_store):
    assert await local_store.get(SecretReference.parse("env:RALLY")) == "from the environment"


@pytest.mark.parametrize("name", ["MISSING", "EMPTY"])
async def test_a_missing_or_empty_variable_is_refused(local_store, name):
    with pytest.raises(SecretUnreadable, match=f"env:{name}"):
        await local_store.get(SecretReference.parse(f"env:{name}"))


async def test_a_secret_comes_from_a_file(local_store, tmp_path):
    (tmp_path / "secret").write_bytes(b"gr\xc3\xbc\xc3\x9fe\r\n")

    assert await local_store.get(SecretReference.parse(f"file:{tmp_path}/secret")) == "grüße"


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
async def test_a_missing_empty_or_binary_file_is_refused(local_store, tmp_path, content):
    if content is not None:
        (tmp_path / "secret").write_bytes(content)

    with pytest.raises(SecretUnreadable, match="file:"):
        await local_store.get(SecretReference.parse(f"file:{tmp_path}/secret"))


@pytest.mark.parametrize(
    "pasted",
    [
        "c4n4ry",
        "",
        "env:c4n4ry with spaces",
        "env:",
        "file:",
        "projects/p/secrets/c4n4ry",
        "projects/p/secrets/c4n4ry/versions/newest",
        "projects/p/secrets/c4n4ry/versions/1\n",
        " env:c4n4ry",
    ],
)
def test_anything_but_a_reference_is_refused_and_not_repeated(pasted):
    with pytest.raises(ValueError, match="must be a reference") as refusal:
        SecretReference.parse(pasted)

    assert str(refusal.value).startswith("must be a reference")
    assert "c4n4ry" not in repr(refusal.value)


@pytest.mark.parametrize("text", [str(LATEST), f"{SECRET}/versions/7", "env:RALLY", "file:/run/s"])
def test_a_reference_prints_as_the_setting_it_came_from(text):
    assert text == str(SecretReference.parse(text))


async def test_nothing_that_the_store_shows_holds_the_secret(store, server):
    server.add_version(SECRET, b"c4n4ry")
    await store.get(LATEST)

    shown = repr(store) + repr(vars(store))

    assert "c4n4ry" not in shown
