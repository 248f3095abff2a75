"""Several upstreams on Firestore, with two instances: one account, one refresh, one record."""

import asyncio
import secrets
from collections.abc import Callable

import pytest

from devtools.github_simulator import GitHubSimulator
from devtools.yata_simulator import YataSimulator
from rally_mcp.storage.firestore import FirestoreStore
from tests.fixtures.deployment import Clock, Deployment


@pytest.fixture
def on_firestore(
    firestore_emulator: str, deploy_with: Callable[..., Deployment], clock: Clock
) -> Deployment:
    project = f"rally-mcp-{secrets.token_hex(8)}"
    deployment = deploy_with(
        "rally,github,yata",
        new_store=lambda: FirestoreStore(project, "(default)", clock=clock),
        STORAGE="firestore",
        GOOGLE_CLOUD_PROJECT=project,
    )
    deployment.scale_out()
    return deployment


async def test_forty_calls_on_two_instances_get_one_token_for_the_shared_account(
    on_firestore: Deployment, yata: YataSimulator
) -> None:
    chat = on_firestore.caller()
    await chat.sign_in()

    answers = await asyncio.gather(
        *(chat.on(instance).call("list_todos") for instance in on_firestore.instances * 20)
    )

    assert {answer.status_code for answer in answers} == {200}
    assert yata.stats.issued_tokens == 1


async def test_a_token_that_was_dropped_is_replaced_once_for_both_instances(
    on_firestore: Deployment, yata: YataSimulator
) -> None:
    chat = on_firestore.caller()
    await chat.sign_in()
    for instance in on_firestore.instances:
        await chat.on(instance).call("list_todos")
    yata.drop_access_tokens()

    answers = await asyncio.gather(
        *(chat.on(instance).call("list_todos") for instance in on_firestore.instances * 10)
    )

    assert {answer.status_code for answer in answers} == {200}
    assert yata.stats.issued_tokens == 2


async def test_sign_ins_to_two_upstreams_at_once_stand_side_by_side(
    on_firestore: Deployment, github: GitHubSimulator
) -> None:
    chat = on_firestore.caller()
    first, second = on_firestore.instances
    to_rally = await chat.on(first).auth_url()
    to_github = await chat.on(second).auth_url("get_github_user")

    pages = await asyncio.gather(
        chat.on(first).visit(to_rally), chat.on(second).visit(to_github, "bob")
    )
    for page in pages:
        await chat.on(first).call("complete_sign_in", code=page.code)
    users = [
        (await chat.on(second).call(tool)).json() for tool in ("get_rally_user", "get_github_user")
    ]

    assert [users[0]["user_name"], users[1]["login"]] == ["ann@example.com", "bob"]
