"""What an access token may do: a tool is refused, and not listed, without the scope it needs."""

from typing import Any

import httpx
import pytest

from tests.conformance.requirements import requirement
from tests.fixtures.deployment import MCP_ORIGIN, Deployment
from tests.fixtures.mcp_call import list_over_mcp
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.raw_mcp import LEGACY, MODERN, headers_of, message_of

METADATA = f'resource_metadata="{MCP_ORIGIN}/.well-known/oauth-protected-resource/mcp"'

ACCOUNT = {"auth_status", "complete_sign_in", "sign_out"}
READING = {"get_rally_user", "get_rally_issue"}
WRITING = {"create_rally_story", "create_rally_defect"}

both_eras = pytest.mark.parametrize("era", [LEGACY, MODERN])

STORY = {"title": "Pay by card"}


async def allowed(deployment: Deployment, scope: str | None) -> tuple[OAuthClient, str]:
    """Sign in for these scopes; return the client and its access token."""
    client = new_client(deployment, scope=scope)
    return client, (await client.sign_in())["access_token"]


async def over_mcp(
    client: OAuthClient, access_token: str, era: str, method: str, **params: Any
) -> httpx.Response:
    """Send one request as a client of that era does."""
    return await client.instance.mcp.post(
        "/mcp",
        json=message_of(era, method, params),
        headers={
            "Authorization": f"Bearer {access_token}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": era,
            "Mcp-Method": method,
            "Mcp-Name": str(params.get("name", "")),
        },
    )


def challenge(needed: str, scopes: str) -> str:
    """Return the header that asks for more."""
    return (
        'Bearer error="insufficient_scope", error_description="This needs the scope '
        f'{needed}; authorize again with it.", {METADATA}, scope="{scopes}"'
    )


def created(deployment: Deployment) -> int:
    """Count the stories and defects that Rally was asked to create."""
    return sum(request.path.endswith("/create") for request in deployment.rally.stats.requests)


@both_eras
@requirement("B4")
async def test_a_tool_that_writes_is_refused_over_mcp_with_every_scope_that_is_needed(
    deployment, era
):
    client, access_token = await allowed(deployment, "rally:read")

    answer = await over_mcp(
        client, access_token, era, "tools/call", name="create_rally_story", arguments=STORY
    )

    assert answer.status_code == 403
    assert answer.headers.get_list("www-authenticate") == [
        challenge("rally:write", "rally:read rally:write")
    ]
    assert answer.json()["error"]["message"].startswith("Forbidden: ")
    assert created(deployment) == 0


@requirement("B4")
@pytest.mark.parametrize("tool", ["create_rally_story", "create-rally-story", "create_story"])
async def test_a_tool_that_writes_is_refused_over_rest_by_any_of_its_names(deployment, tool):
    client, access_token = await allowed(deployment, "rally:read")

    answer = await client.call(access_token, tool, **STORY)

    assert answer.status_code == 403
    assert answer.headers.get_list("www-authenticate") == [
        challenge("rally:write", "rally:read rally:write")
    ]
    assert answer.json() == {
        "error": "Forbidden",
        "message": "This needs the scope rally:write; authorize again with it.",
    }
    assert created(deployment) == 0


@requirement("B4")
async def test_a_tool_that_reads_is_refused_to_who_may_only_write(deployment):
    client, access_token = await allowed(deployment, "rally:write")

    written = await client.call(access_token, "create_rally_story", **STORY)
    answer = await client.call(access_token, "get_rally_user")

    assert written.status_code == 200, written.text
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == challenge("rally:read", "rally:read rally:write")


@both_eras
@requirement("B4")
async def test_who_follows_the_challenge_gets_through(deployment, era):
    client, access_token = await allowed(deployment, "rally:read")
    refused = await client.call(access_token, "create_rally_story", **STORY)
    wanted = refused.headers["www-authenticate"].rpartition('scope="')[2].rstrip('"')

    client, access_token = await allowed(deployment, wanted)
    answer = await over_mcp(
        client, access_token, era, "tools/call", name="create_rally_story", arguments=STORY
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["result"].get("isError") is not True
    assert created(deployment) == 1


@both_eras
@pytest.mark.parametrize(
    ("scope", "tools"),
    [
        ("rally:read", READING | ACCOUNT),
        ("rally:write", WRITING | ACCOUNT),
        ("rally:read rally:write", READING | WRITING | ACCOUNT),
        (None, READING | WRITING | ACCOUNT),
    ],
)
async def test_the_tools_that_an_access_token_cannot_call_are_not_listed(
    deployment, era, scope, tools
):
    client, access_token = await allowed(deployment, scope)

    over_mcp_listed = await over_mcp(client, access_token, era, "tools/list")
    over_rest_listed = await client.instance.mcp.get(
        "/tools", headers={"Authorization": f"Bearer {access_token}"}
    )

    assert {tool["name"] for tool in over_mcp_listed.json()["result"]["tools"]} == tools
    assert {tool["name"] for tool in over_rest_listed.json()["tools"]} == tools


async def test_a_chat_has_no_scopes_and_sees_every_tool(deployment):
    listed = await list_over_mcp(deployment.caller())

    assert {tool["name"] for tool in listed} == READING | WRITING | ACCOUNT


async def test_no_scope_is_needed_to_sign_out(deployment):
    client, access_token = await allowed(deployment, "rally:write")

    answer = await client.call(access_token, "sign_out")
    afterwards = await client.call(access_token, "sign_out")

    assert answer.status_code == 200, answer.text
    assert afterwards.status_code == 401


@both_eras
async def test_a_tool_that_does_not_exist_is_unknown_whatever_the_scope(deployment, era):
    client, access_token = await allowed(deployment, "rally:read")

    answer = await over_mcp(client, access_token, era, "tools/call", name="delete_rally")

    assert "www-authenticate" not in answer.headers
    assert answer.json()["error"]["code"] == -32602


@requirement("B4")
async def test_a_deployment_that_only_reads_never_asks_for_the_scope_to_write(deploy):
    client, access_token = await allowed(deploy(READ_ONLY="true"), "rally:write")

    answer = await client.call(access_token, "get_rally_user")

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == challenge("rally:read", "rally:read")


@requirement("B4")
@both_eras
@pytest.mark.parametrize("disguise", ["error", "result"])
async def test_a_call_that_is_also_an_answer_does_not_pass_by_the_scopes(deployment, era, disguise):
    client, access_token = await allowed(deployment, "rally:read")
    arguments = {"name": "create_rally_story", "arguments": STORY}
    message = message_of(era, "tools/call", arguments)
    message[disguise] = {"code": 1, "message": "m", "data": 1}

    answer = await client.instance.mcp.post(
        "/mcp",
        json=message,
        headers=headers_of(era, message, session_id=None, authorization=f"Bearer {access_token}"),
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Invalid Request: ")
    assert created(deployment) == 0
