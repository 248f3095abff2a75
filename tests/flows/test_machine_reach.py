"""How far a machine client's access token reaches: tools, resource, and how often."""

import pytest

from rally_mcp.web.request_limits import CALLS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import MCP_ORIGIN, Deployment
from tests.fixtures.machine import ConfidentialClient, add_machine, add_machine_with_key
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.token_answers import is_invalid_token, is_taken

ACCOUNT = {"auth_status", "complete_sign_in", "sign_out"}
STORY = {"title": "Built by night"}


@pytest.fixture
async def machine(deployment: Deployment) -> ConfidentialClient:
    return await add_machine_with_key(deployment)


async def tools_of_a_chat(deployment: Deployment) -> set[tuple[str, str]]:
    """Return every tool there is, with the scope that it needs."""
    chat = deployment.caller()
    listed = await chat.instance.mcp.get("/tools", headers={"Session-ID": chat.session_id})
    return {
        (tool["name"], "rally:read" if tool["read_only"] else "rally:write")
        for tool in listed.json()["tools"]
    }


@requirement("C5")
@pytest.mark.parametrize("scope", ["rally:read", "rally:write", "rally:read rally:write"])
async def test_a_machine_is_shown_the_tools_that_its_scopes_allow_and_those_of_no_sign_in(
    deployment, machine, scope
):
    access_token = await machine.access_token(scope)
    headers = {"Authorization": f"Bearer {access_token}"}

    over_rest = await machine.plain.instance.mcp.get("/tools", headers=headers)
    over_mcp = await machine.plain.mcp(access_token, "tools/list")

    everything = await tools_of_a_chat(deployment)
    allowed = {name for name, needed in everything if needed in scope.split()} - ACCOUNT
    assert {name for name, _ in everything} > ACCOUNT
    assert {tool["name"] for tool in over_rest.json()["tools"]} == allowed != set()
    assert {tool["name"] for tool in over_mcp.json()["result"]["tools"]} == allowed


@requirement("C5")
async def test_a_machine_without_the_scope_to_write_is_refused_and_rally_is_asked_nothing(
    machine, rally
):
    reading = await machine.access_token("rally:read")

    answer = await machine.plain.call(reading, "create_rally_story", **STORY)

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert rally.stats.requests == []


@requirement("C15")
async def test_an_access_token_is_worth_nothing_at_another_resource_of_the_same_store(deploy):
    here = deploy()
    machine = await add_machine(here)
    access_token = await machine.access_token()
    there = deploy(new_store=here.new_store, MCP_URL=f"{MCP_ORIGIN}/another/mcp")

    assert await is_taken(machine.plain, access_token)
    assert not await is_taken(new_client(there), access_token)


@requirement("C15", "B8")
async def test_a_persons_access_token_is_worth_nothing_at_another_resource_of_the_same_store(
    deploy,
):
    here = deploy()
    client = new_client(here)
    access_token = (await client.sign_in())["access_token"]
    there = deploy(new_store=here.new_store, MCP_URL=f"{MCP_ORIGIN}/another/mcp")

    assert await is_taken(client, access_token)
    assert not await is_taken(new_client(there), access_token)


@requirement("C15")
async def test_an_access_token_opens_nothing_at_the_authorization_server(machine):
    access_token = await machine.access_token()
    bearer = {}, {"Authorization": f"Bearer {access_token}"}

    answers = [
        await machine.post("/token", {"grant_type": "client_credentials"}, bearer),
        await machine.post("/revoke", {"token": access_token}, bearer),
    ]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert not is_invalid_token(answers[0])


async def calls(client: OAuthClient, access_token: str, times: int) -> list[tuple[int, str | None]]:
    """Ask for the tools so often; return each status and how long to wait."""
    headers = {"Authorization": f"Bearer {access_token}"}
    answers = [await client.instance.mcp.get("/tools", headers=headers) for _ in range(times)]
    return [(answer.status_code, answer.headers.get("retry-after")) for answer in answers]


@requirement("C10")
async def test_a_caller_who_asks_too_much_waits_as_told_and_nobody_else_does(deployment, machine):
    access_token, another = await machine.access_token(), await add_machine(deployment)
    chat = deployment.caller()

    answers = await calls(machine.plain, access_token, CALLS.burst + 2)
    refused = await machine.plain.mcp(access_token, "tools/list")
    others = [
        await calls(another.plain, await another.access_token(), 1),
        [((await chat.call("get_rally_user")).status_code, None)],
    ]
    deployment.clock.advance(seconds=1)
    afterwards = await calls(machine.plain, access_token, 1)

    assert answers == [(200, None)] * CALLS.burst + [(429, "1")] * 2
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert others == [[(200, None)], [(401, None)]]
    assert afterwards == [(200, None)]


@requirement("C10")
async def test_another_access_token_of_the_same_machine_gives_no_more_calls(machine):
    await calls(machine.plain, await machine.access_token(), CALLS.burst)

    assert await calls(machine.plain, await machine.access_token(), 1) == [(429, "1")]


@requirement("C10")
async def test_nobody_waits_where_limits_are_off(deploy):
    machine = await add_machine(deploy(RATE_LIMITS="off"))

    answers = await calls(machine.plain, await machine.access_token(), CALLS.burst + 10)

    assert set(answers) == {(200, None)}
