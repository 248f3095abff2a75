"""The flows that lean on the store, on Firestore instead of SQLite, with two instances."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest

from devtools.rally_simulator import Fault, RallySimulator
from rally_mcp.storage.firestore import FirestoreStore
from tests.fixtures.deployment import Clock, Deployment


@pytest.fixture
def on_firestore(
    firestore_emulator: str, deploy: Callable[..., Deployment], clock: Clock
) -> Deployment:
    project = f"rally-mcp-{secrets.token_hex(8)}"
    deployment = deploy(
        new_store=lambda: FirestoreStore(project, "(default)", clock=clock),
        STORAGE="firestore",
        GOOGLE_CLOUD_PROJECT=project,
    )
    deployment.scale_out()
    return deployment


async def test_a_sign_in_begun_on_one_instance_serves_the_other(on_firestore: Deployment) -> None:
    first, second = on_firestore.instances
    chat = on_firestore.caller()

    await chat.on(first).sign_in("ann")
    answer = await chat.on(second).call("create_rally_story", title="Across instances")

    assert answer.status_code == 200, answer.text
    assert answer.json()["story"]["state"] == "Defined"


async def test_twenty_first_calls_on_two_instances_offer_one_link(on_firestore: Deployment) -> None:
    chat = on_firestore.caller()
    instances = on_firestore.instances * 10

    answers = await asyncio.gather(
        *(chat.on(instance).call("get_rally_user") for instance in instances)
    )

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["auth_url"] for answer in answers}) == 1


async def test_twenty_callbacks_on_two_instances_make_one_exchange(
    on_firestore: Deployment, rally: RallySimulator
) -> None:
    chat = on_firestore.caller()
    callback = await chat.back_from_rally()
    browsers = [instance.browser() for instance in on_firestore.instances * 10]

    pages = await asyncio.gather(*(browser.get(callback) for browser in browsers))

    assert sorted(page.status_code for page in pages) == [200] + [400] * 19
    assert rally.stats.code_exchanges == 1


async def test_fifty_calls_on_two_instances_refresh_an_expired_token_once(
    on_firestore: Deployment, rally: RallySimulator, clock: Clock
) -> None:
    chat = on_firestore.caller()
    await chat.sign_in("ann")
    clock.advance(hours=25)
    held = asyncio.Event()
    fault = Fault(method="POST", path_prefix="/login/oauth2/token", hold=held)
    rally.faults.add(fault)

    calls = asyncio.gather(
        *(chat.on(instance).call("get_rally_user") for instance in on_firestore.instances * 25)
    )
    async with asyncio.timeout(5):
        await fault.reached.wait()
    held.set()
    answers = await calls

    assert {answer.status_code for answer in answers} == {200}
    assert rally.stats.refreshes == 1


async def test_signing_out_on_one_instance_acts_at_once_on_the_other(
    on_firestore: Deployment,
) -> None:
    first, second = on_firestore.instances
    chat = on_firestore.caller()
    await chat.sign_in("ann")

    await chat.on(first).call("sign_out")
    answer = await chat.on(second).call("get_rally_user")

    assert answer.status_code == 401


async def test_an_expired_sign_in_is_absent_although_its_document_is_still_there(
    on_firestore: Deployment, clock: Clock
) -> None:
    chat = on_firestore.caller()
    callback = await chat.back_from_rally()
    clock.now += timedelta(minutes=11)

    page = await on_firestore.instances[0].browser().get(callback)

    assert page.status_code == 400
