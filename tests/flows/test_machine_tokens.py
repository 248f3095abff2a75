"""What becomes of a machine client's access tokens: how long they live, and who ends them."""

import asyncio

import pytest

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Deployment
from tests.fixtures.machine import ConfidentialClient, add_machine, administration
from tests.fixtures.oauth_client import new_client
from tests.fixtures.racing_store import racing
from tests.fixtures.token_answers import (
    INTERFACES,
    call_over,
    error_of,
    is_invalid_token,
    is_taken,
)

INVALID_CLIENT = (401, "invalid_client")
INVALID_GRANT = (400, "invalid_grant")


@pytest.fixture
async def machine(deployment: Deployment) -> ConfidentialClient:
    return await add_machine(deployment)


@requirement("C8")
@pytest.mark.parametrize(("added_with", "seconds"), [({}, 3600), ({"access_seconds": 60}, 60)])
async def test_an_access_token_lives_as_long_as_the_record_says(deployment, added_with, seconds):
    machine = await add_machine(deployment, **added_with)
    answer = (await machine.log_in()).json()

    deployment.clock.advance(seconds=seconds - 1)
    before = await is_taken(machine.plain, answer["access_token"])
    deployment.clock.advance(seconds=1)

    assert answer["expires_in"] == seconds
    assert before
    assert not await is_taken(machine.plain, answer["access_token"])


@requirement("C8")
@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("end", ["disabled", "removed"])
async def test_a_machine_that_ends_is_out_at_the_next_call_on_every_instance(
    deployment, machine, end, interface
):
    elsewhere = machine.on(deployment.scale_out())
    access_token = await machine.access_token()
    taken = await is_taken(elsewhere.plain, access_token)

    if end == "disabled":
        await administration(deployment).set_disabled(machine.client_id, disabled=True)
    else:
        await administration(deployment).remove(machine.client_id)

    assert taken
    for each in (machine, elsewhere):
        assert is_invalid_token(await call_over(interface, each.plain, access_token))
        assert error_of(await each.log_in()) == INVALID_CLIENT


@requirement("C8")
async def test_a_machine_that_is_admitted_again_logs_in_anew(deployment, machine):
    access_token = await machine.access_token()
    for disabled in (True, False):
        await administration(deployment).set_disabled(machine.client_id, disabled=disabled)

    assert not await is_taken(machine.plain, access_token)
    assert await is_taken(machine.plain, await machine.access_token())


@requirement("C8")
async def test_a_login_that_meets_the_end_of_its_client_leaves_nothing(deployment, machine):
    one, another = racing(deployment, OAUTH_CLIENTS, 2)

    answer, _ = await asyncio.gather(
        machine.on(one).log_in(),
        administration(deployment, -1).set_disabled(machine.client_id, disabled=True),
    )

    assert another is deployment.instances[-1]
    if answer.is_success:
        assert not await is_taken(machine.plain, answer.json()["access_token"])
    else:
        assert error_of(answer) == INVALID_CLIENT


async def test_logins_at_the_same_moment_all_count(deployment, machine):
    instances = racing(deployment, OAUTH_CLIENTS, 6)

    tokens = await asyncio.gather(
        *(machine.on(instance).access_token() for instance in instances * 3)
    )

    assert [await is_taken(machine.plain, each) for each in tokens] == [True] * 6


@requirement("C8")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
async def test_a_machine_gives_back_one_token_and_keeps_the_others(deployment, method):
    machine = await add_machine(deployment, method)
    elsewhere = machine.on(deployment.scale_out())
    given_back, kept = [await machine.access_token() for _ in range(2)]

    answers = [await machine.revoke(given_back) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert not await is_taken(elsewhere.plain, given_back)
    assert await is_taken(elsewhere.plain, kept)


async def test_a_machine_cannot_give_back_the_token_of_another(deployment, machine):
    access_token = await machine.access_token()
    another = await add_machine(deployment)

    refused = await another.revoke(access_token)
    unproven = await machine.by(machine.method, "x").revoke(access_token)

    assert error_of(refused) == INVALID_GRANT
    assert error_of(unproven) == INVALID_CLIENT
    assert await is_taken(machine.plain, access_token)


@requirement("B25")
async def test_machines_and_peoples_clients_cannot_give_back_each_others_tokens(
    deployment, machine
):
    client = new_client(deployment)
    tokens = await client.sign_in()
    access_token = await machine.access_token()

    answers = [await machine.revoke(tokens["refresh_token"]), await client.revoke(access_token)]

    assert [error_of(answer) for answer in answers] == [INVALID_GRANT] * 2
    assert await is_taken(client, tokens["access_token"])
    assert await is_taken(machine.plain, access_token)
