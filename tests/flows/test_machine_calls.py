"""Machine clients call tools: with a Rally API key of their own, and never as anybody else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Deployment
from tests.fixtures.machine import ConfidentialClient, add_machine, add_machine_with_key
from tests.fixtures.oauth_client import new_client
from tests.fixtures.rally_wire import WSAPI, WiredDeployment, wired
from tests.fixtures.raw_mcp import LEGACY, MODERN, message_of
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in

KEY = "_devann"
REFERENCE = "RALLY_KEY_OF_NIGHTLY"
MEMORY = timedelta(minutes=5)
"""How long an instance uses a key without asking its source again."""

STORY = {"title": "Built by night"}

both_eras = pytest.mark.parametrize("era", [LEGACY, MODERN])


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> WiredDeployment:
    return wired(deploy(**WITHOUT_CODE))


@pytest.fixture
async def machine(deployment: WiredDeployment) -> ConfidentialClient:
    return await add_machine_with_key(deployment, KEY)


async def call(
    machine: ConfidentialClient, tool: str = "get_rally_user", **arguments: object
) -> httpx.Response:
    """Log in and call a tool over REST."""
    return await machine.plain.call(await machine.access_token(), tool, **arguments)


async def over_mcp(
    machine: ConfidentialClient, era: str, method: str, **params: Any
) -> dict[str, Any]:
    """Log in, send one request as a client of that era does, and return its result."""
    answer = await machine.plain.instance.mcp.post(
        "/mcp",
        json=message_of(era, method, params),
        headers={
            "Authorization": f"Bearer {await machine.access_token()}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": era,
            "Mcp-Method": method,
            "Mcp-Name": str(params.get("name", "")),
        },
    )
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def credentials_sent(deployment: WiredDeployment) -> set[tuple[str | None, str | None]]:
    """Return what Rally's WSAPI was sent: the two headers that can carry a credential."""
    return {
        (request.headers.get("zsessionid"), request.headers.get("authorization"))
        for request in deployment.wire.requests
        if request.url.path.startswith(WSAPI)
    }


@requirement("C9")
async def test_a_machine_creates_a_story_with_its_own_key(deployment, machine):
    answer = await call(machine, "create_rally_story", **STORY)

    assert answer.status_code == 200, answer.text
    assert answer.json()["story"]["name"] == STORY["title"]
    assert credentials_sent(deployment) == {(KEY, None)}


@both_eras
@requirement("C9")
async def test_a_machine_creates_a_story_over_mcp(deployment, machine, era):
    result = await over_mcp(machine, era, "tools/call", name="create_rally_story", arguments=STORY)

    assert not result.get("isError"), result
    assert result["structuredContent"]["story"]["state"] == "Defined"
    assert credentials_sent(deployment) == {(KEY, None)}


@requirement("C9")
async def test_two_machines_work_each_with_its_own_key(deployment, machine):
    deployment.client_secret["ANOTHER_KEY"] = "_devbob"
    another = await add_machine(deployment, rally_api_key="env:ANOTHER_KEY")

    users = [(await call(each)).json()["user_name"] for each in (machine, another, machine)]

    assert users == ["ann@example.com", "bob@example.com", "ann@example.com"]


@requirement("C9")
async def test_without_a_key_a_machine_is_told_why_and_rally_is_asked_nothing(deployment):
    machine = await add_machine(deployment)

    answer = await call(machine, "create_rally_story", **STORY)

    assert answer.status_code == 403
    assert answer.json()["error"] == "Failed to create Rally story"
    assert "no Rally API key" in answer.json()["message"]
    assert "www-authenticate" not in answer.headers
    assert deployment.wire.requests == []


@both_eras
@requirement("C9")
async def test_without_a_key_a_call_over_mcp_is_a_tool_error_that_tells_why(deployment, era):
    machine = await add_machine(deployment)

    result = await over_mcp(machine, era, "tools/call", name="get_rally_user", arguments={})

    assert result["isError"] is True
    assert "no Rally API key" in result["content"][0]["text"]
    assert "no Rally API key" in result["structuredContent"]["message"]
    assert "auth_url" not in result["structuredContent"]


