"""The strongest attack on what is stored: every string anybody could find, tried as every key."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from rally_mcp.crypto import Location, NotOpened, PrivateKey, Sealed
from rally_mcp.sign_in.records import (
    OAUTH_STATES,
    PRINCIPALS,
    OAuthState,
    PrincipalRecord,
    SealedTokens,
    sealed_location,
    state_location,
)
from rally_mcp.sign_in.sealed_tokens import Place
from rally_mcp.storage.port import Stored
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Caller
from tests.fixtures.log_lines import WrittenLog, written_log
from tests.fixtures.observed_deployment import ObservedDeployment, observed
from tests.fixtures.stored import StoredRow, stored_rows

PURPOSES = ("session principal", "oauth state")
"""What the product derives keys for; the tests that do open something prove these words right."""

TOKENS = {
    "active.access_token",
    "active.refresh_token",
    "parked.access_token",
    "parked.refresh_token",
}

Field = tuple[str, Sealed, Location]


def sealed_fields(rows: Iterable[StoredRow]) -> Iterator[Field]:
    """Yield every sealed field with its name and its place."""
    for row in rows:
        document = {**row.document, "expire_at": row.expire_at}
        if row.collection == OAUTH_STATES:
            state = OAuthState.model_validate(document)
            yield "code_verifier", state.sealed, sealed_location(row.key)
        else:
            yield from _fields_of(row.key, PrincipalRecord.model_validate(document))


def _fields_of(key: str, record: PrincipalRecord) -> Iterator[Field]:
    sign_in = record.upstream("rally")
    if sign_in.pending:
        yield "pending.state", sign_in.pending.state, state_location(key, "rally")
    for part, holder in (("parked", sign_in.parked), ("active", sign_in.active)):
        if holder:
            yield from _tokens_of(Place(key, "rally", part), holder.tokens)


def _tokens_of(place: Place, tokens: SealedTokens) -> Iterator[Field]:
    for name in ("access_token", "refresh_token"):
        yield f"{place.part}.{name}", getattr(tokens, name), place.location(name)


def strings_in(found: object) -> Iterator[str]:
    """Yield every string of a JSON value, whole and in its parts."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield name
            yield from strings_in(value)
    elif isinstance(found, list):
        for value in found:
            yield from strings_in(value)
    else:
        yield str(found)
        yield from re.findall(r"[\w-]{4,}", str(found))


def keys_from(text: str) -> Iterator[PrivateKey]:
    """Yield every key that a string could stand for."""
    yield from (PrivateKey.derive(text, purpose) for purpose in PURPOSES)
    for raw in (hashlib.sha256(text.encode()).digest(), *_decoded(text)):
        yield PrivateKey(X25519PrivateKey.from_private_bytes(raw[:32]))
        yield PrivateKey(X25519PrivateKey.from_private_bytes(raw[-32:]))


def _decoded(text: str) -> Iterator[bytes]:
    for decode in (bytes.fromhex, lambda t: base64.urlsafe_b64decode(t + "=" * (-len(t) % 4))):
        try:
            raw = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(raw) >= 32:
            yield raw


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
