"""A store that fails for a moment, is asked by many at once, or was written by a newer version."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from devtools.rally_simulator import RallySimulator, RegisteredClient
from rally_mcp.sign_in.records import PRINCIPALS
from rally_mcp.storage.port import Stored
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, Caller, Deployment
from tests.fixtures.meeting_store import meeting
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in
from tests.fixtures.stored import stored_rows
from tests.fixtures.troubled_store import Trouble, TroubledStore

TOKEN_LIFE = timedelta(days=3)
IDLE_LIFE = timedelta(days=7)


@pytest.fixture
def rally(clock) -> RallySimulator:
    client = RegisteredClient(CLIENT_ID, "correct horse", (CALLBACK_URL,))
    return RallySimulator(
        clock=clock, clients=[client], rotate_refresh_tokens=True, access_token_ttl=TOKEN_LIFE
    )


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def deployment(deploy: Callable[..., Deployment], clock, trouble, tmp_path: Path) -> Deployment:
    path = tmp_path / "troubled.db"
    return deploy(lambda: TroubledStore(trouble, path, clock=clock), **WITHOUT_CODE)


@pytest.fixture
async def ann(deployment: Deployment) -> Caller:
    return await signed_in(deployment, "ann")


async def ask(chat: Caller) -> int:
    """Call a tool that needs Rally, for 5 s at most; return the status of the answer."""
    async with asyncio.timeout(5):
        return (await chat.call("get_rally_user")).status_code


def of_a_newer_version(stored: Stored) -> Stored:
    """Return a principal's document with one more member in each of its parts."""
    document = dict(stored.document)
    sign_in = document["upstreams"]["rally"]
    tokens = sign_in["active"]["tokens"]
    for part in (document, sign_in, sign_in["active"], tokens, tokens["user"]):
        part["added_later"] = {"by": "a newer version"}
    return Stored(document, stored.expire_at)


@pytest.mark.parametrize(
    "fates",
    [["fails"], ["fails", "fails"], ["loses the answer"]],
    ids=["fails", "fails twice", "loses the answer"],
)
async def test_refreshed_tokens_are_kept_although_the_store_fails(
    deployment, ann, rally, clock, trouble, fates
):
    elsewhere = ann.on(deployment.scale_out())
    clock.advance(days=3)
    taking_the_lease = "works"
    trouble.fates = [taking_the_lease, *fates]

    statuses = [await ask(ann), await ask(elsewhere)]

    assert statuses == [200, 200]
    assert trouble.fates == []
    assert rally.stats.refreshes == 1
    assert rally.stats.refused_token_requests == 0


async def test_twenty_calls_at_once_move_the_end_of_a_record_on_once(
    deployment, ann, clock, trouble
):
    clock.advance(hours=25)
    chat = ann.on(meeting(deployment, PRINCIPALS, 20))
    trouble.written = 0

    statuses = await asyncio.gather(*(ask(chat) for _ in range(20)))

    [row] = await stored_rows(deployment, PRINCIPALS)
    assert statuses == [200] * 20
    assert trouble.written == 1
    assert row.expire_at == clock() + IDLE_LIFE


async def test_a_record_whose_end_cannot_be_moved_on_harms_no_call(deployment, ann, clock, trouble):
    clock.advance(hours=25)
    chat = ann.on(meeting(deployment, PRINCIPALS, 20))
    trouble.fates = ["fails"] * 20

    statuses = await asyncio.gather(*(ask(chat) for _ in range(20)))

    assert statuses == [200] * 20
    assert trouble.fates == []


async def test_a_sign_in_that_a_newer_version_wrote_goes_on_here(deployment, ann, rally, clock):
    [row] = await stored_rows(deployment, PRINCIPALS)
    await ann.instance.store.update(PRINCIPALS, row.key, of_a_newer_version)
    clock.advance(hours=25)

    statuses = [await ask(ann), await ask(ann)]

    [kept] = await stored_rows(deployment, PRINCIPALS)
    assert statuses == [200, 200]
    assert kept.expire_at == clock() + IDLE_LIFE
    assert rally.stats.refreshes == 0