@requirement("C9")
async def test_a_key_that_rally_refuses_is_a_403_that_tells_who_can_help(deployment, machine):
    del deployment.rally.api_keys[KEY]

    answer = await call(machine)
    result = await over_mcp(machine, LEGACY, "tools/call", name="get_rally_user", arguments={})

    assert answer.status_code == 403
    assert "does not accept this machine client's API key" in answer.json()["message"]
    assert result["isError"] is True
    assert KEY not in answer.text + str(result)


@requirement("C9")
async def test_a_key_that_its_source_no_longer_has_is_a_503_without_its_name(deployment, machine):
    del deployment.client_secret[REFERENCE]

    answer = await call(machine)

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert REFERENCE not in answer.text


@requirement("C9")
async def test_a_key_that_was_exchanged_is_read_again_as_soon_as_rally_refuses_the_old_one(
    deployment, machine
):
    await call(machine)
    deployment.clock.advance(minutes=1)
    deployment.rally.api_keys["_devann_2"] = deployment.rally.api_keys.pop(KEY)
    deployment.client_secret[REFERENCE] = "_devann_2"
    deployment.wire.requests.clear()

    answers = [await call(machine, "create_rally_story", **STORY) for _ in range(2)]

    keys = [request.headers["zsessionid"] for request in deployment.wire.requests]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert keys[0] == KEY
    assert set(keys[1:]) == {"_devann_2"}


@requirement("C9")
async def test_a_key_that_still_works_is_exchanged_within_five_minutes(deployment, machine):
    await call(machine)
    deployment.rally.api_keys["_devann_2"] = deployment.rally.api_keys[KEY]
    deployment.client_secret[REFERENCE] = "_devann_2"

    deployment.clock.now += MEMORY
    await call(machine)

    assert credentials_sent(deployment) == {(KEY, None), ("_devann_2", None)}


@requirement("C9", "B24")
async def test_a_machine_never_uses_what_people_signed_in_with(deployment):
    chat = await signed_in(deployment, "ann")
    client = new_client(deployment)
    tokens = await client.sign_in("bob")
    machine, keyless = await add_machine_with_key(deployment, KEY), await add_machine(deployment)
    deployment.wire.requests.clear()

    answers = [await call(each) for each in (machine, keyless)]
    by_machine = credentials_sent(deployment)
    people = [
        await chat.call("get_rally_user"),
        await client.call(tokens["access_token"], "get_rally_user"),
    ]

    assert [answer.status_code for answer in answers] == [200, 403]
    assert by_machine == {(KEY, None)}
    assert [answer.status_code for answer in people] == [200, 200]
    assert len(credentials_sent(deployment)) == 3


@requirement("C9")
async def test_a_machine_still_works_when_the_person_of_its_key_signs_out(deployment, machine):
    chat = await signed_in(deployment, "ann")

    await chat.call("sign_out")
    deployment.rally.revoke_user("ann")

    assert (await call(machine)).status_code == 200


@requirement("C9")
async def test_a_key_goes_into_its_own_header_where_access_tokens_go_into_another(deploy):
    deployment = wired(deploy(RALLY_TOKEN_HEADER="Authorization", **WITHOUT_CODE))
    machine = await add_machine_with_key(deployment, KEY)
    chat = await signed_in(deployment, "bob")
    deployment.wire.requests.clear()

    answer = await call(machine, "create_rally_story", **STORY)
    by_machine = credentials_sent(deployment)
    await chat.call("get_rally_user")
    by_chat = credentials_sent(deployment) - by_machine

    assert answer.status_code == 200, answer.text
    assert by_machine == {(KEY, None)}
    [(key, authorization)] = by_chat
    assert key is None
    assert str(authorization).startswith("Bearer ")


@pytest.mark.parametrize("tool", ["complete_sign_in", "sign_out"])
async def test_a_machine_that_calls_the_tools_of_a_sign_in_is_told_that_it_has_none(machine, tool):
    arguments = {"code": "K7QF-2M9X"} if tool == "complete_sign_in" else {}

    answer = await call(machine, tool, **arguments)
    afterwards = await call(machine)

    assert answer.status_code == 403
    assert "machine client" in answer.json()["message"]
    assert afterwards.status_code == 200
