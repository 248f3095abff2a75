"""The strongest attack on what is stored: every string anybody could find, tried as every key."""

import hashlib
from collections.abc import Iterable

import pytest

from rally_mcp.crypto import Location, NotOpened, PrivateKey, Sealed
from rally_mcp.sign_in.records import (
    PRINCIPALS,
)
from rally_mcp.storage.port import Stored
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Caller
from tests.fixtures.log_lines import WrittenLog, written_log
from tests.fixtures.observed_deployment import ObservedDeployment, observed
from tests.fixtures.sealed_fields import keys_from, sealed_fields, strings_in
from tests.fixtures.stored import StoredRow, stored_rows

TOKENS = {
    "active.access_token",
    "active.refresh_token",
    "parked.access_token",
    "parked.refresh_token",
}


def opened(rows: list[StoredRow], strings: Iterable[str]) -> set[str]:
    """Return which sealed fields open with any key that can be made of the strings."""
    keys = [key for text in set(strings) for key in keys_from(text)]
    return {name for name, sealed, place in sealed_fields(rows) if _opens(keys, sealed, place)}


def _opens(keys: list[PrivateKey], sealed: Sealed, place: Location) -> bool:
    for key in keys:
        try:
            key.open(sealed, place)
        except NotOpened:
            continue
        return True
    return False


@pytest.fixture
async def deployment(deploy) -> ObservedDeployment:
    return observed(deploy())


async def chats_of(deployment: ObservedDeployment) -> list[Caller]:
    """Make two chats whose records hold every part that a record can have."""
    first, second = (deployment.caller(instance=-1) for _ in range(2))
    page = await first.visit(await first.auth_url(), "ann")
    spare = await first.auth_url()
    await first.call("complete_sign_in", code=page.code)
    await first.visit(spare, "bob")
    await second.visit(await second.auth_url(), "bob")
    await second.auth_url()
    return [first, second]


async def everything_stored(
    deployment: ObservedDeployment, log: WrittenLog
) -> tuple[list[StoredRow], set[str]]:
    """Return the records, and every string in records, log, settings and the client secret."""
    rows = await stored_rows(deployment)
    found = [[row.collection, row.key, row.document] for row in rows]
    known = [found, log.lines, deployment.settings, deployment.client_secret]
    return rows, set(strings_in(known))


@requirement("A16")
async def test_records_logs_and_settings_together_open_nothing(deployment):
    with written_log() as log:
        await chats_of(deployment)
    rows, strings = await everything_stored(deployment, log)

    names = {name for name, _, _ in sealed_fields(rows)}

    assert names == TOKENS | {"pending.state", "code_verifier"}
    assert opened(rows, strings) == set()


@requirement("A16")
async def test_what_the_callback_sees_opens_verifiers_and_no_token(deployment):
    await chats_of(deployment)
    rows, strings = await everything_stored(deployment, WrittenLog())
    addresses = [
        str(answer.request.url) for answer in deployment.answers if answer.url.path == "/callback"
    ]

    assert len(addresses) == 3
    assert opened(rows, strings | set(strings_in(addresses))) == {"code_verifier"}


async def test_the_session_id_opens_what_belongs_to_it(deployment):
    chats = await chats_of(deployment)
    rows, strings = await everything_stored(deployment, WrittenLog())

    by_first = opened(rows, strings | {chats[0].session_id})
    by_second = opened(rows, strings | {chats[1].session_id})

    assert by_first == TOKENS
    assert by_second == {"parked.access_token", "parked.refresh_token", "pending.state"}


@requirement("A16")
@pytest.mark.parametrize("written", ["public_key", "principal"])
async def test_whoever_writes_to_the_store_cannot_have_tokens_sealed_to_himself(
    deployment, written
):
    victim, attacker = (deployment.caller(instance=-1) for _ in range(2))
    await attacker.sign_in("bob")
    address = await victim.back_from_rally("ann")

    await take_over(deployment, victim, attacker, written)
    page = await victim.visit(address)

    assert page.response.status_code == 400
    assert not page.code
    assert deployment.rally.stats.code_exchanges == 1


async def take_over(
    deployment: ObservedDeployment, victim: Caller, attacker: Caller, written: str
) -> None:
    """Write the attacker's public key into the victim's record, or his key into the state's."""
    store = deployment.instances[0].store
    theirs, his = (
        hashlib.sha256(chat.session_id.encode()).hexdigest() for chat in (victim, attacker)
    )
    own = await store.get(PRINCIPALS, his)
    assert own
    for row in await stored_rows(deployment):
        if written == "public_key" and row.key == theirs:
            document = {**row.document, "public_key": own.document["public_key"]}
        elif written == "principal" and row.document.get("principal") == theirs:
            document = {**row.document, "principal": his}
        else:
            continue
        await store.put(row.collection, row.key, Stored(document, row.expire_at))


async def test_the_session_id_of_one_chat_opens_nothing_of_another(deployment):
    chats = await chats_of(deployment)
    rows, _ = await everything_stored(deployment, WrittenLog())
    first = hashlib.sha256(chats[0].session_id.encode()).hexdigest()
    others = [row for row in rows if row.key != first]

    assert opened(others, {chats[0].session_id}) == set()
